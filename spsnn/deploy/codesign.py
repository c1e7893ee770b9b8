"""Network and placement made for each other: place, realise delays, fine-tune, place again."""

from __future__ import annotations

from dataclasses import dataclass

from spsnn import hwmap, models
from spsnn.deploy.finetune import finetune
from spsnn.errors import ConfigError
from spsnn.hwmap.delays.hop_ticks import best_hop_ticks
from spsnn.models.graph import to_graph
from spsnn.training import evaluate

FIGURES = (
    "hop_ticks", "cores_used", "delay_error_mae_steps", "delay_error_mae_spike_weighted_steps", "delay_exact_percent",
    "delay_storage_bits", "hops_per_inference", "energy_nj_per_inference", "latency_us_per_inference",
)  # fmt: skip


@dataclass(frozen=True)
class CoDesigned:
    """Result of `codesign`.

    Attributes:
        model: `SpSNN` of the best round on the validation set.
        chip: ``Chip`` of that round: its placement with the weights that were trained on it.
        history: of `spsnn.fit` in that round.
        rows: one dict for each round: ``round``, ``float_accuracy``, ``placed_accuracy`` (delays as realised, before
            training), ``tuned_accuracy`` (after), and the figures of the placed network before training.
    """

    model: object
    chip: object
    history: list
    rows: list


def codesign(
    model, train, validation, config=None, target="loihi2", *, rounds=2, delay_mode="hop", hop_ticks=None, move=True,
    scale="spikes", on_epoch=None, on_batch=None, augment=None, **options,
):  # fmt: skip
    """Place a network so that distances on the mesh are its delays, and train it for the delays that come out.

    Every round places the network by its coordinates, takes the delays that this placement realises, and trains with
    these and the integer weights while the placement is held.  With ``move`` the coordinates train too: residual bits
    follow them at once, the hops in the next round.

    Args:
        model: `SpSNN`; it is not changed.
        train, validation: `SpikeBatch` with labels, or data sets; accuracies and rates are those of ``validation``.
        config: `TrainingConfig` of each round.
        target, scale, options: of ``spsnn.hwmap.compile``.
        rounds: how often to place and train.
        delay_mode: ``hop``, or another mode to compare with.
        hop_ticks: steps that a hop holds a spike, or None: chosen on the first placement, `best_hop_ticks`.
        move: let coordinates and delays train.
        augment, on_epoch, on_batch: of `spsnn.fit`.

    Returns:
        `CoDesigned`.

    Raises:
        ConfigError: no rounds, no validation set, or an option that `spsnn.hwmap.compile` refuses.
    """
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise ConfigError(f"rounds must be a whole number >= 1, got {rounds!r}")
    if validation is None:
        raise ConfigError("co-design needs a validation set, which decides which round and epoch are kept")
    events = getattr(validation, "events", validation)
    target, best, rows = hwmap.load_target(target), None, []
    if hop_ticks is not None:
        target = hwmap.load_target(target, hop_ticks=hop_ticks)
    elif delay_mode == "hop":
        first = hwmap.compile(to_graph(model, events), target, delay_mode=delay_mode, scale=scale, **options)
        target = hwmap.load_target(target, hop_ticks=best_hop_ticks(first))
    for k in range(1, rounds + 1):
        network = to_graph(model, events)
        chip = hwmap.compile(network, target, delay_mode=delay_mode, scale=scale, **options)
        placed, before = chip.report() | {"hop_ticks": target.hop_ticks}, evaluate(model, events)["accuracy"]
        tuned = finetune(
            model, train, events, config, bound=None, move=move, chip=chip, on_epoch=on_epoch, on_batch=on_batch,
            augment=augment,
        )  # fmt: skip
        model, chip = tuned.model, tuned.chip
        after = evaluate(models.from_graph(model, chip.quantised), events)["accuracy"]
        rows.append(
            {"round": k, "float_accuracy": before, "placed_accuracy": tuned.before, "tuned_accuracy": after}
            | {name: placed[name] for name in FIGURES}
        )
        if best is None or after > best[0]:
            best = after, model, chip, tuned.history
    return CoDesigned(*best[1:], rows)
