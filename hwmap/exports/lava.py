"""Networks for Lava: the file that its script takes, and runs of it in a process of its own."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from spsnn.atomic import replacing
from spsnn.errors import ConfigError, ExportError
from spsnn.hwmap.exports import run_lava
from spsnn.hwmap.quantise.integer import IntegerNetwork, IntegerRun, check_inputs

PYTHON = "SPSNN_LAVA_PYTHON"  # environment variable: an interpreter that has Lava
INSTALL = "pip install 'asteval<0.10' networkx && pip install --no-deps --ignore-requires-python lava-nc==0.10.0"
FORMAT, SCHEMA = "spsnn-lava", 1
TIME_LIMIT = 600.0  # seconds


def describe(network):
    """Arrays of an `IntegerNetwork` for ``run_lava.py``, see docs/lava.md.

    Raises:
        ExportError: several synapses from one neuron to another in one projection.
    """
    network.check_single("lava")
    meta = {
        "format": FORMAT,
        "schema": SCHEMA,
        "name": network.name,
        "dt_ms": network.dt,
        "n_steps": network.n_steps,
        "populations": [_constants(p, network.dt) for p in network.populations],
        "projections": [(p.pre, p.post) for p in network.projections],
    }
    arrays = {"meta": np.array(json.dumps(meta))}
    for k, p in enumerate(network.projections):
        for name, value in (("pre", p.sources), ("post", p.indices), ("weight", p.weight), ("delay", p.delay)):
            arrays[f"projection/{k}/{name}"] = np.asarray(value, np.int32)
    return arrays


def _constants(p, dt):
    names = ("name", "size", "kind", "du", "dv", "vth", "bias_mant", "bias_exp", "unit")
    return {name: getattr(p, name) for name in names} | {
        "float_du": -math.expm1(-dt / p.tau_syn),
        "float_dv": -math.expm1(-dt / p.tau_mem),
        "float_vth": p.threshold if math.isfinite(p.threshold) else None,
    }


def write_lava(chip, path):
    """Write a mapped network as ``.npz``, and beside it ``run_lava.py``, which runs it without spsnn.

    Raises:
        ExportError: the network has something that Lava's fixed-point processes do not; nothing is written.
    """
    arrays = describe(IntegerNetwork.of(chip.integers))
    path = Path(path)
    with replacing(path, ExportError) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)
    with replacing(path.with_name("run_lava.py"), ExportError) as temporary:
        shutil.copyfile(run_lava.__file__, temporary)


def run_on_lava(network, spikes, *, fixed=True, dense=False, time_limit=TIME_LIMIT):
    """Run an `IntegerNetwork` on Lava, in a process of its own.

    Args:
        network: `IntegerNetwork`.
        spikes: as `IntegerNetwork.run` takes them.
        fixed: Loihi's integers; False: floating point, with the decays and thresholds of the float network.
        dense: synapses as ``DelayDense``; by default ``DelaySparse``, which is faster for several samples.
        time_limit: seconds after which the run is ended.

    Returns:
        `IntegerRun`.

    Raises:
        ConfigError: Lava is not installed; says how.
        ExportError: Lava failed, or took too long.
    """
    given = check_inputs(network, spikes)
    python = os.environ.get(PYTHON, sys.executable)
    with tempfile.TemporaryDirectory(prefix="spsnn-lava-") as folder:
        files = [Path(folder) / name for name in ("network.npz", "spikes.npz", "result.npz")]
        # Out of this package, whose modules would otherwise be found before Lava's.
        script = shutil.copy(run_lava.__file__, folder)
        np.savez(files[0], **describe(network))
        np.savez(files[1], **given)
        options = ([] if fixed else ["--floating"]) + (["--dense"] if dense else [])
        _call([python, script, *map(str, files), *options], python, time_limit)
        with np.load(files[2]) as result:
            trains, potential = (
                {name.partition("/")[2]: result[name] for name in result.files if name.startswith(f"{kind}/")}
                for kind in ("spikes", "potential")
            )
    return IntegerRun({**given, **{n: x.astype(np.uint8) for n, x in trains.items()}}, potential)


def _call(command, python, time_limit):
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
    except OSError as error:
        raise ConfigError(f"{PYTHON} names {python}, which cannot be started: {error.strerror}") from error
    try:
        said, _ = process.communicate(timeout=time_limit)
    except subprocess.TimeoutExpired:
        raise ExportError(f"Lava did not end within {time_limit:g} s and was stopped; run fewer samples") from None
    finally:
        # Lava runs processes of its own, which must not outlive this call, also not after Ctrl-C.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    last = (said.strip().splitlines() or ["no message"])[-1]
    if process.returncode == run_lava.NO_LAVA:
        raise ConfigError(f"{python} has no Lava ({last}); install it: {INSTALL}; or name an interpreter in {PYTHON}")
    if process.returncode:
        raise ExportError(f"Lava failed: {last}")
