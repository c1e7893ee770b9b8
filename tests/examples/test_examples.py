"""The examples run as a user runs them."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, *arguments, cwd):
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_yinyang(tmp_path):
    out = run("yinyang.py", "--epochs", "3", cwd=tmp_path)
    assert "466 parameters, test accuracy 0." in out
    assert "inherited" in out
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {"yinyang.h5", "yinyang_layout.json", "yinyang_coordinates.png"}


def test_yinyang_events(tmp_path):
    out = run("yinyang_events.py", "--epochs", "3", cwd=tmp_path)
    assert "466 parameters, test accuracy 0." in out
    assert float(out.rsplit(" ", 1)[1]) > 0.8


@pytest.mark.parametrize("neuron", ["leaky", "synaptic", "alpha"])
def test_snntorch_synapse(tmp_path, neuron):
    pytest.importorskip("snntorch")
    out = run("snntorch_synapse.py", "--neuron", neuron, "--epochs", "2", cwd=tmp_path)
    accuracies = [float(line.rsplit(" ", 1)[1]) for line in out.splitlines()]
    assert accuracies[-1] > 0.5  # chance is 0.1


def test_fields(tmp_path):
    lines = run("fields.py", "--epochs", "8", cwd=tmp_path).splitlines()
    assert len(lines) == 2 and "sparse resonant network" in lines[0] and "neural field" in lines[1]
    for line in lines:
        assert float(line.rsplit(" ", 1)[1]) > 0.5  # chance is 0.1
