"""``spsnn finetune``: train on for what a chip holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
import yaml

from spsnn.cli import console
from spsnn.cli.app import Cores, DataDir, DelayMode, Json, Partition, Placement, Scale, Target
from spsnn.cli.studies import app
from spsnn.cli.targets import Sets, read_target
from spsnn.errors import ConfigError


@app.command(epilog="Example:  spsnn finetune runs/digits --target-set weight_bits=4 --out runs/digits4")
def finetune(
    run: Annotated[Path, typer.Argument(help="Folder of a run, written by 'spsnn train'.")],
    out: Annotated[Path, typer.Option(help="Folder of the fine-tuned run.")],
    target: Target = "loihi2",
    target_set: Sets = [],  # noqa: B006
    bound: Annotated[
        float, typer.Option(help="Points of validation accuracy that mapping may lose without training.")
    ] = 0.5,
    epochs: Annotated[int, typer.Option(help="Passes over the training data, in each round.")] = 10,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate of the weights; default a third of the run's.")
    ] = None,
    move: Annotated[bool, typer.Option("--move/--hold", help="Train coordinates and delays too, or hold them.")] = True,
    delay_mode: DelayMode = "stored",
    rounds: Annotated[int, typer.Option(help="How often to place and train; for delays made by the placement.")] = 1,
    placement: Placement = "learned",
    partition: Partition = "auto",
    cores: Cores = None,
    scale: Scale = "spikes",
    data_dir: DataDir = None,
    as_json: Json = False,
):
    """Train on with the integer weights and whole-step delays of a chip, if mapping loses more than a bound."""
    from spsnn import deploy, models
    from spsnn.cli import workflow
    from spsnn.cli.config import read_config
    from spsnn.models.rate.base import require_spikes

    if (out / "model.h5").exists():
        raise ConfigError(f"{out} already holds a run; choose another folder with --out")
    config = read_config(run / "config.yaml")
    model = models.load(run / "model.h5")
    require_spikes(model, "fine-tuning for a chip")
    chosen = read_target(target, target_set)
    if config.data.validation is None:
        raise ConfigError(f"{run} was trained without a validation set, which decides how long to fine-tune")
    sets = {split: workflow.load_split(config.data, split, data_dir) for split in ("train", "validation", "test")}
    old = config.training
    lr = old.lr / 3 if lr is None else lr
    places = None if old.position_lr is None else old.position_lr * lr / old.lr
    training = replace(old, epochs=epochs, lr=lr, position_lr=places, slope_start=None, select="best")
    options = {"move": move, "delay_mode": delay_mode, "placement": placement, "partition": partition, "cores": cores,
               "scale": scale, "augment": workflow.make_augment(config.augment)}  # fmt: skip
    with console.training_progress(epochs * rounds, config.data.name) as (on_epoch, on_batch):
        options |= {"on_epoch": on_epoch, "on_batch": on_batch}
        if rounds == 1:
            tuned = deploy.finetune(model, sets["train"], sets["validation"], training, chosen, bound=bound, **options)
            made = {"lost_points": tuned.loss_points, "trained": tuned.trained, "improved": tuned.improved,
                    "before": tuned.before, "after": tuned.after}  # fmt: skip
            history, net, chip = tuned.history, tuned.model, tuned.chip
        else:
            tuned = deploy.codesign(
                model, sets["train"], sets["validation"], training, chosen, rounds=rounds, **options
            )
            made, history, net, chip = {"rounds": tuned.rows}, tuned.history, tuned.model, tuned.chip
    _write(replace(config, training=training), run, out, model, net, chip, sets, history, made)
    console.show(f"Fine-tuned {config.data.name}; files in {out}", made, as_json)
    if "rounds" in made and not as_json:
        shown = {"round": "round", "hop_ticks": "steps a hop", "delay_error_mae_steps": "delay error",
                 "placed_accuracy": "placed", "tuned_accuracy": "tuned"}  # fmt: skip
        rows = [{label: row[key] for key, label in shown.items()} for row in made["rounds"]]
        console.show_rows("Rounds, accuracy on the validation set", rows)


def _write(config, run, out, model, net, chip, sets, history, made):
    """Files of a run; where nothing was gained, those of the run it started from."""
    from spsnn import models
    from spsnn.cli import workflow
    from spsnn.training import evaluate

    if net is model:
        history, metrics = (json.loads((run / f"{name}.json").read_text()) for name in ("history", "metrics"))
        text = (run / "config.yaml").read_text()
    else:
        metrics = workflow.summarise(config, net, history, sets)
        text = yaml.safe_dump(config.as_dict(), sort_keys=False)
    made["mapped_test_accuracy"] = evaluate(models.from_graph(net, chip.quantised), sets["test"].events)["accuracy"]
    metrics["finetuning"] = {
        **made,
        "from": str(run),
        "target": chip.target.name,
        "weight_bits": chip.target.weight_bits,
    }
    workflow.write_text(out / "config.yaml", text)
    models.save(net, out / "model.h5", metrics=metrics, provenance=model.provenance)
    chip.export(out / "layout.json")
    workflow.write_json(out / "history.json", history)
    workflow.write_json(out / "metrics.json", metrics)
