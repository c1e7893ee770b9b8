"""Placement from the traffic alone: spectral coordinates, and quadratic assignment."""

from __future__ import annotations

import numpy as np
from scipy.optimize import quadratic_assignment
from scipy.sparse import diags_array
from scipy.sparse.linalg import eigsh

from spsnn.errors import CapacityError

# Quadratic assignment works on dense matrices; beyond this many places they and its time get out of hand.
MOST_QAP_PLACES = 2048
_MOST_2OPT_PLACES = 128


def spectral_coordinates(hyperedges, seed=0):
    """Coordinates of cores from their traffic ``[K, 2]``.

    The two eigenvectors of the smallest eigenvalues above zero of the generalised problem ``L u = lambda D u``, with
    ``L = D - W`` the Laplacian and ``W`` the messages between cores (Hall 1970).
    """
    k = hyperedges.n_cores
    pull = hyperedges.attraction[:k, :k]
    degree = np.asarray(pull.sum(1)).ravel()
    # A core without traffic would make the matrix singular.
    scale = 1 / np.sqrt(np.maximum(degree, 1e-9 * degree.max(initial=1e-300)))
    normal = diags_array(scale) @ pull @ diags_array(scale)
    if k <= 512:
        vectors = np.linalg.eigh(normal.toarray())[1][:, -3:]
    else:
        start = np.random.default_rng(seed).normal(size=k)
        shifted = normal + diags_array(np.ones(k))
        vectors = eigsh(shifted, k=3, which="LA", v0=start, tol=1e-4, maxiter=50 * k)[1]
    return np.pad(vectors[:, -2::-1], ((0, 0), (0, max(0, 3 - k))))[:, :2] * scale[:, None]


def qap(hyperedges, target, places, seed=0):
    """Quadratic assignment of messages to distances, blind to coordinates (FAQ, and 2-opt up to 128 places).

    Minimises the unicast hops ``sum_ij messages_ij |tile_i - tile_j|`` with the port held where it is (Vogelstein et
    al. 2015, as in scipy).

    Raises:
        CapacityError: more than ``MOST_QAP_PLACES`` places.
    """
    places = np.asarray(places)
    if len(places) > MOST_QAP_PLACES:
        raise CapacityError(
            f"placement 'qap' works on dense matrices of up to {MOST_QAP_PLACES} places, the network needs "
            f"{len(places)}: use 'learned+refine', 'spectral+refine' or 'force_directed'"
        )
    k, s = hyperedges.n_cores, len(places)
    flow = np.zeros((s + 1, s + 1))
    among = hyperedges.attraction.toarray()
    flow[:k, :k], flow[s, :k], flow[:k, s] = among[:k, :k], among[k, :k], among[:k, k]
    tiles = np.concatenate([np.stack(target.tile_of_slot(places), 1), [target.port]])
    distance = np.abs(tiles[:, None] - tiles[None]).sum(-1).astype(float)
    options = {"partial_match": np.array([[s, s]]), "rng": np.random.default_rng(seed)}
    found = quadratic_assignment(flow, distance, method="faq", options=options)
    if s <= _MOST_2OPT_PLACES:
        guess = np.stack([np.arange(s + 1), found.col_ind], 1)
        options["partial_guess"] = guess[:s]
        found = min(found, quadratic_assignment(flow, distance, method="2opt", options=options), key=lambda r: r.fun)
    return places[found.col_ind[:k]]
