"""Tables whose networks get every sample at several places of the channels too."""

import shutil

import pytest

import spsnn
from spsnn.errors import ConfigError
from spsnn.tables.reproduce import reproduce
from spsnn.tables.summary import spread

SHIFTS = [-1, 0, 2]
PLAIN, MOVED = "accuracy, channels moved by 0", "accuracy, channels moved by -1, 0, +2"


def test_networks_are_scored_at_several_places_too(table, tmp_path):
    path = table({"a": {}}, channel_shifts=SHIFTS)
    options = {"out": tmp_path / "runs", "results": tmp_path}
    values, _ = reproduce(path, **options)
    figures, accuracy = values["rows"][0]["statistics"], values["rows"][0]["accuracy"]
    test = spsnn.datasets.YinYang("test", n=40, t_min=2.0, bias_time=2.0)
    networks = [spsnn.load(tmp_path / "runs" / "a" / f"seed{k}" / "model.h5") for k in range(2)]
    scores = [spsnn.evaluate(network, test, channel_shifts=SHIFTS)["accuracy"] for network in networks]
    assert figures == {PLAIN: pytest.approx(accuracy), MOVED: pytest.approx(spread(scores))}
    assert f"| row | {PLAIN} | {MOVED} |" in (tmp_path / "mine.md").read_text()
    shutil.rmtree(tmp_path / "runs" / "a" / "seed1")
    assert reproduce(path, run=False, **options)[0] == values  # figures of more networks stay
    other, _ = reproduce(table({"a": {}}, channel_shifts=[0, 1]), run=False, **options)
    assert {name: value["n"] for name, value in other["rows"][0]["statistics"].items()} == {
        PLAIN: 2,
        "accuracy, channels moved by 0, +1": 1,
    }
    assert "(1)" in (tmp_path / "mine.md").read_text()


@pytest.mark.parametrize(("shifts", "row"), [([0.5], {}), ([1], {"base": "scn"})])
def test_what_cannot_be_moved_is_refused_before_training(table, tmp_path, shifts, row):
    with pytest.raises(ConfigError, match="channel_shifts"):
        reproduce(table({"a": row}, channel_shifts=shifts), out=tmp_path / "runs", results=tmp_path)
    assert not (tmp_path / "runs").exists()
