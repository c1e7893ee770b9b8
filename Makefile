# Everything runs in .venv, which is made on first use and refreshed when the requirements change.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
TORCH := $(shell sed -n 's/^\(torch==[^ ;]*\).*/\1/p' constraints.txt)

.PHONY: help install demo test lint bench clean
help:
	@echo "make demo   train on Yin-Yang and digits, map both to a chip, write runs/demo/report.html"
	@echo "            (SPSNN_DATA=DIR adds a short run on SHD from DIR/SHD)"
	@echo "make test   the whole test suite"
	@echo "make lint   ruff"
	@echo "make bench  benchmarks, tables under docs/results (SPSNN_DATA=DIR for SHD spikes)"

$(STAMP): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 10) and "spsnn needs Python 3.10 or newer, this is %d.%d; try make PYTHON=python3.11" % v[:2])'
	@$(PY) -c '' 2>/dev/null || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); }
	$(PY) -m pip install --disable-pip-version-check -q "$(TORCH)"
	$(PY) -m pip install --disable-pip-version-check -q -c constraints.txt -e ".[dev]"
	@touch $@

install: $(STAMP)

demo: $(STAMP)
	$(VENV)/bin/spsnn demo --out runs/demo

test: $(STAMP)
	$(PY) -m pytest

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

bench: $(STAMP)
	$(PY) benchmarks/scaling.py
	$(PY) benchmarks/shd_epoch.py
	$(PY) benchmarks/gpu.py
	$(PY) benchmarks/growth.py

clean:
	rm -rf $(VENV) build dist *.egg-info
