"""Lava against the integer reference, spike for spike, and what happens where Lava is absent, slow or fails."""

import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from spsnn.errors import ConfigError, ExportError
from spsnn.hwmap import compile
from spsnn.hwmap.exports.lava import PYTHON, run_on_lava
from spsnn.hwmap.quantise.integer import IntegerNetwork
from spsnn.kernels.reference.grid import simulate_grid

from .conftest import make_network
from .test_integer import float_network, random_network

needs_lava = pytest.mark.skipif(
    find_spec("lava") is None or find_spec("lava.proc") is None, reason="Lava is not installed; make install does it"
)


def spikes_of(network, samples, seed=0, share=0.15):
    rng = np.random.default_rng(seed)
    return {p.name: rng.random((samples, network.n_steps, p.size)) < share for p in network.inputs}


@needs_lava
@pytest.mark.parametrize("seed, samples, dense", [(0, 3, False), (1, 1, True)])
def test_fixed_point_is_the_integer_reference(seed, samples, dense):
    """Random networks with recurrence, biases and delays from 0 to 62."""
    network = random_network(seed)
    delays = np.concatenate([p.delay for p in network.projections])
    assert delays.min() == 0 and delays.max() == 62
    x = spikes_of(network, samples, seed)
    wanted, found = network.run(x), run_on_lava(network, x, dense=dense)
    for name, spikes in wanted.spikes.items():
        np.testing.assert_array_equal(found.spikes[name], spikes)
    np.testing.assert_array_equal(found.potential["out"], wanted.potential["out"])
    assert wanted.spikes["two"].any() and np.ptp(wanted.potential["out"]) > 0


@needs_lava
def test_floating_point_is_the_grid():
    rng = np.random.default_rng(3)
    weight, delay = rng.normal(1.0, 2.0, (6, 9)), rng.integers(0, 63, (6, 9)).astype(float)
    loop = rng.normal(0.0, 1.5, (9, 9)), rng.integers(0, 63, (9, 9)).astype(float)
    graph = float_network("lif", weight, delay, loop, steps=120)
    network = IntegerNetwork.of(graph)
    x = spikes_of(network, 1, 3)
    scale = np.abs(np.concatenate([weight.ravel(), loop[0].ravel()])).max() / 127
    rounded = [np.rint(w / scale) * scale for w in (weight, loop[0])]
    events = [list(zip(*np.nonzero(x["a"][0]), strict=True))]
    grid = simulate_grid(
        [(events, rounded[0], delay)], (rounded[1], loop[1]), n_samples=1, n_steps=120, n_post=9, dt=1.0,
        delays="round", tau_mem=20.0, tau_syn=5.0, threshold=1.0,
    )  # fmt: skip
    assert grid.spikes.sum() > 50
    np.testing.assert_array_equal(run_on_lava(network, x, fixed=False).spikes["b"], grid.spikes)


@needs_lava
def test_exported_script_runs_on_its_own(tmp_path):
    chip = compile(make_network_for_lava(), "loihi2")
    chip.export(tmp_path / "net.npz")
    network = IntegerNetwork.of(chip.integers)
    x = spikes_of(network, 2)
    np.savez(tmp_path / "x.npz", **x)
    command = [sys.executable, "run_lava.py", "net.npz", "x.npz", "out.npz"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    wanted = network.run(x)
    with np.load(tmp_path / "out.npz") as found:
        np.testing.assert_array_equal(found["spikes/hidden"], wanted.spikes["hidden"])
        np.testing.assert_array_equal(found["potential/out"], wanted.potential["out"])
    assert wanted.spikes["hidden"].any()


def make_network_for_lava():
    """The recurrent network of the mapping tests, with the constants of its neurons and stronger weights."""
    from dataclasses import replace

    network = make_network(duration=60.0)
    constants = {"tau_mem": 20.0, "tau_syn": 5.0, "threshold": 1.0}
    populations = tuple(p if p.kind == "input" else replace(p, parameters=constants) for p in network.populations)
    projections = tuple(replace(p, weight=4 * p.weight) for p in network.projections)
    return replace(network, populations=populations, projections=projections)


def interpreter(tmp_path, monkeypatch, script):
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv(PYTHON, str(path))


def test_says_how_to_install_lava(tmp_path, monkeypatch):
    hide = 'import sys, runpy; sys.modules["lava"] = None; del sys.argv[0]; runpy.run_path(sys.argv[0], {}, "__main__")'
    interpreter(tmp_path, monkeypatch, f"exec {sys.executable} -c '{hide}' \"$@\"")
    network = random_network(0)
    with pytest.raises(ConfigError, match=r"has no Lava .*pip install .*lava-nc==0\.10\.0.*SPSNN_LAVA_PYTHON"):
        run_on_lava(network, spikes_of(network, 1))
    monkeypatch.setenv(PYTHON, str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="cannot be started"):
        run_on_lava(network, spikes_of(network, 1))


def test_a_run_that_hangs_is_ended_with_its_children(tmp_path, monkeypatch):
    interpreter(tmp_path, monkeypatch, f"sleep 60 & echo $! > {tmp_path}/child; wait")
    network = random_network(0)
    with pytest.raises(ExportError, match=r"did not end within 1 s.*fewer samples"):
        run_on_lava(network, spikes_of(network, 1), time_limit=1.0)
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        try:
            os.kill(child, 0)
            state = Path(f"/proc/{child}/stat").read_text().split()[2]
        except (ProcessLookupError, FileNotFoundError):
            return
        if state == "Z":
            return
        time.sleep(0.1)
    pytest.fail("a child of the run outlived it")


def test_failure_tells_the_last_line(tmp_path, monkeypatch):
    interpreter(tmp_path, monkeypatch, "echo first; echo the reason >&2; exit 1")
    network = random_network(0)
    with pytest.raises(ExportError, match="Lava failed: the reason"):
        run_on_lava(network, spikes_of(network, 1))
