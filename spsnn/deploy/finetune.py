"""Training with the weights and delays of a chip."""

from __future__ import annotations

from dataclasses import dataclass

from spsnn.deploy.copies import as_stored, plain_copy
from spsnn.deploy.stages import staged
from spsnn.errors import ConfigError
from spsnn.hwmap.remap import remap
from spsnn.models.graph import to_graph
from spsnn.training import TrainingConfig, evaluate, fit


@dataclass(frozen=True)
class FineTuned:
    """Result of `finetune`.

    Attributes:
        model: `SpSNN` whose weights are integers times a scale; the model that was given, if nothing was gained.
        trained: whether there was any training.
        improved: whether it gained accuracy on the validation set.
        loss_points: percentage points that were lost before, from float to mapped, on the validation set.
        before, after: accuracy on the validation set with the weights and delays of the chip, or None if not trained.
        history: of `spsnn.fit`.
        chip: ``Chip`` with the weights of ``model`` on the places that were trained for.
    """

    model: object
    trained: bool
    improved: bool
    loss_points: float
    before: float | None
    after: float | None
    history: list
    chip: object


def finetune(
    model, train, validation, config=None, target="loihi2", *, bound=0.5, move=True, chip=None, augment=None,
    on_epoch=None, on_batch=None, scale="spikes", **options,
):  # fmt: skip
    """Train on with weights and delays rounded to what a chip holds, if mapping loses too much.

    Forward, every weight is ``scale * integer`` and every delay a whole step that the chip can realise; backward, they
    count as not rounded (`Stored`).  Scales and placement are those of the chip made at the start and stay.

    Args:
        model: `SpSNN`; it is not changed.
        train: `SpikeBatch` with labels, or a data set.
        validation: the same; decides whether to train and which epoch is kept.  Rates are measured on it.
        config: `TrainingConfig`.
        target, scale, options: of ``spsnn.hwmap.compile``.
        bound: percentage points of accuracy from float to mapped that may be lost on the validation set without
            training; None trains in any case.
        move: let coordinates, delays and time constants train too; otherwise weights and biases alone.  With delays
            ``computed`` from coordinates these are held in any case.
        chip: ``Chip`` of this model to train for, in place of ``target``.
        augment, on_epoch, on_batch: of `spsnn.fit`.

    Returns:
        `FineTuned`.

    Raises:
        ConfigError: no validation set, or a negative bound.
        CapacityError: the network does not fit the target, or a fixed-point current leaves its register.
    """
    if validation is None:
        raise ConfigError("fine-tuning needs a validation set, which decides whether and how long to train")
    if bound is not None and not bound >= 0:
        raise ConfigError(f"bound is percentage points that may be lost, >= 0, or None; got {bound}")
    validation = getattr(validation, "events", validation)
    rows, chip = staged(model, validation, target, chip=chip, **({} if chip else {"scale": scale, **options}))
    lost = rows[-1]["loss_points"]
    if bound is not None and lost <= bound:
        return FineTuned(model, False, False, lost, None, None, [], chip)
    copy, move = plain_copy(model), move and chip.delay_mode != "computed"
    free = {id(p) for _, _, s in copy.synapses() for p in (s.weight,)} | {id(c.bias) for c in copy.currents}
    for p in copy.parameters():
        p.requires_grad_(p.requires_grad and (move or id(p) in free))
    with as_stored(copy, chip):
        before = evaluate(copy, validation)["accuracy"]
        history = fit(
            copy, train, validation, config or TrainingConfig(epochs=10), augment=augment, on_epoch=on_epoch,
            on_batch=on_batch,
        )  # fmt: skip
        after = evaluate(copy, validation)["accuracy"]
    for p, trainable in zip(copy.parameters(), _trainable(plain_copy(copy)), strict=True):
        p.requires_grad_(trainable)
    improved = after > before
    if not improved:
        return FineTuned(model, True, False, lost, before, after, history, chip)
    chip = remap(chip, to_graph(copy, validation, source=chip.network.activity_source, name=chip.network.name))
    return FineTuned(copy, True, True, lost, before, after, history, chip)


def _trainable(model):
    return [p.requires_grad for p in model.parameters()]
