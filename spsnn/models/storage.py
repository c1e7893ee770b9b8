"""What a network takes to store, numbers and indices apart."""

from __future__ import annotations

import math
from numbers import Real


def storage_of(model):
    """Numbers of a trained `SpSNN`, trainable or not, and the index of its kept synapses.

    Returns:
        ``weights`` of kept synapses; ``coordinates``; ``delays`` (one per kept synapse or per axon, 0 where coordinates
        give them); ``delay_scales`` (alpha of each projection with coordinates); ``neuron_parameters`` (constants of
        the populations after the input, and biases; normalisation folds into weights); ``numbers``, their sum.

        The index is that of compressed rows, for projections with pruned synapses alone: ``indices``, one target of
        ``ceil(log2 J)`` bits per kept synapse, and a bound of each row, of ``ceil(log2(E + 1))`` bits for E synapses;
        ``index_bits`` is all that.  ``mask_bits``, one bit per possible synapse, is the alternative.
    """
    kept = {"weights": 0, "delays": 0, "delay_scales": 0}
    index = {"indices": 0, "index_bits": 0, "mask_bits": 0}
    for _, _, synapse in model.synapses():
        n = int(synapse.mask.sum())
        kept["weights"] += n
        kept["delays"] += n * (len(synapse.per_synapse()) - 1)
        if hasattr(synapse, "delay") and synapse.delay.ndim == 1:
            kept["delays"] += len(synapse.delay)
        kept["delay_scales"] += hasattr(synapse, "log_alpha")
        if n < synapse.mask.numel():
            index["indices"] += n
            index["index_bits"] += n * _bits(synapse.n_post) + (synapse.n_pre + 1) * _bits(n + 1)
            index["mask_bits"] += synapse.mask.numel()
    numbers = {
        **kept,
        "coordinates": sum(points.position.numel() for points in model.points),
        "neuron_parameters": sum(_constants(neuron) for _, neuron in model.populations()[1:])
        + sum(len(current.bias) for current in model.currents)
        + sum(raw.numel() for neurons in model.neurons for raw in neurons.raw.values()),
    }
    return {**numbers, "numbers": sum(numbers.values()), **index}


def _bits(n):
    """Bits that tell ``n`` values apart."""
    return math.ceil(math.log2(n)) if n > 1 else 0


def _constants(neuron):
    if not neuron.spiking:
        return 2  # tau_mem and tau_syn; no threshold, no reset
    return sum(isinstance(v, Real) and not isinstance(v, bool) for v in neuron.parameters().values())
