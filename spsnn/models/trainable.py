"""What `spsnn.fit` asks of a model beside its forward pass, with nothing to do by default."""

from __future__ import annotations


class Trainable:
    """Hooks of the training loop.

    Attributes:
        spiking: whether the model sends spikes; the settings of training that change spikes or delays need it.
        goes_to_chip: whether ``to_graph`` and ``emit`` make a network of places and its spikes, or refuse.
        holds_chip: whether this is a copy with weights of a chip that its parameters cannot express.
    """

    spiking = True
    goes_to_chip = True
    holds_chip = False

    def start_epoch(self, epoch, epochs):
        """Called before each epoch, ``0 <= epoch < epochs``: schedules set themselves here."""

    def penalty(self):
        """Term added to the loss of every batch."""
        return 0.0

    def finish_step(self, loss):
        """Called after each step of the optimiser with the loss of the batch: local learning rules act here."""

    def parameter_groups(self, config):
        """Groups of parameters for the optimiser, or None for those of a spiking network."""
        return None

    def statistics(self):
        """Figures of the last forward pass, ``{name: float}``."""
        return {}
