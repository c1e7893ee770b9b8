"""Target profiles: validation, overrides, provenance, labels."""

import pytest

from spsnn.errors import ConfigError
from spsnn.hwmap import available_targets, load_target
from spsnn.hwmap.targets.target import _PROFILES, FIGURES, OPTIONAL_FIGURES

PACKAGED = ["brainscales2", "crossbar", "loihi1_davies", "loihi1_silicon", "loihi2", "mesh", "spinnaker2", "truenorth"]
NEEDED = {"crossbar": {"energy_synaptic_op_pj": 1.2}}


@pytest.mark.parametrize("name", PACKAGED)
def test_every_figure_has_a_source(name):
    target = load_target(name, **NEEDED.get(name, {}))
    for figure in FIGURES + OPTIONAL_FIGURES:
        assert getattr(target, figure) is None or target.provenance[figure].source, figure


def test_packaged_targets():
    assert available_targets() == PACKAGED


def test_loihi2_energies_are_inherited():
    target = load_target("loihi2")
    kinds = {target.provenance[f].kind for f in FIGURES if f.startswith("energy_")}
    assert kinds == {"inherited"}
    assert target.energy_source.startswith("inherited")
    # Vendor's speed ratios on Loihi 1 times: 3.5 / 5, 8.4 / 2, 5.3 / 2, 30 / 10.
    times = [target.time_synaptic_op_ns, target.time_neuron_active_ns, target.time_neuron_inactive_ns]
    assert [*times, target.time_spike_out_ns] == pytest.approx([0.7, 4.2, 2.65, 3.0])


def test_override_becomes_user_provenance():
    target = load_target("loihi2", energy_synaptic_op_pj=5.0, n_cores=120)
    assert (target.energy_synaptic_op_pj, target.n_cores) == (5.0, 120)
    assert target.provenance["energy_synaptic_op_pj"].kind == "user"
    assert target.energy_source.endswith("user: energy_synaptic_op_pj")


def test_resized_mesh_is_full():
    assert load_target("mesh", mesh_width=3, mesh_height=2).n_cores == 6
    with pytest.raises(ConfigError, match="mesh_width"):
        load_target("mesh", mesh_width="wide")


def test_target_of_target_keeps_overrides():
    target = load_target("mesh", weight_bits=4)
    assert load_target(target) == target
    assert load_target(target, delay_bits=7).weight_bits == 4


def test_user_file(tmp_path):
    path = tmp_path / "mine.toml"
    text = (_PROFILES / "mesh.toml").read_text().replace('name = "mesh"', 'name = "mine"')
    path.write_text(text + "\n")
    assert load_target(path).name == "mine"
    path.write_text(text.replace("weight_bits       = {", "weight_bitz = {"))
    with pytest.raises(ConfigError, match="weight_bits"):
        load_target(path)
    path.write_text(
        text.replace('cores_per_tile = { value = 1,  provenance = "user"', 'cores_per_tile = { provenance = "user"')
    )
    with pytest.raises(ConfigError, match="cores_per_tile"):
        load_target(path)
    path.write_text("name = [")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_target(path)
    with pytest.raises(ConfigError, match="does not exist"):
        load_target(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("loihi", {}, "loihi2"),
        ("mesh", {"weight_bit": 4}, "weight_bits"),
        ("mesh", {"provenance": {}}, "no figure"),
        ("mesh", {"weight_bits": 1}, "got 1"),
        ("mesh", {"n_cores": 65}, "64 places"),
        ("mesh", {"port": (8, 0)}, "outside"),
        ("mesh", {"max_delay_steps": 64}, "delay_bits 6"),
        ("mesh", {"energy_hop_ew_pj": -1.0}, "energy_hop_ew_pj"),
        ("mesh", {"energy_hop_ew_pj": float("nan")}, "energy_hop_ew_pj"),
        ("loihi2", {"native_delay_modes": ["stored", "hop"]}, "barrier"),
    ],
)
def test_errors(name, overrides, message):
    with pytest.raises(ConfigError, match=message):
        load_target(name, **overrides)


def test_anything_but_stored_is_hypothetical():
    target = load_target("loihi2")
    assert target.delay_label("stored") == "stored"
    assert target.delay_label("hop") == "hop (hypothetical on loihi2)"
    assert target.hypothetical("computed")


def test_a_profile_may_leave_a_figure_to_the_user(tmp_path):
    path = tmp_path / "mine.toml"
    lines = (_PROFILES / "mesh.toml").read_text().splitlines()
    left = 'energy_hop_ew_pj = { required = true, source = "depends on the wire" }'
    path.write_text("\n".join(left if line.startswith("energy_hop_ew_pj") else line for line in lines))
    with pytest.raises(ConfigError, match="no public figure for energy_hop_ew_pj: give it with"):
        load_target(path)
    target = load_target(path, energy_hop_ew_pj=7.0)
    assert target.energy_hop_ew_pj == 7.0 and target.source_of("energy_hop_ew_pj") == "user: override"
    path.write_text(path.read_text().replace('required = true, source = "depends on the wire"', "required = false"))
    with pytest.raises(ConfigError, match=r"energy_hop_ew_pj.*needs value"):
        load_target(path)


def test_sources_of_figures():
    assert load_target("loihi1_davies").source_of("energy_hop_ew_pj") == "published: Davies 2018"
    assert load_target("truenorth").energy_source.startswith("published, measured: Merolla 2014")
    low = load_target("spinnaker2").energy_source
    assert low.startswith("published: 10 pJ") and "not counted: energy_axon_in_pj" in low
    counted = load_target("spinnaker2", energy_axon_in_pj=1.0).energy_source
    assert "user: energy_axon_in_pj;" in counted and "energy_axon_in_pj, " not in counted


def test_an_unknown_provenance_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    text = (_PROFILES / "mesh.toml").read_text()
    path.write_text(text.replace('provenance = "user", source = "8 x 8 x 1"', 'provenance = "guess"'))
    with pytest.raises(ConfigError, match=r"n_cores.*'guess'"):
        load_target(path)
