"""The weight of one integer unit: the largest weight's, or the one that loses least."""

from __future__ import annotations

import numpy as np

from spsnn.errors import ConfigError, DataError

METHODS = ("max", "mse", "spikes")
_RATIOS = np.linspace(1.0, 0.1, 91)  # shares of the largest weight at which weights are cut
_FINE = np.linspace(-0.01, 0.01, 41)  # then, around the best of them
_EXACT = 1e-6  # of the largest weight: float32 weights that were whole multiples of one unit
_PROBE = 64


def population_scales(network, top, method="max"):
    """Scale of every population, for integers in ``-top..top``.

    All synapses into one population are compared with one threshold, so they share one scale ``s``:

        max      s = max |w| / top
        mse      s minimises  sum_k (w_k - s q_k)^2,             q_k = clip(round(w_k / s), -top, top)
        spikes   s minimises  sum_k r_k (w_k - s q_k)^2,         r_k = spikes per inference of the source of synapse k

    The last is, but for a constant, the expected squared error of the summed input of independent Poisson sources.  The
    minimum is searched over shares of ``max |w|`` at which weights are cut; for given integers it has the closed form
    ``s = sum r w q / sum r q^2``, which is taken in each trial.  Weights that are whole multiples of one unit already,
    as they are after quantisation, keep it, whatever the method: they are quantised without loss.

    Args:
        network: ``spsnn.graph.Network``.
        top: largest integer.
        method: ``max``, ``mse`` or ``spikes``.

    Returns:
        ``{population: scale}``; 1 for one without a non-zero weight.

    Raises:
        ConfigError: unknown method.
        DataError: ``spikes`` without measured rates.
    """
    if method not in METHODS:
        raise ConfigError(f"weight scale must be one of {', '.join(METHODS)}, got {method!r}")
    scales = {}
    for population in network.populations:
        into = [p for p in network.projections if p.post == population.name and p.n_synapses]
        weight = np.concatenate([np.zeros(0)] + [p.weight for p in into])
        importance = _importance(network, into) if method == "spikes" else np.ones(len(weight))
        scales[population.name] = find_scale(weight, importance, top, method)
    return scales


def find_scale(weight, importance, top, method):
    """Scale of weights ``[n]`` that share one; their errors count ``importance [n]``."""
    largest = float(np.abs(weight).max(initial=0.0))
    if not largest:
        return 1.0
    exact = _exact_scale(weight, largest, top)
    if exact is not None:
        return exact
    if method == "max":
        return largest / top
    trials = [_trial(weight, importance, ratio * largest / top, top) for ratio in _RATIOS]
    middle = _RATIOS[np.argmin([error for error, _ in trials])]
    trials += [_trial(weight, importance, (middle + shift) * largest / top, top) for shift in _FINE]
    return min(trials)[1]


def _trial(weight, importance, scale, top):
    """Error of the best scale for the integers that ``scale`` gives, and that scale."""
    q = to_integers(weight, scale, top)
    power = importance @ q**2
    best = float(importance @ (weight * q) / power) if power > 0 else 0.0
    scale = best if best > 0 else scale
    return float(importance @ (weight - scale * to_integers(weight, scale, top)) ** 2), scale


def to_integers(weight, scale, top):
    """``clip(round(weight / scale), -top, top)`` as floats."""
    return np.clip(np.rint(weight / scale), -top, top)


def _exact_scale(weight, largest, top):
    """The unit of weights that are whole multiples of ``largest / k``, for the largest such ``k <= top``, or None."""
    if top > 2**15:
        return None
    probe = weight[:: max(len(weight) // _PROBE, 1)]
    k = np.arange(top, 0, -1)
    times = probe[:, None] / largest * k
    for candidate in k[(np.abs(times - np.rint(times)) <= _EXACT * k).all(0)]:
        times = weight / largest * candidate
        if (np.abs(times - np.rint(times)) <= _EXACT * candidate).all():
            return largest / int(candidate)
    return None


def _importance(network, projections):
    rates = []
    for p in projections:
        if network[p.pre].rates is None:
            raise DataError(
                f"weight scale 'spikes' needs measured rates of {p.pre!r}; measure them (to_graph(model, events)) or "
                "take 'mse'"
            )
        rates.append(np.asarray(network[p.pre].rates, np.float64)[p.sources])
    rates = np.concatenate([np.zeros(0), *rates])
    return rates if rates.sum() > 0 else np.ones(len(rates))
