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
from spsnn.graph import Network, Population, Projection
from spsnn.graph.nir import read_nir, write_nir
from spsnn.hwmap.exports import export
from spsnn.hwmap.exports.lava import run_on_lava
from spsnn.hwmap.exports.layout import read_layout
from spsnn.hwmap.exports.netx import read_netx
from spsnn.hwmap.quantise import Quantised
from spsnn.hwmap.quantise.integer import IntegerNetwork
from spsnn.kernels.reference.grid import simulate_grid
from spsnn.models.spiking.integer import IntegerModel

TEXT = """
Networks of `spsnn train digits` and `spsnn train yinyang` (one seed, epochs chosen on validation data), mapped to
Loihi 2: 8-bit weights, delays in whole steps up to 62. No fine-tuning.

What is read back from a file is compared with the integers of the chip, run by the integer reference; Lava in floating
point is compared with the grid engine of the same quantised network. "Unlike" counts spikes that only one of the two
runs has, in all populations, over the samples of the row; potentials are those of the read-out, compared bit for bit.
Accuracy is that of what was read back over the whole test set; where Lava ran, over the samples of the row. snnTorch
gets constants for its Euler steps and is one step early for each population, which is taken off.
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
            "-" if potentials is None else potentials, f"{right:.0f} ({len(batch)} samples)")  # fmt: skip
    return rows


def random_graph(seed, sizes=(20, 40, 40, 5), recurrent=True, longest=62, dt=1.0, steps=150, out="li", tau=(20.0, 5.0)):
    """Random graph of layers, with recurrence and a skip connection, or a plain feed-forward one."""
    rng = np.random.default_rng(seed)
    constants = {"tau_mem": tau[0], "tau_syn": tau[1]}
    kinds = ["input", *["lif"] * (len(sizes) - 2), out]
    populations = tuple(
        Population(f"p{k}", n, kind, None, {} if kind == "input" else constants | {"threshold": 1.0})
        for k, (n, kind) in enumerate(zip(sizes, kinds, strict=True))
    )
    pairs = [(k, k + 1) for k in range(len(sizes) - 1)]
    pairs += [*((k, k) for k in range(1, len(sizes) - 1)), (0, 2)] if recurrent else []
    projections = []
    for a, b in pairs:
        shape = sizes[a], sizes[b]
        weight = rng.normal(0.8 if a == 0 else 0.2, 1.5, shape) / np.sqrt(sizes[a] / 20)
        delay = rng.integers(0, longest + 1, shape) * dt
        projections.append(Projection.from_dense(f"p{a}", f"p{b}", weight, delay, rng.random(shape) < 0.8))
    return Network(populations, tuple(projections), dt, steps * dt)


def random_rows(samples):
    """Random recurrent networks with delays from 0 to 62 on Lava, and one without delays in snnTorch by way of NIR."""
    rows = []
    for seed in range(3):
        network = IntegerNetwork.of(random_graph(seed))
        x = np.random.default_rng(seed).random((samples, network.n_steps, 20)) < 0.05
        wanted = network.run({"p0": x})
        for dense in (False, True) if has("lava-nc") else ():
            n = 1 if dense else samples
            found = run_on_lava(network, {"p0": x[:n]}, dense=dense)
            unlike = sum(int((found.spikes[p] != wanted.spikes[p][:n]).sum()) for p in wanted.spikes)
            potentials = int((found.potential["p3"] != wanted.potential["p3"][:n]).sum())
            spikes = sum(int(wanted.spikes[p][:n].sum()) for p in ("p1", "p2"))
            rows.append(_row(f"recurrent, delays to 62, seed {seed}", f"Lava, Delay{'Dense' if dense else 'Sparse'}", n,
                             spikes, unlike, potentials))  # fmt: skip
    if has("snntorch"):
        rows.append(_row("feed-forward, no delays", f"snnTorch {version('snntorch')}, NIR", 1, *by_snntorch(), "-"))
    return rows


def _row(network, reader, n, spikes, unlike, potentials):
    return {"random network": network, "read by": reader, "samples": n, "spikes": spikes, "spikes unlike": unlike,
            "potentials unlike": potentials}  # fmt: skip


def by_snntorch(steps=300):
    """``(spikes, spikes unlike)`` of the output in snnTorch and in the plain grid simulator, two steps apart."""
    import nir
    import torch
    from snntorch.import_nir import import_from_nir

    graph = random_graph(0, (20, 40, 5), False, 0, 0.1, steps, "lif", (2.0, 0.5))
    with tempfile.TemporaryDirectory() as folder:
        write_nir(graph, Path(folder) / "net.nir", euler=True)
        module, state, found = import_from_nir(nir.read(Path(folder) / "net.nir")), None, []
    x = np.random.default_rng(0).random((steps, 20)) < 0.05
    with torch.no_grad():
        for row in x:
            out, state = module(torch.tensor(row[None], dtype=torch.float32), state)
            found.append(out.numpy()[0])
    train = x
    for p in graph.projections:
        weight, delay, _ = p.to_dense((graph[p.pre].size, graph[p.post].size))
        events = [list(zip(*np.nonzero(train), strict=True))]
        train = simulate_grid(
            [(events, weight, delay)], n_samples=1, n_steps=steps, n_post=weight.shape[1], dt=0.1, delays="round",
            tau_mem=2.0, tau_syn=0.5, threshold=1.0,
        ).spikes[0]  # fmt: skip
    return int(train.sum()), int((np.array(found)[:-2] != train[2:]).sum())


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
    found = {"Accuracy": accuracy, "Exports": exports, "Random networks": random_rows(3)}
    common.write("exports", "Exports", TEXT, {name: rows for name, rows in found.items() if rows})


if __name__ == "__main__":
    main()
