"""Systems of several chips: mesh, borders, places, barrier."""

import numpy as np
import pytest

from spsnn.errors import ConfigError
from spsnn.hwmap import compile, load_target
from spsnn.hwmap.cost import barrier_ns, chips_used, split_hops
from spsnn.hwmap.cost.route import EAST, NORTH, SOUTH, WEST, xy_route
from spsnn.hwmap.place import block_of_slots

LINK = {"energy_chip_link_pj": 50.0, "time_chip_link_ns": 20.0}


def test_more_chips_make_a_larger_mesh():
    target = load_target("loihi2", chips=(3, 2), **LINK)
    assert (target.mesh_width, target.mesh_height, target.n_cores, target.n_chips) == (24, 8, 768, 6)
    assert target.chip_tiles == (8, 4)
    assert [int(target.chip_of_tile(*t)) for t in ((0, 0), (7, 3), (8, 0), (0, 4), (23, 7))] == [0, 0, 1, 3, 5]
    smaller = load_target(target, chips=(1, 1))
    assert (smaller.mesh_width, smaller.mesh_height, smaller.n_cores) == (8, 4, 128)


def test_every_chip_lacks_its_own_last_places():
    target = load_target("loihi2", chips=(2, 1), n_cores=240, **LINK)
    there = target.has_core(np.arange(256))
    assert there.sum() == 240
    x, y = target.tile_of_slot(np.arange(256))
    # 8 places fewer on each chip: the last two tiles of its top row.
    assert set(zip(x[~there].tolist(), y[~there].tolist(), strict=True)) == {(x, 3) for x in (6, 7, 14, 15)}


@pytest.mark.parametrize("chips", [(1, 1), (2, 1), (2, 2), (4, 2)])
def test_hops_and_links_against_walks(chips):
    target = load_target("mesh", mesh_width=8, mesh_height=4, chips=chips, **LINK)
    load, want, rng = np.zeros((4, 8, 4)), [0, 0, 0], np.random.default_rng(0)
    step = {EAST: (1, 0), WEST: (-1, 0), NORTH: (0, 1), SOUTH: (0, -1)}
    for _ in range(40):
        for x, y, way in xy_route(tuple(rng.integers((8, 4))), tuple(rng.integers((8, 4)))):
            load[y, x, way] += 1
            there = x + step[way][0], y + step[way][1]
            leaves = target.chip_of_tile(x, y) != target.chip_of_tile(*there)
            want[2 if leaves else int(way in (NORTH, SOUTH))] += 1
    assert split_hops(target, load) == tuple(want)


def test_static_power_of_chips_in_use(network):
    system = load_target("loihi2", chips=(4, 4), **LINK)
    one = compile(network, system).report()
    assert (one["chips_used"], one["chips_total"]) == (1, 16)
    wide = load_target("mesh", mesh_width=4, mesh_height=1, chips=(4, 1), **LINK)
    four = compile(network, wide, cores=4, placement="row_major")
    r = four.report()
    assert r["chips_used"] == 4 == chips_used(wide, four.routing)
    assert r["energy_static_nj"] == pytest.approx(4 * 104.0 * r["latency_us_per_inference"])
    assert r["count_chip_link"] > 0 and r["count_hop_ew"] == r["count_hop_ns"] == 0


@pytest.mark.parametrize(("cores", "chips"), [(33, 1), (128, 1), (129, 2), (257, 4), (512, 4)])
@pytest.mark.parametrize("port", [(0, 0), (7, 3), (12, 5)])
def test_cores_fill_as_few_chips_as_can_be(cores, chips, port):
    system = load_target("loihi2", chips=(2, 2), port=port, **LINK)
    slots = block_of_slots(system, cores)
    x, y = system.tile_of_slot(slots)
    assert len(slots) >= cores and len(np.unique(system.chip_of_tile(x, y))) == chips


def test_barrier_of_the_silicon_fit_and_beyond_a_chip():
    silicon = load_target("loihi1_silicon")
    assert [barrier_ns(silicon, n) for n in (1, 2, 3, 4, 29, 32)] == [600, 1000, 1200, 1400, 1800, 1800]
    system = load_target("loihi2", chips=(2, 1), **LINK)
    assert barrier_ns(system, 32) == 465
    assert barrier_ns(system, 63) == pytest.approx(465 + 352)


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("loihi2", {"chips": (2, 1)}, "energy_chip_link_pj and time_chip_link_ns.*--target-set"),
        ("loihi2", {"chips": (0, 1)} | LINK, "divide"),
        ("loihi2", {"chips": "two"} | LINK, "chips"),
        ("mesh", {"chips": (3, 1), "mesh_width": 8, "mesh_height": 8} | LINK, "divide the mesh"),
        ("loihi2", {"chips": (2, 1), "n_cores": 255} | LINK, "same number on each of 2 chips"),
        ("crossbar", {}, "energy_synaptic_op_pj.*load_target.*--target-set energy_synaptic_op_pj"),
        ("mesh", {"family": "crossbar"}, "crossbar_rows"),
        ("mesh", {"min_delay_steps": 64, "max_delay_steps": 63}, "min_delay_steps 64"),
        ("loihi1_silicon", {"barrier_between_ns": [[4, 1.0], [2, 1.0]]}, "rising"),
    ],
)
def test_errors(name, overrides, message):
    with pytest.raises(ConfigError, match=message):
        load_target(name, **overrides)
