"""Bits that delays take on a chip against accuracy: stored, computed from coordinates, made by hops.

python benchmarks/delay_bits.py runs/yinyang/model.h5 runs/digits/model.h5 [--data-dir DIR] [--cores 32]
python benchmarks/delay_bits.py MODEL --modes computed --name NAME      # other rows stay those of the table NAME
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import common

import spsnn
from spsnn.cli import workflow
from spsnn.errors import ConfigError
from spsnn.hwmap import compile, load_target
from spsnn.hwmap import delays as delay_modes
from spsnn.hwmap.cost.route import synapse_hops
from spsnn.hwmap.delays.codes import SHARED_BY, coded_delays
from spsnn.hwmap.delays.hop_ticks import best_hop_ticks
from spsnn.hwmap.quantise import delay_error

TEXT = """
Networks as `spsnn map` takes them to {target}: {weight_bits}-bit weights, spike-weighted scale, learned placement; on
as few cores as hold them, for `hop` on {cores}. What differs is how a delay is held. Accuracy is that of the network
with the realised delays on the test set, **without any training after the rounding**; one trained network each. Before
mapping: {before}.

- `stored`: a code of so many bits with every synapse, incoming axon or neuron; codes stand for evenly spaced steps,
  with the first and the spacing of each projection chosen for the least spike-weighted squared error (these two numbers
  are not counted).
- `computed`: coordinates of so many bits with every neuron and every incoming axon; hypothetical on Loihi. Bias units
  have no delay and no place, and are counted as axons all the same.
- `hop`: so many residual bits with every synapse, on top of a whole number of steps for each hop, chosen for the least
  spike-weighted error: {ticks}; hypothetical on Loihi. Spikes of the host all enter at one tile.

"delay bits" are those of all delays, "total" adds the weights. "error" is the mean of |realised - wanted| over
synapses, in steps.
"""


MODES = ("stored", "computed", "hop")


def rows_of(path, target, cores, data_dir, modes=MODES, label=None):
    """``(name, float accuracy, hop ticks, rows)`` of a model file."""
    model = spsnn.load(path)
    data = workflow.load_split(workflow.data_of(model, path), "test", data_dir)
    network = spsnn.to_graph(model, data.events, source=f"{data.name} test")
    options = {"scale": "spikes", "placement": "learned" if len(model.points) else "row_major"}
    chip = compile(network, target, **options)
    synapses = sum(p.n_synapses for p in network.projections)
    axons, neurons = int(chip.partition.use["axons_in"].sum()), int(chip.partition.use["neurons"].sum())
    owners = {"synapse": synapses, "axon": axons, "neuron": neurons}
    rows, known = [], {}

    def add(mode, per, bits, delay_bits, delays, clipped):
        held_on = spread if mode == "hop" else chip
        key = b"".join(d.tobytes() for d in delays)
        if key not in known:
            held = spsnn.from_graph(model, chip.integers.with_delays(delays, clipped).network)
            known[key] = spsnn.evaluate(held, data.events)["accuracy"]
        error = delay_error(network, delays, clipped)
        rows.append({
            "delays": mode, "per": per, "bits": bits, "cores": held_on.partition.n_cores, "delay bits": delay_bits,
            "total": delay_bits + target.weight_bits * synapses, "error": error["delay_error_mae_steps"],
            "exact %": error["delay_exact_percent"], "accuracy %": f"{100 * known[key]:.1f}",
        })  # fmt: skip

    for per in SHARED_BY if "stored" in modes else ():
        for bits in range(7):
            add("stored", per, bits, bits * owners[per], *coded_delays(network, target, bits, per))
    try:
        laws = delay_modes.fit_delay_law(network)
    except ConfigError as error:
        print(f"{path}: no computed delays: {error}")
        laws = None
    for bits in range(2, 9) if laws and "computed" in modes else ():
        finer = target.model_copy(update={"coordinate_bits": bits})
        delays, clipped, coordinates, _ = delay_modes.computed_delays(network, finer, laws)
        dimension = next(iter(coordinates.values())).shape[1]
        add("computed", f"coordinate, {dimension}-D", bits, bits * dimension * (neurons + axons), delays, clipped)
    spread = compile(network, target, cores=min(cores, neurons), **options)
    hops = synapse_hops(spread.flat, target, spread.partition, spread.routing)
    ticks = best_hop_ticks(spread)
    for bits in range(5) if "hop" in modes else ():
        residual = target.model_copy(update={"hop_residual_bits": bits, "hop_ticks": ticks})
        delays, clipped, _ = delay_modes.hop_delays(network, residual, hops)
        add("hop", "synapse, residual", bits, bits * synapses, delays, clipped)
    sizes = " - ".join(map(str, model.sizes))
    name = f"{label}, {sizes}" if label else f"{data.name}, {sizes}, {Path(path).parent.name}"
    return name, spsnn.evaluate(model, data.events)["accuracy"], ticks, rows


def main():
    """Measure and write ``docs/results/delay_bits.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--target", default="loihi2")
    parser.add_argument("--cores", type=int, default=32)
    parser.add_argument("--data-dir")
    parser.add_argument("--name", default="delay_bits", help="name of the files under docs/results")
    parser.add_argument("--label", help="what the table calls data and network")
    parser.add_argument("--modes", nargs="*", default=MODES, choices=MODES, help="others are kept from the last run")
    options = parser.parse_args()
    file = common.RESULTS / f"{options.name}.json"
    kept = json.loads(file.read_text()) if len(options.modes) < len(MODES) else {}
    target, tables, before, ticks = load_target(options.target), {}, [], []
    for path in options.models:
        name, accuracy, chosen, rows = rows_of(
            path, target, options.cores, options.data_dir, options.modes, options.label
        )
        rows += [row for row in kept.get(name, []) if row["delays"] not in options.modes]
        tables[name] = sorted(rows, key=lambda row: MODES.index(row["delays"]))
        before.append(f"{100 * accuracy:.1f} % ({name})")
        ticks.append(f"{chosen} ({name})")
    text = TEXT.format(
        target=target.title, weight_bits=target.weight_bits, cores=options.cores, before=", ".join(before),
        ticks=", ".join(ticks),
    )  # fmt: skip
    common.write(options.name, "Bits of delays", text, tables)


if __name__ == "__main__":
    main()
