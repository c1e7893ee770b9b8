"""Typed configuration: every key and type is checked, and the message names the way out."""

import pytest
import yaml

from spsnn import AdEx, ConfigError
from spsnn.cli.config import build_config, read_config, shipped_configs


@pytest.mark.parametrize("name", ["yinyang", "digits", "shd"])
def test_shipped_configurations_build_and_round_trip(name):
    assert name in shipped_configs()
    config = read_config(name)
    assert config.data.name == name
    assert build_config(yaml.safe_load(yaml.safe_dump(config.as_dict()))).as_dict() == config.as_dict()


def test_overrides_reach_their_key_with_their_type():
    config = read_config(
        "yinyang",
        ["training.epochs=3", "model.delay=free", "space.dim=3", "hidden=[7, 8]", "neuron.kind=adlif", "neuron.a=0.5",
         "training.clip_norm=1", "data.options.scale=20"],
    )  # fmt: skip
    assert (config.training.epochs, config.model.delay, config.space.dim, config.hidden) == (3, "free", 3, [7, 8])
    assert config.neuron.kind == "adlif"
    assert config.neuron.a == 0.5
    assert type(config.training.clip_norm) is float
    assert config.data.options["scale"] == 20


def test_a_neuron_given_as_functions_is_configured_like_any_other():
    config = read_config("digits", ["neuron.kind=adex", "neuron.delta_t=0.2"])
    assert config.neuron == AdEx(delta_t=0.2)
    with pytest.raises(ConfigError, match=r"neuron: delta_t must be positive"):
        read_config("digits", ["neuron.kind=adex", "neuron.delta_t=0"])


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epoch=3", "unknown key 'training.epoch'; did you mean 'epochs'"),
        ("trainig.epochs=3", "unknown key 'trainig'; did you mean 'training'"),
        ("model.dleay=free", "did you mean 'delay'"),
        ("model.delay=freee", "model: delay must be one of spatial, free"),
        ("training.epochs=many", "training.epochs: Input should be a valid integer.*got 'many'"),
        ("training.epochs=true", "training.epochs takes no true, but int"),
        ("training.clip_norm=false", r"training.clip_norm takes no false, but float \| None"),
        ("training.epochs=2.5", "training.epochs: Input should be a valid integer"),
        ("training.lr=-1", "training: lr must be positive, got -1"),
        ("space.dim=0", "at least one dimension"),
        ("neuron.kind=izhikevich", "neuron.kind must be one of lif, adlif"),
        ("neuron.kind=[lif]", r"neuron.kind must be one of lif, .*got \['lif'\]"),
        ("neuron.tau=3", "unknown key 'neuron.tau'; did you mean 'tau_"),
        ("hidden=45", r"list of positive numbers of neurons, e.g. \[45\]"),
        ("hidden=[0]", "list of positive"),
        ("training=5", "section 'training' must hold keys"),
        ("training.epochs", "key=value"),
        ("training.epochs=[", "not valid YAML"),
        ("hidden.x=1", "is a value, not a section"),
        ("augment.stretch=-0.5", "augment: stretch must not be negative, got -0.5"),
        ("augment.blend=2", "augment: blend is a share"),
    ],
)
def test_wrong_overrides_are_named(override, words):
    with pytest.raises(ConfigError, match=words):
        read_config("yinyang", [override])


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no configuration file absent; shipped ones: digits, .*, shd, .*, yinyang"):
        read_config("absent")
    path = tmp_path / "c.yaml"
    path.write_text("a: [1")
    with pytest.raises(ConfigError, match="not valid YAML"):
        read_config(path)
    path.write_text("just words")
    with pytest.raises(ConfigError, match="must hold sections"):
        read_config(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not valid YAML"):
        read_config(path)
