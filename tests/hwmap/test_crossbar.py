"""Networks on crossbar tiles."""

from dataclasses import replace

import numpy as np
import pytest

from spsnn.errors import CapacityError, ConfigError
from spsnn.graph.network import Network, Population, Projection
from spsnn.hwmap import compile, load_target, read_layout


def tiles(rows=64, columns=16, **overrides):
    return load_target("crossbar", energy_synaptic_op_pj=1.0, crossbar_rows=rows, crossbar_columns=columns, **overrides)


@pytest.mark.parametrize("method", ["mtkahypar", "geometric"])
@pytest.mark.parametrize(("rows", "columns"), [(64, 16), (20, 64), (128, 128)])
def test_every_synapse_has_a_cell_and_no_cell_two(build, method, rows, columns):
    network = build(seed=1, sizes=(10, 30, 5))
    chip = compile(network, tiles(rows, columns), partition=method)
    parts, flat = chip.partition, chip.flat
    delays = np.concatenate(chip.integers.delays)
    projection = np.repeat(np.arange(len(network.projections)), np.diff(flat.bounds))
    tile = parts.synapse_core
    # A synapse is on its neuron's home or on a helper of it, at the row of its neuron, projection and delay.
    assert (parts.home[tile] == parts.core[flat.post]).all()
    cell = np.stack([tile, projection, flat.pre, delays, flat.post], 1)
    assert len(np.unique(cell, axis=0)) == len(cell)
    for k in range(parts.n_cores):
        used = np.unique(cell[tile == k][:, 1:4], axis=0)
        assert len(used) <= rows and len(used) == parts.tiles[k].rows
        assert (parts.core == k).sum() <= columns
    # A row lies on one tile of its home only, and helpers are as few as the rows allow.
    row_home = np.unique(np.concatenate([parts.core[flat.post][:, None], cell[:, 1:4]], 1), axis=0)
    on_tile = np.unique(np.concatenate([parts.home[tile][:, None], cell[:, :4]], 1), axis=0)
    assert len(row_home) == len(on_tile)
    homes = np.bincount(row_home[:, 0])
    assert parts.n_cores == sum(max(-(-n // rows), 1) for n in homes)
    assert (
        parts.reached
        == (np.bincount(flat.pre * parts.n_cores + tile, minlength=parts.reached.size) > 0).reshape(parts.reached.shape)
    ).all()
    r = chip.report()
    assert r["utilisation_cells_mean"] == pytest.approx(len(tile) / (parts.n_cores * rows * columns))
    assert r["utilisation_rows_max"] == max(t.rows for t in parts.tiles) / rows


def test_a_tile_is_full_at_its_rows_and_columns(build):
    # Limits of memory and axons that a tile does not have bind nothing, and no use above one is reported.
    small = {"synapse_memory_bits_per_core": 1, "axons_in_per_core": 1}
    report = compile(build(seed=1, sizes=(10, 30, 5)), tiles(**small)).report()
    used = {key for key in report if key.startswith("utilisation_") and key.endswith("_max")}
    assert used == {f"utilisation_{name}_max" for name in ("neurons", "axons_out", "rows", "columns", "cells")}
    assert all(0 < report[key] <= 1 for key in used)


def test_equal_delays_share_a_row():
    # 4 inputs to 3 neurons: one row for each input with one delay, one for each synapse with all delays different.
    pops = (Population("in", 4, "input", None, {}, np.ones(4)), Population("out", 3, "li"))
    for delay, rows in ((np.ones((4, 3)), 4), (np.arange(12).reshape(4, 3), 12)):
        network = Network(pops, (Projection.from_dense("in", "out", np.ones((4, 3)), delay),), 1.0, 20.0)
        chip = compile(network, tiles(), placement="row_major")
        assert [(t.rows, t.columns, t.cells) for t in chip.partition.tiles] == [(rows, 3, 12)]
        assert chip.report()["delay_storage_bits"] == (6 * rows)


def test_placement_routes_and_layout(build, tmp_path):
    network = build(seed=1, sizes=(10, 30, 5))
    chip = compile(network, tiles())
    assert chip.partition.n_cores > chip.report()["crossbar_tiles"] - chip.report()["crossbar_helper_tiles"]
    chip.export(tmp_path / "chip.h5")
    assert (read_layout(tmp_path / "chip.h5").arrays["synapse_core"] == chip.partition.synapse_core).all()
    assert chip.report()["count_merge"] > 0
    assert chip.report()["energy_synaptic_op_source"] == "user: override"
    assert "not counted: energy_merge_pj" in chip.report()["energy_source"]


def test_refusals(network):
    with pytest.raises(CapacityError, match=r"tiles of 1 x 4, 4 for its neurons .* n_cores 64"):
        compile(network, tiles(1, 4))
    with pytest.raises(CapacityError, match="axons_out_per_core is 1"):
        compile(network, tiles(axons_out_per_core=1))
    with pytest.raises(ConfigError, match=r"home tiles in 1\.\.16"):
        compile(network, tiles(), cores=17)
    with pytest.raises(ConfigError, match="delay_mode='stored'"):
        compile(network, tiles(), delay_mode="hop")
    with pytest.raises(ConfigError, match="unknown partition"):
        compile(network, tiles(), partition="best")


def test_one_chip_of_brainscales(network):
    still = replace(network, projections=tuple(replace(p, delay=0 * p.delay) for p in network.projections))
    r = compile(still, "brainscales2").report()
    # 20 steps of 1 us at 200 mW.
    assert (r["latency_us_per_inference"], r["energy_nj_per_inference"]) == (20.0, 4000.0)
    assert r["delays_clipped"] == 0
