"""The pytest plugin as a user meets it: baselines, failures that can be read, one option to accept."""

import json
import re
from pathlib import Path

import pytest

import spsnn
from spsnn.errors import ConfigError
from spsnn.pinning import Tolerances, compare, measure, problem, write

pytest_plugins = ["pytester"]

SMALL = {"n": 100, "t_min": 2.0, "bias_time": 2.0}
DOCS = Path(__file__).parents[2] / "docs" / "pytest.md"
TEST = """
def test_mine(pinned_chip):
    chip = pinned_chip("model.h5", target="loihi2", cores=4, accuracy=0.5, latency=0.01, energy=0.01, layout="exact")
    assert chip.partition.n_cores == 4
"""


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    """An untrained network on a few samples of Yin-Yang."""
    path = tmp_path_factory.mktemp("model") / "model.h5"
    model = spsnn.SpSNN([5, 60, 3], grid=spsnn.Grid(dt=1.0), position_scale=6.0, weight_mean=3.0)
    spsnn.save(model, path, provenance={"data": {"name": "yinyang", "test": SMALL}})
    measure(path)  # what it imports stays imported; pytester would import it afresh in every run
    return path


@pytest.fixture
def project(pytester, model_file):
    """A project of its own with a model file and a test."""
    pytester.path.joinpath("model.h5").write_bytes(model_file.read_bytes())
    pytester.makepyfile(test_chip=TEST)
    return pytester


@pytest.fixture
def pinned(project):
    """The same project with an accepted baseline; the path of the baseline."""
    project.runpytest("--spsnn-accept").assert_outcomes(passed=1)
    return project.path / "test_chip" / "test_mine.json"


def change(path, function):
    content = json.loads(path.read_text())
    function(content)
    path.write_text(json.dumps(content))


def test_a_missing_baseline_fails_and_names_the_option(project):
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*test_mine.json: there is no baseline yet*",
            "*energy per inference*",
            "*pytest --spsnn-accept '*::test_mine'",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert not (project.path / "test_chip").exists()


def test_accepted_figures_are_those_of_the_chip_and_pass(project, pinned, model_file):
    model = spsnn.load(model_file)
    events = spsnn.datasets.load("yinyang", "test", **SMALL).events
    chip = spsnn.hwmap.compile(spsnn.to_graph(model, events), "loihi2", cores=4)
    content = json.loads(pinned.read_text())
    figures, report = content["figures"], chip.report()
    accuracy = 100 * spsnn.evaluate(spsnn.from_graph(model, chip.quantised), events)["accuracy"]
    assert figures["accuracy_percent"] == pytest.approx(accuracy, abs=1e-9)
    for key in ("energy_nj_per_inference", "latency_us_per_inference"):
        assert figures[key] == pytest.approx(report[key], rel=1e-12)
    assert content["settings"]["delay_label"] == "stored"
    assert "inherited" in content["sources"]["energy_source"]
    assert {name: len(places) for name, places in content["layout"].items()} == {"hidden1": 60, "output": 3}
    tiles = chip.tile_of("hidden1")
    assert [place[:2] for place in content["layout"]["hidden1"]] == tiles.tolist()
    result = project.runpytest()
    result.assert_outcomes(passed=1)
    assert "baselines written" not in result.stdout.str()


def test_a_difference_can_be_read(project, pinned):
    def alter(content):
        content["figures"]["accuracy_percent"] += 3
        content["figures"]["energy_nj_per_inference"] /= 1.05
        content["layout"]["output"][1] = [7, 3, 2]
        content["sources"]["energy_source"] = "somewhere else"
        content["spsnn"] = "0.0.1"

    change(pinned, alter)
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*the chip has left its baseline*",
            "*figure*pinned*now*change*allowed*",
            "*accuracy as mapped*-3 points*± 0.5 points*not kept*",
            "*latency per inference*+0 %*± 1 %",
            "*energy per inference*+5 %*± 1 %*not kept*",
            "*neurons on another core*1 of 63*not kept*",
            "*output?1?: core 2 of tile (7, 3) -> core ? of tile (*",
            "energy_source: 'somewhere else' -> 'inherited*",
            f"spsnn: 0.0.1 -> {spsnn.__version__}",
            "*--spsnn-accept*",
        ]
    )


def test_a_wider_tolerance_is_kept(project, pinned):
    change(
        pinned, lambda c: c["figures"].update(energy_nj_per_inference=c["figures"]["energy_nj_per_inference"] / 1.05)
    )
    project.makepyfile(test_chip=TEST.replace("energy=0.01", "energy=0.06"))
    project.runpytest().assert_outcomes(passed=1)


def test_accepting_rewrites_what_is_not_kept_and_nothing_else(project, pinned):
    before = pinned.read_bytes()
    project.runpytest("--spsnn-accept").assert_outcomes(passed=1)
    assert pinned.read_bytes() == before
    change(pinned, lambda c: c["figures"].update(latency_us_per_inference=1.0))
    result = project.runpytest("--spsnn-accept")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*spsnn: baselines written*", "*latency per inference*not kept*"])
    assert pinned.read_bytes() == before


def test_every_test_and_call_has_a_baseline_of_its_own(project):
    project.makepyfile(
        test_chip="""
        import pytest

        @pytest.mark.parametrize("target", ["loihi2", "mesh"])
        def test_two(pinned_chip, target):
            pinned_chip("model.h5", target=target, accuracy=None)
            pinned_chip("model.h5", target=target, accuracy=None, delay_mode="hop", name="hop/1")

        def test_twice(pinned_chip):
            pinned_chip("model.h5", accuracy=None)
            pinned_chip("model.h5", accuracy=None)
        """
    )
    result = project.runpytest("--spsnn-accept")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*twice as None in one test; give each call a name*"])
    written = {p.name for p in (project.path / "test_chip").iterdir()}
    wanted = {f"test_two[{target}]{end}.json" for target in ("loihi2", "mesh") for end in ("", ".hop%2F1")}
    assert written == {*wanted, "test_twice.json"}


def test_the_documented_example_runs(project, model_file):
    example = re.search(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)[1]
    project.mkdir("tests")
    (project.path / "runs" / "digits").mkdir(parents=True)
    (project.path / "runs" / "digits" / "model.h5").write_bytes(model_file.read_bytes())
    (project.path / "tests" / "test_chip.py").write_text(example)
    project.runpytest("tests", "--spsnn-accept").assert_outcomes(passed=2)
    project.runpytest("tests").assert_outcomes(passed=2)
    assert len(list((project.path / "tests" / "test_chip").glob("*.json"))) == 2


def test_an_unrelated_project_pays_nothing(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_loaded(pytestconfig):
            assert pytestconfig.pluginmanager.hasplugin("spsnn")
            assert not {"torch", "numba", "numpy", "spsnn"} & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess("-p", "no:hypothesispytest", "-p", "no:regressions").assert_outcomes(passed=1)


def figures(**changed):
    values = {"accuracy_percent": 90.0, "latency_us_per_inference": 100.0, "energy_nj_per_inference": 200.0} | changed
    settings = {"target": "loihi2", "delay_label": "hop (hypothetical on loihi2)"}
    sources = {"energy_source": "inherited: from elsewhere", "time_source": "user"}
    layout = {"a": [[0, 0, k] for k in range(10)]}
    head = {"format": "spsnn-pinned-chip", "schema": 1}
    return head | {"settings": settings, "sources": sources, "figures": values, "layout": layout}


@pytest.mark.parametrize(
    ("alter", "told"),
    [
        (lambda path: path.write_text("{"), "the baseline cannot be read: JSONDecodeError"),
        (lambda path: change(path, lambda c: c.update(schema=9)), "the baseline has format 'spsnn-pinned-chip' 9"),
        (lambda path: change(path, lambda c: c.pop("layout")), "the baseline cannot be read: KeyError"),
        (lambda path: change(path, lambda c: c["layout"].update(a=[3])), "the baseline cannot be read: TypeError"),
        (lambda path: change(path, lambda c: c["settings"].update(target="mesh")), "target: 'mesh' -> 'loihi2'"),
        (lambda path: path.unlink(), "there is no baseline yet"),
    ],
    ids=["damaged", "newer", "incomplete", "garbled", "other settings", "absent"],
)
def test_a_baseline_that_cannot_serve_fails(tmp_path, alter, told):
    path = tmp_path / "mine.json"
    write(path, figures())
    assert problem(path, figures(), Tolerances()) is None
    alter(path)
    assert told in problem(path, figures(), Tolerances())


@pytest.mark.parametrize(
    ("changed", "tolerance", "kept"),
    [
        ({"accuracy_percent": 89.5}, {"accuracy": 0.5}, True),
        ({"accuracy_percent": 89.4}, {"accuracy": 0.5}, False),
        ({"accuracy_percent": 90.6}, {"accuracy": 0.5}, False),
        ({"latency_us_per_inference": 101.0}, {"latency": 0.01}, True),
        ({"latency_us_per_inference": 98.9}, {"latency": 0.01}, False),
        ({"energy_nj_per_inference": 210.0}, {"energy": 0.05}, True),
        ({"energy_nj_per_inference": 210.1}, {"energy": 0.05}, False),
        ({"energy_nj_per_inference": float("nan")}, {"energy": 0.05}, False),
        ({"energy_nj_per_inference": float("nan")}, {"energy": None}, True),
    ],
)
def test_the_edge_of_a_tolerance(changed, tolerance, kept):
    assert (compare(figures(), figures(**changed), Tolerances(**tolerance)) is None) == kept


@pytest.mark.parametrize(("layout", "kept"), [("exact", False), (0.2, False), (0.3, True), (None, True)])
def test_moved_neurons_are_counted(layout, kept):
    now = figures()
    now["layout"] = {"a": [[0, 0, k] for k in range(7)] + [[1, 0, k] for k in range(7, 10)]}
    told = compare(figures(), now, Tolerances(layout=layout))
    assert (told is None) == kept
    assert kept or "a[7]: core 7 of tile (0, 0) -> core 7 of tile (1, 0)" in told


def test_tables_name_the_delay_mode_and_the_sources(tmp_path):
    said = "loihi2, delays hop (hypothetical on loihi2); energies inherited, times user"
    assert said in compare(figures(), figures(accuracy_percent=0.0), Tolerances())
    assert said in problem(tmp_path / "none.json", figures(), Tolerances())


def test_neurons_that_come_or_go_count():
    now = figures()
    now["layout"] = {"a": now["layout"]["a"][:9], "b": [[0, 0, 0]]}
    told = compare(figures(), now, Tolerances())
    assert "2 of 11" in told
    assert "a[9]: core 9 of tile (0, 0) -> absent" in told and "b[0]: absent -> core 0 of tile (0, 0)" in told


@pytest.mark.parametrize(
    "wrong", [{"accuracy": -1}, {"energy": "1 %"}, {"layout": "same"}, {"latency": True}, {"latency": float("nan")}]
)
def test_tolerances_refuse(wrong):
    with pytest.raises(ConfigError, match=f"tolerance {next(iter(wrong))} must be"):
        Tolerances(**wrong)
