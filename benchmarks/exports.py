"""Exports of trained networks: what reads them back, whether spikes are equal, accuracy, size of the file.

python benchmarks/exports.py [MODEL.h5 ...] [--samples 20]

Without model files it trains the shipped configurations ``digits`` and ``yinyang``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import common
import numpy as np

import spsnn
from spsnn.cli import workflow
from spsnn.cli.engines import run_engine
from spsnn.graph.nir import read_nir
from spsnn.hwmap.exports import export
from spsnn.hwmap.integer import IntegerNetwork
from spsnn.hwmap.layout import read_layout
from spsnn.hwmap.netx import read_netx
from spsnn.hwmap.quantise import Quantised
from spsnn.models.integer import IntegerModel

TEXT = """
Networks of `spsnn train digits` and `spsnn train yinyang` (one seed, epochs chosen on validation data), mapped to
Loihi 2: 8-bit weights, delays in whole steps up to 62. No fine-tuning.

What is read back from a file is compared with the integers of the chip, run by the integer reference; Lava in floating
point is compared with the grid engine of the same quantised network. "Unlike" counts spikes that only one of the two
runs has, in all populations, over the samples of the row; potentials are those of the read-out, compared bit for bit.
Accuracy is that of what was read back over the whole test set; where Lava ran, over the samples of the row.
"""


def tables(models, samples):
    """``(accuracy rows, export rows)`` of ``{name: (model, test set)}``."""
    accuracy, exports = [], []
    for name, (model, data) in models.items():
        network = spsnn.to_graph(model, data.events, source=f"{name} test", name=name)
        chip = spsnn.hwmap.compile(network, "loihi2")
        accuracy.append(accuracy_row(name, model, data, chip))
        with tempfile.TemporaryDirectory() as folder:
            exports += export_rows(name, model, data, chip, Path(folder), samples)
    return accuracy, exports


def accuracy_row(name, model, data, chip):
    """Test accuracy from floating point to the integers of the chip."""
    stand = IntegerModel(model, IntegerNetwork.of(chip.integers))
    steps = {
        "float": model,
        "8-bit weights, whole delays": spsnn.from_graph(model, chip.quantised),
        "integers": stand,
    }
    scores = {what: 100 * spsnn.evaluate(m, data.events)["accuracy"] for what, m in steps.items()}
    return {
        "network": name,
        "test samples": len(data),
        **{f"{what} [%]": f"{score:.2f}" for what, score in scores.items()},
        "float - integers [points]": f"{scores['float'] - scores['integers']:+.2f}",
        "currents wrapped": stand.wrapped,
        "potentials cut": stand.clipped,
    }


def export_rows(name, model, data, chip, folder, samples):
    """One row for each format and reader."""
    wanted = IntegerNetwork.of(chip.integers)
    stand, batch = IntegerModel(model, wanted), data.events[np.arange(min(samples, len(data)))]
    inputs = stand.inputs(batch)
    reference = wanted.run(inputs)
    rows = []

    def write(file):
        export(chip, folder / file)
        return folder / file

    def row(format, reader, path, unlike, potentials, percent, n=None):
        n = n or len(batch)
        rows.append(
            {
                "network": name, "format": format, "read by": reader, "samples": n,
                "spikes": int(sum(x[:n].sum() for x in reference.spikes.values())), "spikes unlike": unlike,
                "potentials unlike": potentials, "accuracy [%]": percent,
                "kB": f"{path.stat().st_size / 1000:.0f}",
            }
        )  # fmt: skip

    def compare(network):
        """Spikes and potentials of a network read from a file against the integers, and its test accuracy."""
        run = network.run(dict(zip((p.name for p in network.inputs), inputs.values(), strict=True)))
        pairs = zip(run.spikes.values(), reference.spikes.values(), strict=True)
        unlike = sum(int((a != b).sum()) for a, b in pairs)
        units = [[p.unit for p in n.populations if p.kind == "li"] for n in (network, wanted)]
        found, given = (
            [np.rint(v / unit) for v, unit in zip(r.potential.values(), u, strict=True)]
            for r, u in zip((run, reference), units, strict=True)
        )
        potentials = sum(int((a != b).sum()) for a, b in zip(found, given, strict=True))
        return unlike, potentials

    for suffix in ("json", "h5"):
        path = write(f"chip.{suffix}")
        back = IntegerNetwork.of(of_layout(read_layout(path)))
        row(f"layout ({suffix})", "spsnn", path, *compare(back), accuracy_of(model, data, back))
    path = write("chip.nir")
    back = IntegerNetwork.of(read_nir(path))
    row("nir", f"spsnn, nir {version('nir')}", path, *compare(back), accuracy_of(model, data, back))
    path = write("chip.net")
    back = named(read_netx(path, chip.network.dt, chip.network.n_steps), [p.name for p in wanted.populations])
    row("netx", "spsnn", path, *compare(back), accuracy_of(model, data, back))
    if has("lava-dl"):
        first = next(iter(inputs.values()))[0]
        row(
            "netx",
            f"lava-dl {version('lava-dl')}, on Lava",
            path,
            *lava_dl(path, first, reference, wanted, folder),
            "-",
            1,
        )
    path = write("chip.npz")
    for engine, kind in (("lava", "fixed"), ("lava-float", "floating")) if has("lava-nc") else ():
        done = run_engine(model, chip.integers, batch, engine)
        _, unlike, potentials = done.unlike
        right = 100 * float((done.output.logits.argmax(1).numpy() == batch.labels).mean())
        row("lava", f"lava-nc {version('lava-nc')}, {kind} point", path, unlike,
            "-" if potentials is None else potentials, f"{right:.0f} of {len(batch)}")  # fmt: skip
    return rows


def accuracy_of(model, data, network):
    """Test accuracy in per cent of an integer network."""
    return f"{100 * spsnn.evaluate(IntegerModel(model, network), data.events)['accuracy']:.2f}"


def named(network, names):
    """The same integer network with other names of its populations, in their order."""
    new = dict(zip((p.name for p in network.populations), names, strict=True))
    return replace(
        network,
        populations=tuple(replace(p, name=new[p.name]) for p in network.populations),
        projections=tuple(replace(p, pre=new[p.pre], post=new[p.post]) for p in network.projections),
    )


def has(package):
    """Whether a package is installed."""
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def of_layout(layout):
    """`Quantised` network made of nothing but a layout file."""
    meta, arrays = layout.meta, layout.arrays
    scales = {p["name"]: p["weight_scale"] for p in meta["populations"]}
    dt = meta["dt_ms"]
    populations = tuple(
        spsnn.graph.Population(
            p["name"], p["size"], p["kind"], None,
            {key: np.array(value) if isinstance(value, list) else value for key, value in p["parameters"].items()},
        )
        for p in meta["populations"]
    )  # fmt: skip
    weights, delays, projections = [], [], []
    for k, p in enumerate(meta["projections"]):
        indptr, indices, weight, delay = (
            arrays[f"projection/{k}/{part}"] for part in ("indptr", "indices", "weight", "delay_steps")
        )
        weights.append(weight)
        delays.append(delay)
        projections.append(
            spsnn.graph.Projection(p["pre"], p["post"], indptr, indices, weight * scales[p["post"]], delay * dt)
        )
    network = spsnn.graph.Network(populations, tuple(projections), dt, meta["duration_ms"])
    return Quantised(network, tuple(weights), tuple(delays), scales, tuple(d < 0 for d in delays))


def lava_dl(path, spikes, reference, wanted, folder):
    """``(spikes unlike, potentials unlike)`` of the first sample, by lava-dl's reader in a process of its own."""
    np.savez(folder / "x.npz", spikes=spikes)
    script = Path(__file__).with_name("netx_reader.py")
    command = [sys.executable, script, path, folder / "x.npz", folder / "out.npz"]
    subprocess.run([str(c) for c in command], check=True, capture_output=True, timeout=600)
    unlike = potentials = 0
    with np.load(folder / "out.npz") as found:
        for k, p in enumerate(wanted.populations[1:], 1):
            unlike += int((found[f"layer{k}"] != reference.spikes[p.name][0]).sum())
        last = wanted.populations[-1]
        if last.kind == "li":
            potentials = int((found["potential"] != np.rint(reference.potential[last.name][0] / last.unit)).sum())
    return unlike, potentials


def opened(path):
    """``(model, test set)`` of a model file."""
    model = spsnn.load(path)
    return model, workflow.load_split(workflow.data_of(model, path), "test", os.environ.get("SPSNN_DATA"))


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--samples", type=int, default=20, help="of which spikes are compared")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = options.models
        if not paths:
            for name in ("digits", "yinyang"):
                command = [Path(sys.executable).with_name("spsnn"), "train", name, "--out", Path(folder) / name]
                subprocess.run([str(c) for c in command], check=True)
            paths = [Path(folder) / name / "model.h5" for name in ("digits", "yinyang")]
        models = {data.name: (model, data) for model, data in map(opened, paths)}
        accuracy, exports = tables(models, options.samples)
    common.write("exports", "Exports", TEXT, {"Accuracy": accuracy, "Exports": exports})


if __name__ == "__main__":
    main()
