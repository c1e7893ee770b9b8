"""Sections of the report: what a run and its chip look like."""

from __future__ import annotations

import numpy as np
import torch

from spsnn import __version__, models, pictures
from spsnn.cli.energy import energy_table
from spsnn.cli.rate_pages import rate_figures
from spsnn.hwmap.noc.result import TIMINGS
from spsnn.pictures import chip_pictures


def samples_of(data):
    """What a data set is indexed by: its events, or itself."""
    return getattr(data, "events", data)


def sample_trains(model, events, sample):
    """Spike trains of one sample through all populations, and the logits: for `pictures.raster`."""
    batch = events[sample]
    with torch.no_grad():
        output = model(batch)
    if not model.spiking:
        return [(name, s.times, s.units, s.n_units) for name, s in model.emit(batch)], output.logits[0].numpy()
    trains = [("input", batch.times, batch.units, batch.n_units)]
    names = [name for name, neuron in model.populations() if neuron is not None and neuron.spiking]
    for name, spikes in zip(names, output.spikes, strict=True):
        counts = spikes.counts()[0]
        times = spikes.times if model.settings.engine == "event" else spikes.steps * model.grid.dt
        trains.append((name, times, np.repeat(np.arange(len(counts)), counts), len(counts)))
    return trains, output.logits[0].numpy()


def raster_of(model, data, sample):
    """Raster picture of one sample with its true and predicted class."""
    events = samples_of(data)
    trains, logits = sample_trains(model, events, sample)
    label, prediction = (data.class_names[int(k)] for k in (events.labels[sample], logits.argmax()))
    duration = events.duration if model.spiking else model.settings.window
    return pictures.raster(trains, duration, label=label, prediction=prediction)


def model_section(name, model, data, history, metrics):
    """Section on training and on what was learned."""
    network = models.to_graph(model, name=name) if model.goes_to_chip else None
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
    ]  # fmt: skip
    if model.goes_to_chip:
        figures.append(("Spikes of the first test sample.", raster_of(model, data, 0)))
    if model.spiking:
        figures.append(("Synaptic delays that follow from the coordinates.",
                        pictures.delay_histogram(network, model.grid.dt)))  # fmt: skip
    else:
        figures += rate_figures(model, data)
    if model.spiking and len(model.points):
        figures.insert(1, ("Learned coordinates; a distance of 1 is alpha ms of delay.",
                           pictures.coordinates(network, strongest=100, unit="ms")))  # fmt: skip
    if network is not None and any(p.own_parameters() for p in network.populations):
        figures.append(("Parameters that every neuron has for itself.", pictures.neuron_histogram(network)))
    table = [
        ("test accuracy [%]", 100 * metrics["test_accuracy"]),
        *([("validation accuracy [%]", 100 * metrics["validation_accuracy"])] if validated else []),
        (chosen, metrics["best_epoch"]),
        ("trainable parameters", metrics["parameters"]),
        ("spikes per neuron and sample", metrics["spikes_per_neuron"]),
        ("training time [s]", metrics["seconds_train"]),
        ("layers", " - ".join(str(n) for n in model.sizes)),
    ]
    if model.spiking:
        table += [
            ("delays cut at max_delay, worst projection [%]", 100 * metrics["clipped_delays"]),
            ("space", f"{model.space.dim}-D, {model.space.metric.upper()}" if len(model.points) else "none"),
        ]
        grid = f"Step {model.grid.dt:g} ms, delays `{model.grid.delays}`"
        time = "Continuous time" if model.settings.engine == "event" else grid
    else:
        table += list(metrics.get("statistics", {}).items())
        time = f"Rate-coded model `{model.kind}`"
        if model.goes_to_chip:
            time += f"; an activity of 1 is sent as {model.settings.peak:g} spikes"
    text = f"{len(data)} test samples of `{data.name}`, {data.n_classes} classes. {time}, gradient `{model.estimator}`."
    return pictures.Section(f"{name}: training", text, table, tuple(figures))


_TIMED = (
    ("latency_us_per_inference", "latency per inference, mean [us]"),
    ("latency_us_per_inference_p95", "latency per inference, 95 % [us]"),
    ("latency_us_per_inference_max", "latency per inference, longest [us]"),
    ("latency_us_without_network", "latency without the network [us]"),
    ("message_latency_ns_mean", "latency per message, mean [ns]"),
    ("message_latency_ns_p99", "latency per message, 99 % [ns]"),
    ("link_utilisation_max", "time that the busiest link is in use, share"),
    ("throughput_inferences_per_s", "throughput [inferences/s]"),
    ("energy_nj_per_inference", "energy per inference [nJ]"),
    ("edp_nj_us", "energy-delay product [nJ us]"),
    ("headroom_factor", "factor by which messages may grow"),
    ("headroom_bottleneck", "what saturates first"),
    ("headroom_of", "the factor is relative to"),
    ("energy_source", "source of the energies"),
    ("time_source", "source of the timing"),
)


def write_map_page(path, name, chip, figures, shown):
    """One self-contained HTML page on a mapped network: figures with their sources, and the pictures.

    Args:
        path: file to write.
        name: of the network or its data.
        chip: `spsnn.hwmap.Chip`.
        figures: ``chip.report()`` and what was measured beside it.
        shown: pictures of `chip_pictures`.
    """
    energy, time = (figures[key].split(":")[0] for key in ("energy_source", "time_source"))
    cards = [
        ("Latency per inference", f"{figures['latency_us_per_inference']:.3g} µs", f"times {time}"),
        ("Energy per inference", f"{figures['energy_nj_per_inference'] / 1000:.3g} µJ", f"energies {energy}"),
        ("Cores", f"{figures['cores_used']} of {figures['cores_total']}", f"placement {figures['placement']}"),
    ]
    if "mapped_accuracy" in figures:
        before = f"{100 * figures['float_accuracy']:.1f} % before mapping"
        cards.insert(0, ("Accuracy as mapped", f"{100 * figures['mapped_accuracy']:.1f} %", before))
    return pictures.write_report(
        path,
        f"{name} on {chip.target.title}",
        [
            pictures.Section("On the chip", _assumptions(figures), chip_table(figures), tuple(shown.values())),
            *_timed_sections(figures),
            pictures.Section("Energy by component, with its source", "", energy_table(figures)),
            pictures.Section("What cores hold", "Share of each limit of a core.", use_table(figures)),
        ],
        cards=cards,
        subtitle=f"Delays {figures['delay_label']}.",
        meta={"spsnn": __version__, "seed": figures["seed"], "partition": figures["partition"]},
        badge="HYPOTHETICAL" if chip.hypothetical else None,
    )


def _timed_sections(figures):
    """Section on the recorded spikes that were timed, if any were."""
    sections = []
    for timing in TIMINGS:
        own = {k.removeprefix(f"{timing}_"): v for k, v in figures.items() if k.startswith(f"{timing}_")}
        if own:
            rows = [(words, own[key]) for key, words in _TIMED if own.get(key) is not None]
            text = f"{own['traces']} recorded inferences. {_assumptions(own, 'assumptions')}"
            sections.append(pictures.Section(f"Recorded spikes, timing model {timing}", text, rows))
    return sections


def _assumptions(figures, key="cost_assumptions"):
    text = figures[key]
    return f"{text[0].upper()}{text[1:]}."


def chip_table(figures):
    """Key figures of a mapped network with their sources."""
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
        ("hops per inference", figures["hops_per_inference"]),
        ("largest link load [spikes per inference]", figures["link_load_max"]),
        ("delays held at the nearest step [%]", figures["delay_exact_percent"]),
        ("mean delay error [steps]", figures["delay_error_mae_steps"]),
        ("delays cut by the chip", figures["delays_clipped"]),
    ]
    if "mapped_accuracy" in figures:
        table += [
            ("accuracy before mapping [%]", 100 * figures["float_accuracy"]),
            ("accuracy as mapped [%]", 100 * figures["mapped_accuracy"]),
        ]
    return table


def use_table(figures):
    """Use of every limited resource, for the fullest core and on average."""
    names = [key[len("utilisation_") : -len("_max")] for key in figures if key.startswith("utilisation_")
             and key.endswith("_max")]  # fmt: skip
    return [
        {
            "resource": name.replace("_", " "),
            "fullest core [%]": 100 * figures[f"utilisation_{name}_max"],
            "mean [%]": 100 * figures[f"utilisation_{name}_mean"],
        }
        for name in names
    ]


def chip_section(name, chip, figures, rows):
    """Sections on the mapped chip and on its placement against others."""
    shown = tuple(chip_pictures(chip).values())
    return [
        pictures.Section(f"{name}: on the chip", _assumptions(figures), chip_table(figures), shown),
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
