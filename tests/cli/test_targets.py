"""``spsnn targets`` and figures of a target on the command line."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from spsnn.cli import console
from spsnn.cli.app import app
from spsnn.cli.energy import energy_table
from spsnn.cli.targets import read_target
from spsnn.errors import ConfigError
from spsnn.graph.network import Network, Population, Projection
from spsnn.hwmap import available_targets, compile, load_target


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
    assert rows["truenorth"]["delay_steps"] == "1 to 15"
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


@pytest.fixture(scope="module")
def figures():
    pops = (Population("in", 4, "input", None, {}, np.ones(4)), Population("out", 3, "li"))
    network = Network(pops, (Projection.from_dense("in", "out", np.ones((4, 3)), np.ones((4, 3))),), 1.0, 20.0)
    return compile(network, load_target("loihi1_silicon", energy_hop_ew_pj=9.0), placement="row_major").report()


def test_every_component_has_its_energy_and_source(figures):
    rows = {row["component"]: row for row in energy_table(figures)}
    assert sum(float(row["energy [nJ]"]) for row in rows.values()) == pytest.approx(
        figures["energy_nj_per_inference"], rel=1e-2
    )
    assert rows["hop ew"]["source"] == "user: override"
    assert rows["neuron active"]["source"] == "published: SANA-FE, Loihi description: access 51.2 + update 21.6"
    assert "synaptic op sparse" in rows and "chip link" not in rows and "merge" not in rows
    assert rows["static"]["events"] == ""


def test_tables_show_the_source_beside_the_energy(figures, capsys, monkeypatch):
    monkeypatch.setattr(console, "out", console.Console(width=200, highlight=False))
    console.show("Chip", figures)
    lines = {line.split("│")[1].strip(): line for line in capsys.readouterr().out.splitlines() if line.count("│") > 2}
    for name in ("synaptic op", "neuron active", "hop ew", "static"):
        assert figures[f"energy_{name.replace(' ', '_')}_source"][:20] in lines[f"energy {name} nj"]
    assert "energy hop ew source" not in lines and "energy source" in lines
