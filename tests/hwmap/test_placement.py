"""Placement methods against brute force and independent counts."""

from itertools import permutations

import numpy as np
import pytest

from spsnn.errors import CapacityError, ConfigError
from spsnn.hwmap import compile, load_target, pareto
from spsnn.hwmap.cost.route import route, synapse_hops
from spsnn.hwmap.delays import hop_delays
from spsnn.hwmap.pareto import TERMS, dominated
from spsnn.hwmap.partition import Partition
from spsnn.hwmap.place import METHODS, arrange, block_of_slots, place
from spsnn.hwmap.place.curves import force_directed, hilbert, hilbert_places
from spsnn.hwmap.place.refine import Objective, _Search, refine
from spsnn.hwmap.traffic.flat import Flat
from spsnn.hwmap.traffic.hyperedges import Hyperedges

from .conftest import make_network
from .test_place_route import clusters


def mapped(seed, k, multicast, **mesh):
    """A random network on k cores of a small mesh, neurons to cores at random."""
    network = make_network(seed, sizes=(5, 24, 6), density=0.3)
    flat, rng = Flat.of(network), np.random.default_rng(seed)
    core = np.full(flat.n, -1)
    core[flat.on_chip] = rng.permutation(np.arange(len(flat.on_chip)) % k)
    reached = np.zeros((flat.n, k), bool)
    reached[flat.pre, core[flat.post]] = True
    target = load_target("mesh", multicast=multicast, **{"mesh_width": 4, "mesh_height": 3, "port": (1, 0)} | mesh)
    return network, flat, Partition(core, k, {}, reached, 0), target


def traffic_of(seed, k, density=0.6):
    """Random hyperedges of up to four cores."""
    rng = np.random.default_rng(seed)
    reach = [rng.choice(k, rng.integers(1, min(4, k) + 1), replace=False) for _ in range(int(4 * k * density))]
    indptr = np.concatenate([[0], np.cumsum([len(r) for r in reach])])
    source = rng.integers(0, k + 1, len(reach)).astype(np.int32)
    return Hyperedges(k, source, indptr, np.concatenate(reach).astype(np.int32), rng.uniform(0.1, 5, len(reach)))


@pytest.mark.parametrize("multicast", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_link_loads_are_those_of_the_routes(seed, multicast):
    _, flat, parts, target = mapped(seed, 7, multicast)
    slots = np.random.default_rng(seed).permutation(12)[:7]
    load = Hyperedges.of(flat, parts).link_load(target, slots)
    np.testing.assert_allclose(load, route(flat, target, parts, slots).link_load, rtol=1e-12, atol=1e-9)
    sums = np.array([0, 3, 5]), np.array([1, 1, 2]), np.array([2.5, 4.0, 1.0])
    load = Hyperedges.of(flat, parts, sums=sums).link_load(target, slots)
    np.testing.assert_allclose(load, route(flat, target, parts, slots, sums).link_load, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("multicast", [False, True])
@pytest.mark.parametrize("ticks", [1, 3])
@pytest.mark.parametrize("cores_per_tile", [1, 2])
def test_terms_kept_by_swaps_are_those_counted_from_routes_and_delays(multicast, ticks, cores_per_tile):
    from spsnn.kernels.cpu import placement as kernels

    network, flat, parts, target = mapped(
        3, 9, multicast, hop_ticks=ticks, hop_residual_bits=1, cores_per_tile=cores_per_tile
    )
    edges = Hyperedges.of(flat, parts, network=network)
    places = block_of_slots(target, 12)
    drawn = edges if multicast else edges.unicast()
    search = _Search(drawn, target, places[:9], places, Objective(1.0, 0.7, 0.3), 1)
    search.value()
    rng, swaps = np.random.default_rng(0), 0
    for _ in range(200):
        core, at = rng.integers(9), rng.integers(len(places))
        arrays = search.net, search.mesh, search.state, search.scratch, search.weights
        swaps += kernels.try_swap(*arrays, core, at, rng.normal(0, 40)) < np.inf
    assert 20 < swaps < 200
    kept, slots = search.state.total.copy(), places[search.state.place]
    assert len(set(slots.tolist())) == 9
    routing = route(flat, target, parts, slots)
    delays, _, _ = hop_delays(network, target, synapse_hops(flat, target, parts, routing))
    wanted = [np.rint(p.delay / network.dt) for p in network.projections]
    error = flat.rates[flat.pre] @ np.abs(np.concatenate(delays) - np.concatenate(wanted))
    np.testing.assert_allclose(kept, [routing.link_load.sum(), routing.link_load.max(), error], rtol=1e-9)
    assert edges.wanted.error(target, slots) == pytest.approx(error)


@pytest.mark.parametrize("multicast", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_refine_finds_the_best_of_all_placements(seed, multicast):
    target = load_target("mesh", mesh_width=3, mesh_height=2, multicast=multicast)
    edges, places = traffic_of(seed, 6), np.arange(6)
    objective = Objective(1.0, 0.5)

    def cost(slots):
        load = edges.link_load(target, slots)
        return objective.of(load.sum(), load.max(), 0.0)

    best = min(cost(np.array(p)) for p in permutations(range(6)))
    found = refine(edges, target, np.random.default_rng(seed).permutation(6), places, objective, seed=seed)
    assert cost(found) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(3))
def test_qap_is_close_to_the_best_of_all_placements(seed):
    target = load_target("mesh", mesh_width=3, mesh_height=2, multicast=False)
    edges = traffic_of(seed, 6)
    every = sorted(edges.link_load(target, np.array(p)).sum() for p in permutations(range(6)))
    found = edges.link_load(target, arrange(edges, target, method="qap", seed=seed)).sum()
    assert every[0] * (1 - 1e-12) <= found <= every[36]  # among the best twentieth


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("multicast", [False, True])
def test_refined_is_no_worse_and_equal_under_a_seed(method, multicast):
    _, flat, parts, target = mapped(2, 10, multicast)
    start = place(flat, target, parts, method=method, seed=3)
    found, again = (place(flat, target, parts, method=f"{method}+refine", seed=3) for _ in range(2))
    np.testing.assert_array_equal(found, again)
    assert len(set(found.tolist())) == 10 and set(found.tolist()) <= set(block_of_slots(target, 10).tolist())
    hops = [route(flat, target, parts, slots).link_load.sum() for slots in (start, found)]
    assert hops[1] <= hops[0] * (1 + 1e-12)
    if method == "random":
        assert hops[1] < 0.95 * hops[0]


def test_refine_fills_tiles_of_several_cores():
    # 64 pairs of cores that send to each other, on 32 tiles of 4: no spike needs to leave its tile.
    source = np.arange(128, dtype=np.int32)
    edges = Hyperedges(128, source, np.arange(129), source ^ 1, np.ones(128))
    target = load_target("loihi2")
    slots = arrange(edges, target, method="random+refine")
    assert sorted(slots) == list(range(128))
    assert edges.link_load(target, slots).sum() == 0


@pytest.mark.parametrize("method", ["spectral", "random+refine", "hilbert+refine"])
def test_methods_blind_to_coordinates_recover_a_grid(method):
    flat, parts = clusters(2)
    target = load_target("mesh", mesh_width=4, mesh_height=4)
    slots = place(flat, target, parts, method=method)
    assert route(flat, target, parts, slots).link_load.sum() == 24 * 2 * 4  # every message one link, see `clusters`


def test_objective_trades_hops_for_the_busiest_link():
    _, flat, parts, target = mapped(5, 12, False)
    hops, link = (
        route(flat, target, parts, place(flat, target, parts, method="random+refine", objective=o)).link_load
        for o in (Objective(1.0), Objective(0.01, 1.0))
    )
    assert link.max() < hops.max() and hops.sum() < link.sum()


@pytest.mark.parametrize("side", [1, 2, 4, 16])
def test_hilbert_curve_steps_from_tile_to_neighbour(side):
    y, x = np.mgrid[:side, :side].reshape(2, -1)
    index = hilbert(x, y, side)
    assert sorted(index) == list(range(side * side))
    order = np.argsort(index)
    assert (np.abs(np.diff(x[order])) + np.abs(np.diff(y[order])) == 1).all()


def test_hilbert_fills_tiles_one_after_the_other():
    target = load_target("loihi2")
    places = hilbert_places(np.arange(128), target)
    assert sorted(places) == list(range(128))
    tiles = places.reshape(32, 4) // 4
    assert (tiles == tiles[:, :1]).all()  # 8 x 4 tiles of 4 cores: half of a square curve, still unbroken
    x, y = target.tile_of_slot(places[::4])
    assert (np.abs(np.diff(x)) + np.abs(np.diff(y)) == 1).all()


def test_force_directed_ends_without_tension():
    target, edges = load_target("mesh", mesh_width=4, mesh_height=4, multicast=False), traffic_of(1, 14)
    places = np.arange(16)
    start = hilbert_places(places, target)[:14]
    slots = force_directed(edges, target, start, places)
    hops = edges.link_load(target, slots).sum()
    assert hops < edges.link_load(target, start).sum()
    for a in range(16):
        for b in (a + 1 if a % 4 < 3 else None, a + 4 if a < 12 else None):
            if b is not None:
                swapped = np.where(slots == a, b, np.where(slots == b, a, slots))
                assert edges.link_load(target, swapped).sum() >= hops - 1e-6


def test_sample_keeps_what_every_core_sends():
    edges = traffic_of(0, 30, density=20)
    drawn = [edges.sample(600, seed) for seed in range(200)]
    assert all(400 < len(d.cores) < 800 for d in drawn)
    sent = lambda e: np.bincount(e.source, e.spikes, 31)  # noqa: E731
    for d in drawn[:5]:
        np.testing.assert_allclose(sent(d), sent(edges))
    target, slots = load_target("mesh"), np.arange(30)
    hops = [d.link_load(target, slots).sum() for d in drawn]
    whole = edges.link_load(target, slots).sum()
    assert abs(np.mean(hops) - whole) < 4 * np.std(hops) / np.sqrt(len(hops)) and np.std(hops) < 0.1 * whole


@pytest.mark.parametrize("k", [300, 2500])
def test_large_clouds_are_matched_to_the_mesh(k):
    # A grid of cores turned by 30 degrees, each sending to its neighbours along x; matched by assignment and by rank.
    side = int(np.sqrt(k))
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2).astype(float)
    turn = np.array([[np.cos(np.pi / 6), -np.sin(np.pi / 6)], [np.sin(np.pi / 6), np.cos(np.pi / 6)]])
    source = np.flatnonzero(grid[:, 0] < side - 1).astype(np.int32)
    edges = Hyperedges(side**2, source, np.arange(len(source) + 1), source + 1, np.ones(len(source)), grid @ turn.T)
    target = load_target("mesh", mesh_width=side, mesh_height=side, port=(0, 0))
    slots = arrange(edges, target, method="learned")
    assert sorted(slots) == list(range(side**2))
    assert edges.link_load(target, slots).sum() == len(source)


def test_pareto_front(build):
    network = build(sizes=(4, 16, 4), density=0.3)
    options = {"target": "mesh", "cores": 8, "divisions": 1}
    rows = pareto(network, **options)
    assert rows == pareto(network, **options)
    assert [row["weights"] for row in rows[:2]] == [None, (1.0, 0.0, 0.0)] and len(rows) == 4
    assert all("hypothetical" in row["delay_label"] for row in rows)
    by = {row["weights"]: row for row in rows}
    for at, term in enumerate(TERMS):
        alone = by[tuple(float(i == at) for i in range(3))]
        assert alone[term] <= min(row[term] for row in rows) * 1.1 and alone[term] < rows[0][term]
    assert rows[0]["dominated"] or not any(all(row[t] <= rows[0][t] for t in TERMS) for row in rows[1:])
    stored = pareto(network, **options, delay_mode="stored")
    assert len(stored) == 3 and all(row["delay_error_per_inference"] == 0 for row in stored)
    assert pareto(network, **options, placement="learned+refine") == rows
    with pytest.raises(ConfigError, match="divisions >= 1"):
        pareto(network, divisions=0)
    with pytest.raises(ConfigError, match=r"placement='hilbert' leaves out; take placement='hilbert\+refine'"):
        compile(network, "mesh", placement="hilbert", objective=Objective(hops=0.0, link=1.0))


def test_dominated():
    points = [(1, 5), (2, 2), (2, 3), (5, 1), (2, 2)]
    assert dominated(points).tolist() == [False, False, True, False, False]


def test_hop_mode_weighs_delay_error(build):
    network = build(sizes=(5, 30, 5), density=0.3)
    report = {
        o: compile(network, "mesh", cores=12, delay_mode="hop", placement="learned+refine", objective=o).report()
        for o in (None, Objective(1.0))
    }
    assert report[None]["hops_per_inference"] > report[Objective(1.0)]["hops_per_inference"]


def test_errors():
    target, edges = load_target("mesh", mesh_width=50, mesh_height=50), Hyperedges.empty(2400)
    with pytest.raises(CapacityError, match=r"2048 places.*force_directed"):
        arrange(edges, target, method="qap")
    with pytest.raises(ConfigError, match="spectral"):
        arrange(edges, target, method="learned")
    with pytest.raises(ConfigError, match="do not fit the 64 places"):
        arrange(edges, load_target("mesh"), method="random")
    with pytest.raises(ConfigError, match="not all 0"):
        Objective(0.0)
    with pytest.raises(ConfigError, match="wanted delays"):
        arrange(traffic_of(0, 6), load_target("mesh"), method="random+refine", objective=Objective(delay=1.0))
    with pytest.raises(ConfigError, match="sweeps >= 0"):
        arrange(traffic_of(0, 6), load_target("mesh"), method="random+refine", sweeps=-1)
