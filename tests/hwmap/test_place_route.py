"""Placement and routing laws."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spsnn.errors import ConfigError
from spsnn.graph.network import Network, Population, Projection
from spsnn.hwmap import compare_placements, compile, load_target
from spsnn.hwmap.cost.route import Route, route, xy_route
from spsnn.hwmap.partition import Partition
from spsnn.hwmap.place import block_of_slots, place, traffic, weighted_hops
from spsnn.hwmap.place.methods import _learned
from spsnn.hwmap.traffic.flat import Flat

tiles = st.tuples(st.integers(0, 7), st.integers(0, 3))


@given(a=tiles, b=tiles)
def test_xy_route_is_manhattan_and_unbroken(a, b):
    links = xy_route(a, b)
    assert len(links) == abs(a[0] - b[0]) + abs(a[1] - b[1])
    x, y = a
    for link_x, link_y, direction in links:
        assert (link_x, link_y) == (x, y)
        x, y = [(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)][direction]
    assert (x, y) == b
    turns = [direction >= 2 for *_, direction in links]
    assert turns == sorted(turns)  # x before y


@given(source=tiles, ends=st.lists(tiles, min_size=1, max_size=6, unique=True))
def test_multicast_route_is_a_tree(source, ends):
    links = Route(source, tuple(ends), 1.0).links()
    steps = [(1, 0), (-1, 0), (0, 1), (0, -1)]
    entered = [(x + steps[d][0], y + steps[d][1]) for x, y, d in links]
    assert len(set(entered)) == len(entered) and source not in entered  # each tile entered once: no loop
    assert set(ends) <= set(entered) | {source}
    assert len(links) <= sum(len(xy_route(source, end)) for end in ends)


def one_source_two_ends(multicast):
    """One neuron at (0, 0) that fires 5 times and reaches cores at (2, 0) and (2, 1)."""
    populations = (Population("a", 1, "lif", None, {}, np.array([5.0])), Population("b", 2, "li"))
    network = Network(populations, (Projection.from_dense("a", "b", np.ones((1, 2)), np.ones((1, 2))),), 1.0, 5.0)
    target = load_target("mesh", mesh_width=3, mesh_height=2, multicast=multicast)
    reached = np.array([[False, True, True], [False] * 3, [False] * 3])
    parts = Partition(np.array([0, 1, 2]), 3, {}, reached, 0)
    return route(Flat.of(network), target, parts, np.array([0, 2, 5]))


def test_multicast_shares_links():
    load = one_source_two_ends(True).link_load
    assert load.sum() == 5 * 3 and load[0, 0, 0] == load[0, 1, 0] == load[0, 2, 2] == 5


def test_unicast_sends_one_message_each():
    routing = one_source_two_ends(False)
    assert routing.link_load.sum() == 5 * 5 and routing.link_load[0, 0, 0] == 10
    assert (routing.hops_ew, routing.hops_ns) == (20.0, 5.0)


@pytest.mark.parametrize("name", ["loihi2", "mesh"])
@pytest.mark.parametrize("placement", ["learned", "random", "row_major"])
def test_hops_of_routes_match_hops_of_places(network, name, placement):
    # On a unicast mesh the link loads must add up to messages times Manhattan distance.
    chip = compile(network, load_target(name, multicast=False), placement=placement, cores=9)
    assert len(set(chip.slots.tolist())) == 9
    hops = weighted_hops(chip.slots, chip.target, traffic(chip.flat, chip.partition))
    assert chip.routing.link_load.sum() == pytest.approx(hops)
    assert chip.report()["hops_per_inference"] == pytest.approx(hops)


@pytest.mark.parametrize(("cores", "tiles_used"), [(1, 1), (4, 1), (5, 2), (16, 4), (17, 6), (128, 32)])
def test_block_at_the_port(cores, tiles_used):
    target = load_target("loihi2")
    slots = block_of_slots(target, cores)
    found = {target.tile_of_slot(s) for s in slots.tolist()}
    assert len(found) == tiles_used and (0, 0) in found and len(slots) >= cores


def test_block_skips_missing_cores():
    target = load_target("mesh", mesh_width=4, mesh_height=4, port=(3, 3), n_cores=15)
    assert set(block_of_slots(target, 15).tolist()) == set(range(15))


def clusters(dimension, seed=0):
    """16 clusters of 4 neurons on a 4 x 4 grid, each connected to the clusters beside it, cores in random order."""
    rng = np.random.default_rng(seed)
    centre = np.stack(np.meshgrid(np.arange(4), np.arange(4)), -1).reshape(-1, 2)
    cluster = rng.permutation(np.repeat(np.arange(16), 4))
    near = np.abs(centre[cluster][:, None] - centre[cluster][None]).sum(-1) == 1
    # Turned, stretched and moved: an affine fit must see through it.
    turn = np.array([[3.0, 1.0], [-1.0, 2.0]])
    positions = centre[cluster] @ turn + 7 + 0.01 * rng.normal(size=(64, 2))
    positions = positions @ np.linalg.qr(rng.normal(size=(dimension, dimension)))[0][:2]
    population = Population("net", 64, "lif", positions, {}, np.ones(64))
    projection = Projection.from_dense("net", "net", near * 1.0, near * 1.0, near)
    network = Network((population,), (projection,), 1.0, 10.0)
    names = rng.permutation(16)[cluster]
    flat = Flat.of(network)
    reached = np.stack([(near[:, names == c]).any(1) for c in range(16)], 1)
    return flat, Partition(names, 16, {}, reached, 0)


@pytest.mark.parametrize("dimension", [2, 3, 5])
def test_learned_placement_recovers_a_grid(dimension):
    flat, parts = clusters(dimension)
    target = load_target("mesh", mesh_width=4, mesh_height=4)
    messages = traffic(flat, parts)
    hops = {
        method: weighted_hops(place(flat, target, parts, method=method, seed=1), target, messages)
        for method in ("learned", "random", "row_major")
    }
    # 24 borders, both ways, 4 neurons each: every message crosses one link, and no placement can do better.
    assert hops["learned"] == messages.sum() == 24 * 2 * 4
    assert hops["learned"] < 0.6 * min(hops["random"], hops["row_major"])


@pytest.mark.parametrize("corner", [0, 3, 12, 15])
def test_learned_placement_turns_the_busiest_corner_to_the_port(corner):
    grid = np.stack(np.meshgrid(np.arange(4), np.arange(4)), -1).reshape(-1, 2).astype(float)
    slots = np.arange(16)
    target = load_target("mesh", mesh_width=4, mesh_height=4)
    messages = np.zeros((17, 16))
    messages[16, corner] = 10.0  # spikes of the host, all to one core
    placed = _learned(grid, slots, target, messages)
    assert target.tile_of_slot(placed[corner]) == target.port == (0, 0)


def test_learned_placement_on_a_line(build):
    chip = compile(build(dimension=1), "mesh", cores=6)
    assert len(set(chip.slots.tolist())) == 6


def test_placement_is_deterministic_under_a_seed(network):
    for placement in ("learned", "random"):
        first, second = (compile(network, placement=placement, cores=7, seed=4) for _ in range(2))
        np.testing.assert_array_equal(first.slots, second.slots)
    other = compile(network, placement="random", cores=7, seed=5)
    assert first.slots.tolist() != other.slots.tolist()


def test_compare_placements_is_paired(network):
    rows = compare_placements(network, "loihi2", seeds=[0, 1], cores=8, delay_mode="hop")
    assert [(r["placement"], r["seed"]) for r in rows] == [
        (p, s) for s in (0, 1) for p in ("learned", "random", "row_major")
    ]
    for row in rows:
        assert row["hypothetical"] and row["delay_label"] == "hop (hypothetical on loihi2)"
        assert row["energy_source"].startswith("inherited")
    with pytest.raises(ConfigError, match="at least one seed"):
        compare_placements(network, seeds=[])


def test_positions_of_different_dimension(network):
    mixed = tuple(replace(p, positions=p.positions[:, :1]) if p.kind == "li" else p for p in network.populations)
    with pytest.raises(ConfigError, match="one space"):
        compile(replace(network, populations=mixed))
