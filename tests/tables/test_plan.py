"""Tables: every shipped row builds, protocols are what they say, and what is wrong is named before anything runs."""

import pytest
import torch

from spsnn import ConfigError, Euclidean
from spsnn.cli.config import SECTIONS, read_config
from spsnn.cli.folds import parse_folds
from spsnn.tables.plan import matched_scale, read_table, shipped_tables
from spsnn.tables.robustness import check_damage


@pytest.mark.parametrize("name", shipped_tables())
def test_every_row_of_a_shipped_table_builds(name):
    table = read_table(name)
    if any("sparsity." in text for row in table.rows.values() for text in row.set) and "sparsity" not in SECTIONS:
        pytest.skip("configurations have no section 'sparsity'")
    check_damage(table.damage)
    runs = table.runs()
    assert len(runs) == table.seeds * len(table.rows)
    assert len({run.folder for run in runs}) == len(runs)
    for run in runs:
        start = run.seed + 1000 * any(row.positions_from == run.row.name for row in table.rows.values())
        assert (run.config.model.seed, run.config.training.seed) == (start, run.seed)
        retrained = table.protocol == "retrain"
        assert (run.config.data.validation is None) == retrained
        assert run.config.training.select == ("last" if retrained else "best")
        if retrained and "half" not in run.row.name:
            assert run.config.data.train.get("hold_out", []) == []


def test_the_dimension_tables_have_the_rows_that_they_promise():
    kinds = {"none", "axonal", "per synapse", "1-D", "2-D", "3-D", "4-D", "5-D"}
    assert set(read_table("dimensions-yinyang").rows) == kinds
    table = read_table("dimensions-shd")
    assert set(table.rows) == {f"{kind}/{hidden}" for kind in kinds for hidden in (30, 100, 256)}
    assert ["2-D/100", "per synapse/100"] in table.compare
    config = table.configuration(table.rows["5-D/100"], seed=1)
    assert (config.space.dim, config.hidden) == (5, [100])
    none = table.configuration(table.rows["none/30"], seed=0)
    assert (none.model.delay, none.hidden) == ("none", [30])


def test_speakers_of_transfer_do_not_overlap():
    table = read_table("transfer")
    first, second = (
        table.configuration(table.rows[name], 0).data.train["hold_out"]
        for name in ("first half (source)", "second half, random, learned")
    )
    assert sorted(first + second) == [0, 1, 2, 3, 6, 7, 8, 9, 10, 11]


def test_matched_scales_give_equal_mean_distances():
    generator = torch.Generator().manual_seed(0)
    means = []
    for dim in (1, 2, 3, 5):
        scale = matched_scale(10.0, 2, dim)
        p, q = (Euclidean(dim).initial(200_000, scale, generator=generator) for _ in range(2))
        means.append(float((p - q).norm(dim=1).mean()))
    assert means == pytest.approx([10 * torch.pi**0.5] * 4, rel=0.01)
    assert matched_scale(10.0, 2, 2) == 10.0
    assert matched_scale(10.0, 2, 1) == pytest.approx(10 * torch.pi / 2)  # E|N(0, 2 s^2)| = 2 s / sqrt(pi)


def test_folds_hold_out_their_speakers_and_spare_the_test_set(table):
    runs = read_table(table({"a": {}}, "speech", protocol="retrain")).runs(parse_folds("0,11;1,2"))
    assert [(run.seed, run.fold) for run in runs] == [(0, (0, 11)), (0, (1, 2)), (1, (0, 11)), (1, (1, 2))]
    for run in runs:
        assert run.config.data.train["hold_out"] == run.config.data.validation["hold_out"] == list(run.fold)
        assert run.config.training.select == "last"  # as in the table that the folds speak for
    with pytest.raises(ConfigError, match="folds hold out speakers of 'shd'; the data set is 'yinyang'"):
        read_table(table({"a": {}})).runs(parse_folds("0,11"))
    with pytest.raises(ConfigError, match="choose speakers themselves"):
        read_table("transfer").runs(parse_folds("0,11"))


@pytest.mark.parametrize("text", ["", "a", "0,11;", "0,1;1,2", "1.5"])
def test_wrong_folds_are_named(text):
    with pytest.raises(ConfigError, match=r"each in one fold, e\.g\. '0,11;1,2'"):
        parse_folds(text)


def test_rows_are_chosen_by_pattern_with_their_sources(table):
    path = table({"source": {}, "a 1": {"positions_from": "source"}, "a 2": {}, "b": {}})
    chosen = read_table(path).choose
    assert chosen(["a *"]) == ["source", "a 1", "a 2"]
    assert chosen(["b", "a 2"]) == ["a 2", "b"]
    assert chosen([]) == ["source", "a 1", "a 2", "b"]
    with pytest.raises(ConfigError, match="no row 'c'; rows: source, a 1, a 2, b"):
        chosen(["c"])


@pytest.mark.parametrize(
    ("rows", "keys", "words"),
    [
        ({"a": {"sett": []}}, {}, "unknown key 'table mine.rows.a.sett'; did you mean 'set'"),
        ({"a": {"positions_from": "b"}}, {}, "row 'a' starts from 'b', which is no row"),
        ({"a": {}}, {"protocol": "test"}, "protocol must be one of retrain, validation"),
        ({"a": {}}, {"compare": [["a", "b"]]}, r"compare holds pairs of rows, got \['a', 'b'\]"),
        ({"a b": {}, "a/b": {}}, {}, "two rows would share a folder"),
        ({}, {}, "needs rows and a base, or pictured tables"),
        ({"a": {}}, {"seeds": 0}, "seeds must be at least 1"),
        ({"a": {}}, {"seedz": 1}, "did you mean 'seeds'"),
        ({"a": {}}, {"axes": {"x": {"y": {}}}}, "both axes and rows"),
        (["a"], {}, "rows must hold the names of rows"),
        ({"a": {}}, {"smallest_above": 90}, r"smallest_above is a share, in \(0, 1\), got 90"),
        ({"a": {"name": "b"}}, {}, "rows.a: a row is called by its key; leave 'name' out"),
        ({1: {}, "1": {}}, {}, "two rows are called the same once their keys are texts"),
        ({"a" * 300: {}}, {}, "is too long for a folder; take 200 letters at most"),
        ({"..": {}}, {}, r"row '\.\.' would have no folder of its own"),
        ({"a": 3}, {}, "rows must hold the names of rows, each with keys such as 'set', got {'a': 3}"),
        ({}, {"axes": {"x": ["y"]}}, "axes must hold the names of axes"),
        ({}, {"axes": {"x": {"y": 3}}}, r"axes\.x must hold the names of levels"),
        ({}, {"axes": {"x": {"y": {"base": "scn"}}}}, r"axes\.x\.y may hold a list 'set' and nothing else"),
        ({"a": {}}, {"compare": ["a"]}, r"compare must be a list of pairs of names, got \['a'\]"),
    ],
)
def test_wrong_tables_are_named(table, rows, keys, words):
    with pytest.raises(ConfigError, match=words):
        read_table(table(rows, **keys))


def test_wrong_rows_and_damage_are_named(table):
    with pytest.raises(ConfigError, match=r"row 'a': unknown key 'model\.dleay'"):
        read_table(table({"a": {"set": ["model.dleay=free"]}})).runs()
    with pytest.raises(ConfigError, match="there is no table 'dimension'; tables: best, dim"):
        read_table("dimension")
    with pytest.raises(ConfigError, match="damage must be of drop, jitter, channels, delay_step, got 'dorp'"):
        check_damage({"dorp": [0.1]})
    with pytest.raises(ConfigError, match=r"must lie in \[0, 1\]"):
        check_damage({"channels": [2]})
    with pytest.raises(ConfigError, match="positive number of ms"):
        check_damage({"delay_step": [0]})
    runs = read_table(table({"a": {"set": ["grid.delays=round"]}})).runs()
    check_damage({"delay_step": [2, 6]}, runs)
    with pytest.raises(ConfigError, match="multiple of the step to which row 'a' rounds its delays, 2 ms, got 3"):
        check_damage({"delay_step": [3]}, runs)
    check_damage({"delay_step": [3]}, read_table(table({"a": {"set": ["grid.delays=exact"]}})).runs())


def test_the_shipped_speech_configuration_holds_out_speakers():
    data = read_config("shd").data
    assert data.train["hold_out"] == data.validation["hold_out"]
    assert not {4, 5} & set(data.train["hold_out"])
