"""The few figures of a mapping that a person reads first; ``--json`` and the files of ``--out`` hold all of them."""

from __future__ import annotations

_FIGURES = {
    "float_accuracy": "accuracy before mapping",
    "mapped_accuracy": "accuracy as mapped",
    "neurons_on_chip": "neurons on the chip",
    "neuron_label": "kinds of neuron",
    "target_note": "about the target",
    "synapses": "synapses",
    "fan_in_relays": "relays for large fan-in",
    "cores_used": "cores used",
    "cores_total": "cores of the target",
    "partition": "partition",
    "partition_axons_percent": "axons that the partitioner saw, %",
    "placement": "placement",
    "delay_error_mae_steps": "mean delay error, steps",
    "delay_clipped_percent": "delays cut, %",
    "weight_error_relative_rms": "weight error, relative rms",
    "hops_per_inference": "hops per inference",
    "link_load_max": "messages on the busiest link",
    "energy_nj_per_inference": "energy per inference, nJ",
    "energy_dynamic_nj_per_inference": "of it dynamic, nJ",
    "latency_us_per_inference": "latency per inference, us",
    "edp_nj_us": "energy-delay product, nJ us",
    "throughput_inferences_per_s": "inferences per second",
}
_TIMED = {
    "latency_us_per_inference": "latency per inference, us",
    "latency_us_per_inference_p99": "latency per inference, 99th percentile, us",
    "message_latency_ns_p50": "latency of a message, median, ns",
    "message_latency_ns_p99": "latency of a message, 99th percentile, ns",
    "link_utilisation_max": "use of the busiest link",
    "headroom_realtime_factor": "activity can grow in real time by",
    "headroom_realtime_bottleneck": "until this saturates",
}
_SOURCES = {"energy_source": "energies", "time_source": "times", "activity_source": "activity"}


def mapping_summary(figures):
    """Size, accuracy, errors, cost and sources from `Chip.report` and `workflow.map_model`, with words for keys."""
    shown = {words: figures[key] for key, words in _FIGURES.items() if figures.get(key, "") != ""}
    limits = {key: v for key, v in figures.items() if key.startswith("utilisation_") and key.endswith("_max")}
    if limits:
        fullest = max(limits, key=limits.get)
        name = fullest.removeprefix("utilisation_").removesuffix("_max").replace("_", " ")
        shown[f"use of the scarcest resource, {name}"] = limits[fullest]
    for timing in ("queue", "noc"):
        for key, words in _TIMED.items():
            if f"{timing}_{key}" in figures:
                shown[f"{timing}: {words}"] = figures[f"{timing}_{key}"]
    return shown | {words: figures[key] for key, words in _SOURCES.items() if key in figures}
