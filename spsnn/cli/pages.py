"""Sections of the report: what a run and its chip look like."""

from __future__ import annotations

import numpy as np
import torch

from spsnn import models, pictures
from spsnn.cli.energy import energy_table
from spsnn.hwmap.cost import COMPONENTS

DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))  # east, west, north, south, as in `spsnn.hwmap.route`


def sample_trains(model, events, sample):
    """Spike trains of one sample through all populations, and the logits: for `pictures.raster`."""
    batch = events[sample]
    with torch.no_grad():
        output = model(batch)
    trains = [("input", batch.times, batch.units, batch.n_units)]
    names = [name for name, neuron in model.populations() if neuron is not None and neuron.spiking]
    for name, spikes in zip(names, output.spikes, strict=True):
        counts = spikes.counts()[0]
        times = spikes.times if model.settings.engine == "event" else spikes.steps * model.grid.dt
        trains.append((name, times, np.repeat(np.arange(len(counts)), counts), len(counts)))
    return trains, output.logits[0].numpy()


def raster_of(model, data, sample):
    """Raster picture of one sample with its true and predicted class."""
    trains, logits = sample_trains(model, data.events, sample)
    label, prediction = (data.class_names[int(k)] for k in (data.events.labels[sample], logits.argmax()))
    return pictures.raster(trains, data.events.duration, label=label, prediction=prediction)


def model_section(name, model, data, history, metrics):
    """Section on training and on what was learned."""
    network = models.to_graph(model, name=name)
    counted = [{**entry, "epoch": entry["epoch"] + 1} for entry in history]
    validated = metrics["validation_accuracy"] is not None
    by_validation = metrics.get("select", "best") == "best"
    chosen = "epoch chosen on validation" if by_validation else "epoch, the last"
    told = "the epoch was chosen on the validation set" if by_validation else "the last epoch was taken, as set"
    curves = [(f"Training; {told}.",
               pictures.training_curves(counted, best=metrics["best_epoch"]))]  # fmt: skip
    figures = [
        *curves,
        ("Rows are true classes, columns decisions, on the test set.",
         pictures.confusion(np.array(metrics["confusion"]), data.class_names)),
        ("Spikes of the first test sample.", raster_of(model, data, 0)),
        ("Synaptic delays that follow from the coordinates.", pictures.delay_histogram(network, model.grid.dt)),
    ]  # fmt: skip
    if len(model.points):
        figures.insert(1, ("Learned coordinates; a distance of 1 is alpha ms of delay.",
                           pictures.coordinates(network, strongest=100, unit="ms")))  # fmt: skip
    if any(p.own_parameters() for p in network.populations):
        figures.append(("Parameters that every neuron has for itself.", pictures.neuron_histogram(network)))
    table = [
        ("test accuracy [%]", 100 * metrics["test_accuracy"]),
        *([("validation accuracy [%]", 100 * metrics["validation_accuracy"])] if validated else []),
        (chosen, metrics["best_epoch"]),
        ("trainable parameters", metrics["parameters"]),
        ("spikes per neuron and sample", metrics["spikes_per_neuron"]),
        ("delays cut at max_delay, worst projection [%]", 100 * metrics["clipped_delays"]),
        ("training time [s]", metrics["seconds_train"]),
        ("layers", " - ".join(str(n) for n in model.sizes)),
        ("space", f"{model.space.dim}-D, {model.space.metric.upper()}" if len(model.points) else "none"),
    ]
    grid = f"Step {model.grid.dt:g} ms, delays `{model.grid.delays}`"
    time = "Continuous time" if model.settings.engine == "event" else grid
    text = f"{len(data)} test samples of `{data.name}`, {data.n_classes} classes. {time}, gradient `{model.estimator}`."
    return pictures.Section(f"{name}: training", text, table, tuple(figures))


def chip_figures(chip):
    """Pictures of a mapped network as ``(caption, Figure)``."""
    return tuple(_chip_figures(chip))


def _chip_figures(chip):
    target, hypothetical = chip.target, chip.hypothetical
    shape = (target.mesh_height, target.mesh_width)
    tiles = chip.routing.core_tile
    load = chip.partition.use["neurons"]
    cores = [{"name": f"core {k}", "x": int(x), "y": int(y), "load": float(load[k])} for k, (x, y) in enumerate(tiles)]
    links = []
    for y, x, d in zip(*np.nonzero(chip.routing.link_load), strict=True):
        dx, dy = DIRECTIONS[d]
        links.append({"x0": int(x), "y0": int(y), "x1": int(x) + dx, "y1": int(y) + dy,
                      "load": float(chip.routing.link_load[y, x, d])})  # fmt: skip
    label = target.title
    yield ("Cores by number of neurons, links by spikes per inference.",
           pictures.chip_mesh(shape, cores, links, target=label, hypothetical=hypothetical))  # fmt: skip
    coords, used, owner = [], [], []
    for population in chip.network.populations:
        if population.kind == "input" or population.positions is None:
            continue
        core = chip.core_of(population.name)
        for k in np.unique(core):
            coords.append(population.positions[core == k].mean(0))
            used.append(tiles[k])
            owner.append(population.name)
    if len(coords) > 1:
        yield ("Where the neurons of each core live, and the tile that the core was put on.",
               pictures.placement(np.array(coords), np.array(used), owner, unit="ms", target=label,
                                  hypothetical=hypothetical))  # fmt: skip
    components = {name.replace("_", " "): chip.cost.get(f"energy_{name}_nj", 0.0) for name in COMPONENTS}
    components = {name: energy for name, energy in components.items() if energy}
    yield ("Energy of one inference.",
           pictures.energy_bars(components, note="energies " + chip.cost["energy_source"].split(":")[0],
                                hypothetical=hypothetical))  # fmt: skip


def chip_section(name, chip, figures, rows):
    """Section on the mapped chip."""
    table = [
        ("target", figures["target_title"]),
        ("neurons", figures["neuron_label"]),
        ("delays", figures["delay_label"]),
        ("latency per inference [us]", figures["latency_us_per_inference"]),
        ("energy per inference [nJ]", figures["energy_nj_per_inference"]),
        ("source of the energies", figures["energy_source"]),
        ("source of the timing", figures["time_source"]),
        ("activity measured on", figures["activity_source"]),
        ("cores used", figures["cores_used"]),
        ("synapses", figures["synapses"]),
        ("weight bits", figures["weight_bits"]),
        ("delays held at the nearest step [%]", figures["delay_exact_percent"]),
        ("mean delay error [steps]", figures["delay_error_mae_steps"]),
        ("delays cut by the chip", figures["delays_clipped"]),
        ("accuracy before mapping [%]", 100 * figures["float_accuracy"]),
        ("accuracy as mapped [%]", 100 * figures["mapped_accuracy"]),
    ]
    return [
        pictures.Section(
            f"{name}: on the chip", figures["cost_assumptions"].capitalize() + ".", table, chip_figures(chip)
        ),
        pictures.Section(f"{name}: energy by component, with its source", "", energy_table(figures)),
        pictures.Section(
            f"{name}: placement by learned coordinates against others",
            "One partition for each seed, placed three ways. Spike-weighted hops count links crossed per inference. "
            + placement_verdict(rows),
            comparison_table(rows),
        ),
    ]


def placement_verdict(rows):
    """One sentence on what the learned placement saves, from the rows of `compare_placements`."""
    hops = {p: np.mean([r["hops_per_inference"] for r in rows if r["placement"] == p]) for p in ("learned", "random")}
    share = np.mean([1 - r["energy_dynamic_nj_per_inference"] / r["energy_nj_per_inference"] for r in rows])
    if not hops["random"]:
        return "Everything fits one tile, so no placement crosses a link."
    return (
        f"Learned placement crosses {100 * (hops['learned'] / hops['random'] - 1):+.1f} % links against random; "
        f"{100 * share:.0f} % of the energy is static and the same for all."
    )


def comparison_table(rows):
    """Mean and standard deviation over seeds for each placement."""
    table = []
    for placement in dict.fromkeys(row["placement"] for row in rows):
        own = [row for row in rows if row["placement"] == placement]
        entry = {"placement": placement, "seeds": len(own)}
        for key, label in (
            ("hops_per_inference", "hops"),
            ("link_load_max", "largest link load"),
            ("energy_dynamic_nj_per_inference", "dynamic energy [nJ]"),
            ("latency_us_per_inference", "latency [us]"),
        ):
            values = np.array([row[key] for row in own])
            entry[label] = f"{values.mean():.4g} ± {values.std():.2g}"
        entry["energies, times"] = ", ".join(own[0][key].split(":")[0] for key in ("energy_source", "time_source"))
        table.append(entry)
    return table
