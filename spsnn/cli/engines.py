"""`spsnn simulate` on the integers of a chip: by the integer reference, or by Lava."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from spsnn import hwmap, models
from spsnn.errors import ConfigError
from spsnn.hwmap.cost import cost_of_trace
from spsnn.hwmap.cost.steps import cost_by_step
from spsnn.hwmap.exports.lava import run_on_lava
from spsnn.hwmap.quantise import quantise
from spsnn.hwmap.quantise.integer import IntegerNetwork
from spsnn.hwmap.traffic.trace import Trace
from spsnn.models.rate.base import require_spikes
from spsnn.models.spiking.integer import IntegerModel

ENGINES = ("float", "integer", "lava", "lava-float")


@dataclass(frozen=True)
class EngineRun:
    """Samples run on an engine.

    Attributes:
        engine: one of ``ENGINES``.
        stand: `IntegerModel` that reads the run out.
        run: ``IntegerRun`` of the engine.
        output: its `Output`.
        batch: the samples.
        unlike: what it was compared with, and how many spikes and how many potentials differ:
            ``(name, spikes, potentials or None)``.
    """

    engine: str
    stand: IntegerModel
    run: object
    output: object
    batch: object
    unlike: tuple


def check_engine(engine):
    """Refuse an unknown engine."""
    if engine not in ENGINES:
        raise ConfigError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")


def run_engine(model, integers, batch, engine, time_limit=600.0):
    """Run a batch on an engine and compare it.

    ``integer`` is compared with the grid engine of the same quantised network, ``lava`` (fixed point) with the integer
    reference, and ``lava-float`` (floating point) with the grid engine.

    Args:
        model: `SpSNN`.
        integers: ``Quantised`` network of it.
        batch: `SpikeBatch`.
        engine: ``integer``, ``lava`` or ``lava-float``.
        time_limit: seconds for Lava.
    """
    check_engine(engine)
    network = IntegerNetwork.of(integers)
    stand = IntegerModel(model, network)
    inputs = stand.inputs(batch)
    run = reference = network.run(inputs)
    if engine != "integer":
        run = run_on_lava(network, inputs, fixed=engine == "lava", time_limit=time_limit)
    if engine == "lava":
        differ = sum(int((run.spikes[n] != reference.spikes[n]).sum()) for n in reference.spikes)
        potentials = sum(int((run.potential[n] != reference.potential[n]).sum()) for n in reference.potential)
        unlike = ("integer", differ, potentials)
    else:
        unlike = ("grid", _unlike_grid(model, integers.network, batch, stand, run), None)
    return EngineRun(engine, stand, run, stand.read(run), batch, unlike)


def _unlike_grid(model, network, batch, stand, run):
    """Spikes that only one of a run and the grid engine has."""
    with torch.no_grad():
        output = models.from_graph(model, network)(batch)
    names = [name for name, neuron in stand.populations() if neuron and neuron.spiking]
    count = 0
    for name, spikes in zip(names, output.spikes, strict=True):
        dense = np.zeros(spikes.shape, np.uint8)
        sample, neuron = np.divmod(np.repeat(np.arange(spikes.counts().size), spikes.counts().ravel()), spikes.shape[2])
        dense[sample, spikes.steps, neuron] = 1
        count += int((dense != run.spikes[name]).sum())
    return count


def simulate(model, data, *, engine, sample, count, target, cores=None, picture=False):
    """What ``spsnn simulate --engine`` shows: ``(values, figure or None)``.

    Args:
        model, data: `SpSNN` and its data set.
        engine: see `run_engine`.
        sample, count: first sample, and how many.
        target, cores: of the mapping.
        picture: make the picture of the first sample, with energy and latency of the mapped chip.
    """
    require_spikes(model, f"engine {engine!r}")
    if count < 1 or sample + count > len(data):
        raise ConfigError(f"--sample {sample} and --count {count} must stay within the {len(data)} samples")
    batch = data.events[np.arange(sample, sample + count)]
    if picture:
        network = models.to_graph(model, data.events, source=f"{data.name} {data.split}", name=data.name)
        chip = hwmap.compile(network, target, cores=cores)
        integers = chip.integers
    else:
        network = models.to_graph(model, name=data.name)
        integers, chip = quantise(replace(network, duration=batch.duration), hwmap.load_target(target)), None
    done = run_engine(model, integers, batch, engine)
    decisions = done.output.logits.argmax(1).numpy()
    labels = batch.labels
    name, spikes, potentials = done.unlike
    values = {
        "engine": engine,
        "target": hwmap.load_target(target).title,
        "sample": sample,
        "class": data.class_names[int(labels[0])],
        "decision": data.class_names[int(decisions[0])],
        **({"samples": count, "accuracy": float((decisions == labels).mean())} if count > 1 else {}),
        **{f"spikes_{n}": int(x[0].sum()) for n, x in done.run.spikes.items()},
        f"spikes_unlike_{name}": spikes,
        **({} if potentials is None else {f"potentials_unlike_{name}": potentials}),
        "currents_wrapped": done.run.wrapped,
        "potentials_clipped": done.run.clipped,
        "logits": done.output.logits[0].tolist(),
    }
    values = {key: value for key, value in values.items() if value is not None}
    if not picture:
        return values, None
    more, figure = _picture(done, chip, data, values)
    return values | more, figure


def _picture(done, chip, data, values):
    from spsnn import pictures

    dt, names = chip.network.dt, [p.name for p in chip.network.populations]
    spikes = {name: done.run.spikes[name][0] > 0 for name in names}
    trace = Trace.of(chip.flat, spikes)
    # On the chip a spike with delay d acts d + 1 steps later.
    delays = np.concatenate([np.asarray(d) + 1 for d in chip.integers.delays])
    steps, total = cost_by_step(chip, trace, delays), cost_of_trace(chip, trace, delays)
    trains = []
    for name in names:
        step, unit = np.nonzero(spikes[name])
        if chip.network[name].kind != "li":
            trains.append((name, step * dt, unit, spikes[name].shape[1]))
    last = names[-1]
    potential = done.run.potential[last][0] if last in done.run.potential else None
    figure = pictures.chip_run(
        trains, dt, steps, potential=potential, classes=data.class_names, label=values["class"],
        decision=values["decision"], engine=values["engine"], target=chip.target.title,
        note=f"energies {total['energy_source'].split(':')[0]}, timing model {total['timing_model']}",
        hypothetical=chip.hypothetical,
    )  # fmt: skip
    keys = ("energy_nj_per_inference", "energy_dynamic_nj_per_inference", "latency_us_per_inference", "step_max_ns",
            "energy_source", "time_source")  # fmt: skip
    return {key.replace("_per_inference", ""): total[key] for key in keys}, figure
