"""From float to chip: accuracy stage by stage, and what fine-tuning wins back, also for delays made by hops.

python benchmarks/quantisation.py runs/yinyang runs/digits [--data-dir DIR]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import common

import spsnn
from spsnn import deploy
from spsnn.cli import workflow
from spsnn.cli.config import read_config
from spsnn.hwmap import load_target
from spsnn.hwmap.quantise.scales import METHODS

BITS = (8, 5, 4, 3, 2)
TEXT = """
Trained runs of the shipped configurations (one seed) on Loihi 2, delays stored unless said otherwise. Accuracies in %
are those of the **test** set where a column does not say validation; epochs and rounds are chosen on validation data.

- Stages: weights rounded; delays rounded too; the neurons as the fixed-point LIF of Loihi. "moved" is the squared van
  Rossum distance of all spike trains to those of the float network (tau = tau_syn), over that of these to silence.
- Fine-tuning: {epochs} epochs with a third of the run's learning rates, spike-weighted scale. "lost" is what
  mapping loses on the validation set, in points.
- Hop delays: {residual} residual bits, {cores} cores, 8-bit weights, {epochs} epochs a round with the run's learning
  rates; the placement is learned, and held while training. Hypothetical on Loihi.
"""


def stages_of(model, sets):
    """Rows of all bits and scales."""
    rows = []
    for bits in BITS:
        for scale in METHODS:
            found, _ = deploy.staged(model, sets["test"].events, load_target("loihi2", weight_bits=bits), scale=scale)
            by = {row["stage"]: row for row in found}
            rows.append({
                "weight bits": bits, "scale": scale,
                **{name: _percent(by[name]["accuracy"]) for name in ("float", "weights", "delays", "fixed")},
                **{f"moved, {name}": by[name]["spike_distance_relative"] for name in ("weights", "delays", "fixed")},
            })  # fmt: skip
    return rows


def tuned(model, sets, settings, augment):
    """Rows of fine-tuning, by bits, weights alone and with coordinates."""
    rows = []
    for bits in BITS:
        target = load_target("loihi2", weight_bits=bits)
        before, _ = deploy.staged(model, sets["test"].events, target, scale="spikes")
        for move in (False, True):
            result = deploy.finetune(model, sets["train"], sets["validation"], settings, target, bound=None, move=move,
                                     augment=augment)  # fmt: skip
            after, _ = deploy.staged(result.model, sets["test"].events, target, scale="spikes")
            rows.append({
                "weight bits": bits, "trained": "weights, coordinates" if move else "weights",
                "lost, validation": f"{result.loss_points:.1f}", "float": _percent(before[0]["accuracy"]),
                "fixed, before": _percent(before[-1]["accuracy"]), "fixed, after": _percent(after[-1]["accuracy"]),
                "validation, before": _percent(result.before), "validation, after": _percent(result.after),
            })  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def designed(model, sets, settings, augment, cores):
    """Rows of rounds of co-design, weights alone and with coordinates."""
    rows = []
    for move in (False, True):
        result = deploy.codesign(model, sets["train"], sets["validation"], settings, "loihi2", rounds=3, move=move,
                                 augment=augment, cores=cores)  # fmt: skip
        test = spsnn.evaluate(spsnn.from_graph(result.model, result.chip.quantised), sets["test"].events)["accuracy"]
        best = max(row["tuned_accuracy"] for row in result.rows)
        kept = next(row["round"] for row in result.rows if row["tuned_accuracy"] == best)
        for row in result.rows:
            rows.append({
                "trained": "weights, coordinates" if move else "weights", "round": row["round"],
                "steps a hop": row["hop_ticks"], "error": row["delay_error_mae_steps"],
                "hops": row["hops_per_inference"], "validation, placed": _percent(row["placed_accuracy"]),
                "validation, tuned": _percent(row["tuned_accuracy"]),
                "test, round kept": _percent(test) if row["round"] == kept else "",
            })  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def _percent(accuracy):
    return f"{100 * accuracy:.1f}"


def main():
    """Measure and write ``docs/results/quantisation.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--data-dir")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--cores", type=int, default=32)
    parser.add_argument("--name", default="quantisation", help="name of the files under docs/results")
    options = parser.parse_args()
    tables = {}
    for run in options.runs:
        config, model = read_config(run / "config.yaml"), spsnn.load(run / "model.h5")
        sets = {s: workflow.load_split(config.data, s, options.data_dir) for s in ("train", "validation", "test")}
        augment, t = workflow.make_augment(config.augment), config.training
        whole = replace(t, epochs=options.epochs, slope_start=None, select="best")
        third = replace(whole, lr=t.lr / 3, position_lr=None if t.position_lr is None else t.position_lr / 3)
        name = f"{config.data.name} ({run.name}), {' - '.join(map(str, model.sizes))}"
        tables[f"{name}: stages"] = stages_of(model, sets)
        tables[f"{name}: fine-tuning"] = tuned(model, sets, third, augment)
        tables[f"{name}: hop delays"] = designed(model, sets, whole, augment, options.cores)
    residual = load_target("loihi2").hop_residual_bits
    text = TEXT.format(epochs=options.epochs, cores=options.cores, residual=residual)
    common.write(options.name, "From float to chip", text, tables)


if __name__ == "__main__":
    main()
