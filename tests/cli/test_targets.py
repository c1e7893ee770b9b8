"""``spsnn targets`` and figures of a target on the command line."""

import json

import pytest
from typer.testing import CliRunner

from spsnn.cli.app import app
from spsnn.cli.targets import read_target
from spsnn.errors import ConfigError
from spsnn.hwmap import available_targets, load_target


def run(*words):
    result = CliRunner().invoke(app, list(words))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list_names_every_target_and_what_must_be_given():
    rows = {row["name"]: row for row in json.loads(run("targets", "--json"))["targets"]}
    assert sorted(rows) == available_targets()
    assert rows["loihi2"]["energies"] == "inherited" and rows["loihi2"]["cores"] == 128
    assert rows["crossbar"]["you_must_give"] == "energy_synaptic_op_pj"
    assert rows["truenorth"]["delays"] == "1 to 15 steps"
    assert "loihi1_silicon" in run("targets")


def test_show_gives_value_provenance_and_source():
    rows = {r["figure"]: r for r in json.loads(run("targets", "show", "loihi2", "--json"))["figures"]}
    hop = load_target("loihi2").provenance["energy_hop_ew_pj"]
    assert rows["energy_hop_ew_pj"] == {
        "figure": "energy_hop_ew_pj", "value": 3.0, "provenance": "inherited", "source": hop.source,
    }  # fmt: skip
    rows = {r["figure"]: r for r in json.loads(run("targets", "show", "crossbar", "--json"))["figures"]}
    assert rows["energy_synaptic_op_pj"]["value"] is None
    given = run("targets", "show", "crossbar", "--target-set", "energy_synaptic_op_pj=1.2", "--json")
    rows = {r["figure"]: r for r in json.loads(given)["figures"]}
    assert (rows["energy_synaptic_op_pj"]["value"], rows["energy_synaptic_op_pj"]["provenance"]) == (1.2, "user")
    assert "energy_hop_ew_pj" in run("targets", "show", "loihi2")


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    run("targets", "new", str(path), "--from", "loihi2")
    mine = load_target(path)
    assert mine.name == "mine" and mine.energy_hop_ew_pj == load_target("loihi2").energy_hop_ew_pj
    with pytest.raises(ConfigError, match="exists"):
        run("targets", "new", str(path))
    with pytest.raises(ConfigError, match=r"ends in \.toml"):
        run("targets", "new", str(tmp_path / "mine.yaml"))
    with pytest.raises(ConfigError, match="unknown packaged target 'loihi9'"):
        run("targets", "new", str(tmp_path / "other.toml"), "--from", "loihi9")


def test_figures_on_the_command_line():
    target = read_target("loihi2", ["n_cores=120", "chips=[1, 1]", "multicast=true"])
    assert (target.n_cores, target.multicast) == (120, True)
    for text, message in (("n_cores", "KEY=VALUE"), ("n_core=3", "n_cores"), ("n_cores=[", "YAML")):
        with pytest.raises(ConfigError, match=message):
            read_target("loihi2", [text])
