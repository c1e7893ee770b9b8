# Everything runs in .venv, which is made on first use and refreshed when the requirements change.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
PEERS := .venv-peers
PEER_STAMP := $(PEERS)/.installed
PEER_PIP := $(PEERS)/bin/python -m pip install --disable-pip-version-check -q -c constraints.txt -c benchmarks/constraints-peers.txt
TORCH := $(shell sed -n 's/^\(torch==[^ ;]*\).*/\1/p' constraints.txt)

.PHONY: help install demo test lint peers bench clean
help:
	@echo "make demo   train on Yin-Yang and digits, map both to a chip, write runs/demo/report.html"
	@echo "            (SPSNN_DATA=DIR adds a short run on SHD from DIR/SHD)"
	@echo "make test   the whole test suite"
	@echo "make lint   ruff"
	@echo "make bench  benchmarks, tables under docs/results (SPSNN_DATA=DIR for SHD spikes); installs the peers, 2 GB"
	@echo "make peers  only the environment of the peers, .venv-peers"

$(STAMP): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 10) and "spsnn needs Python 3.10 or newer, this is %d.%d; try make PYTHON=python3.11" % v[:2])'
	@$(PY) -c '' 2>/dev/null || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); }
	$(PY) -m pip install --disable-pip-version-check -q "$(TORCH)"
	$(PY) -m pip install --disable-pip-version-check -q -c constraints.txt -e ".[dev]"
	@# Declared for older Pythons and numpys, but they run here: see docs/lava.md.  Without them their tests are skipped.
	$(PY) -m pip install --disable-pip-version-check -q -c constraints.txt --no-deps --ignore-requires-python \
		lava-nc lava-dl || echo "not installed: Lava"
	@touch $@

install: $(STAMP)

demo: $(STAMP)
	$(VENV)/bin/spsnn demo --out runs/demo

test: $(STAMP)
	$(PY) -m pytest

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

# A peer that cannot be installed is a row of the table that says so.
$(PEER_STAMP): constraints.txt benchmarks/constraints-peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEER_PIP) "$(TORCH)"
	@for peer in nest-simulator "brian2 cython setuptools" snntorch dcls eventax jaxsnn "loguru matplotlib tqdm" \
		"--no-deps spikingjelly" "asteval networkx" "--no-deps --ignore-requires-python lava-nc"; \
		do $(PEER_PIP) $$peer || echo "not installed: $$peer"; done
	@touch $@

peers: $(PEER_STAMP)

bench: $(STAMP)
	$(PY) benchmarks/scaling.py
	$(PY) benchmarks/shd_epoch.py
	$(PY) benchmarks/kernels.py
	$(PY) benchmarks/sparse.py
	$(PY) benchmarks/gpu.py
	$(PY) benchmarks/growth.py
	$(PY) benchmarks/exports.py
	$(PY) benchmarks/sanafe_check.py
	$(PY) benchmarks/noc.py
	$(PY) benchmarks/placement.py --growth
	$(PY) benchmarks/rsgn.py
	-@$(MAKE) peers
	$(PY) benchmarks/peers.py

clean:
	rm -rf $(VENV) $(PEERS) build dist *.egg-info
