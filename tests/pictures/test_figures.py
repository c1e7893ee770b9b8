"""Each picture shows the data it was given, and bad input is refused by name."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.patches import StepPatch

from spsnn import pictures
from spsnn.errors import ConfigError, DataError
from spsnn.graph import Network, Population, Projection
from spsnn.pictures._checks import principal, tile_slots
from spsnn.pictures._training import best_epoch

rng = np.random.default_rng(7)


def network(dim=2, sizes=(4, 6, 3)):
    names = ["input", "$hidden$", "_output"]
    places = [None if dim is None else rng.normal(size=(n, dim)) for n in sizes]
    populations = tuple(Population(n, s, "lif", x) for n, s, x in zip(names, sizes, places, strict=True))
    projections = []
    for a, b in ((0, 1), (1, 2)):
        shape = sizes[a], sizes[b]
        projections.append(
            Projection.from_dense(names[a], names[b], rng.normal(size=shape), rng.gamma(3, 2, size=shape))
        )
    return Network(populations, tuple(projections), 0.5, 30.0, name="net")


def points_of(ax):
    return [c for c in ax.collections if not isinstance(c, LineCollection)]


def test_pyplot_is_never_imported_and_settings_are_restored(tmp_path):
    code = (
        "import sys, spsnn.pictures as p; p.energy_bars({'a': 1.0}).savefig(sys.argv[1]);"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.svg"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    before = dict(matplotlib.rcParams)
    pictures.energy_bars({"a": 1.0})
    assert dict(matplotlib.rcParams) == before


def test_coordinates_2d_are_the_positions():
    net = network(2)
    ax = pictures.coordinates(net, unit="ms").axes[0]
    for drawn, population in zip(points_of(ax), net.populations, strict=True):
        np.testing.assert_allclose(drawn.get_offsets(), population.positions)
    assert ax.get_aspect() == 1
    assert ax.get_xlabel() == "x (ms)"
    colours = {tuple(c.get_facecolor()[0]) for c in points_of(ax)}
    assert len(colours) == 3


def test_legend_names_every_population_as_written():
    figure = pictures.coordinates(network(2))
    figure.draw_without_rendering()
    names = [t.get_text().replace(r"\$", "$").strip() for t in figure.legends[0].get_texts()]
    assert names == ["input (4)", "$hidden$ (6)", "_output (3)"]


def test_coordinates_1d_and_3d():
    net = network(1)
    ax = pictures.coordinates(net).axes[0]
    for row, (drawn, population) in enumerate(zip(points_of(ax), net.populations, strict=True)):
        np.testing.assert_allclose(drawn.get_offsets()[:, 0], population.positions[:, 0])
        assert set(drawn.get_offsets()[:, 1]) == {row}
    assert [t.get_text() for t in ax.get_yticklabels()] == ["input (4)", r"\$hidden\$ (6)", " _output (3)"]
    net = network(3)
    ax = pictures.coordinates(net).axes[0]
    assert ax.name == "3d"
    for drawn, population in zip(ax.collections, net.populations, strict=True):
        np.testing.assert_allclose(np.array(drawn._offsets3d).T, population.positions)
    spans = [np.ptp(lim) for lim in (ax.get_xlim3d(), ax.get_ylim3d(), ax.get_zlim3d())]
    np.testing.assert_allclose(ax._box_aspect / ax._box_aspect[0], np.array(spans) / spans[0])


def test_more_than_three_dimensions_say_pca():
    figure = pictures.coordinates(network(6))
    assert "6-D" in figure.axes[0].get_title("left") and "PCA" in figure.axes[0].get_title("left")


def test_principal_axes_agree_with_the_covariance():
    x = rng.normal(size=(50, 4)) @ np.diag([5, 3, 1, 0.1])
    flat, share = principal(x, 2)
    values = np.sort(np.linalg.eigvalsh(np.cov(x.T)))[::-1]
    np.testing.assert_allclose(flat.var(0, ddof=1), values[:2])
    np.testing.assert_allclose(share, values[:2] / values.sum())


def test_strongest_synapses_join_the_right_neurons():
    net = network(2)
    lines = [c for c in pictures.coordinates(net, strongest=5).axes[0].collections if isinstance(c, LineCollection)]
    drawn = {tuple(np.round(np.ravel(s), 9)) for c in lines for s in c.get_segments()}
    every = [
        (abs(w), tuple(np.round(np.r_[net[p.pre].positions[i], net[p.post].positions[j]], 9)))
        for p in net.projections
        for i, j, w in zip(p.sources, p.indices, p.weight, strict=True)
    ]
    assert drawn == {ends for _, ends in sorted(every, reverse=True)[:5]}


def test_coordinates_refuse():
    with pytest.raises(DataError, match="no population"):
        pictures.coordinates(network(None))
    with pytest.raises(ConfigError, match="strongest"):
        pictures.coordinates(network(2), strongest=-1)
    mixed = Network(
        (Population("a", 1, "lif", np.zeros((1, 2))), Population("b", 1, "lif", np.zeros((1, 3)))), (), 1.0, 1.0
    )
    with pytest.raises(DataError, match="share one space"):
        pictures.coordinates(mixed)


@pytest.mark.parametrize("dt", [None, 0.5, 0.01])
def test_delay_histogram_counts_every_synapse_once(dt):
    net = network(2)
    ax = pictures.delay_histogram(net, dt, bins=12).axes[0]
    outlines = [p for p in ax.patches if isinstance(p, StepPatch) and p.get_label()]
    assert len(outlines) == len(net.projections)
    edges = [p.get_data().edges for p in outlines]
    np.testing.assert_array_equal(edges[0], edges[1])
    assert len(edges[0]) - 1 <= 12
    for drawn, projection in zip(outlines, net.projections, strict=True):
        assert drawn.get_data().values.sum() == projection.n_synapses
    if dt == 0.5:
        steps = np.rint(net.projections[0].delay / dt)
        low, high = edges[0][:-1] / dt, edges[0][1:] / dt
        expected = [int(((steps > a) & (steps < b)).sum()) for a, b in zip(low, high, strict=True)]
        np.testing.assert_array_equal(outlines[0].get_data().values, expected)
    assert "(ms)" in ax.get_xlabel()


def test_delay_histogram_refuses():
    empty = Network((Population("a", 1, "lif"),), (), 1.0, 1.0)
    with pytest.raises(DataError, match="no synapses"):
        pictures.delay_histogram(empty)
    with pytest.raises(ConfigError, match="dt"):
        pictures.delay_histogram(network(2), 0.0)


def test_neuron_histogram_counts_every_neuron_once():
    own = {"tau_mem": np.array([2.0, 4.0, 8.0, 16.0, 32.0]), "a": np.full(5, 0.5), "threshold": 1.0}
    populations = Population("hidden", 5, "adlif", None, own), Population("out", 1, "li", None, {"tau_mem": np.ones(1)})
    figure = pictures.neuron_histogram(Network((*populations, Population("plain", 2, "lif")), (), 1.0, 1.0), bins=5)
    times, a = figure.axes
    drawn = {p.get_label(): p.get_data() for p in times.patches if isinstance(p, StepPatch) and p.get_label()}
    assert drawn["hidden"].values.tolist() == [0, 1, 1, 1, 2]  # bins of ratio 2 from 1 to 32, the last one closed
    assert drawn["out"].values.tolist() == [1, 0, 0, 0, 0]
    assert sum(p.get_data().values.sum() for p in a.patches if p.get_label()) == 5
    assert (times.get_xlabel(), a.get_xlabel()) == ("tau_mem (ms)", "a")
    with pytest.raises(DataError, match="share their parameters"):
        pictures.neuron_histogram(network(2))
    with pytest.raises(ConfigError, match="bins"):
        pictures.neuron_histogram(network(2), bins=0)


def test_raster_draws_every_spike():
    trains = [("input", [1.0, 5.0, 9.5], [0, 1, 4], 5), ("output", [], [], 3)]
    figure = pictures.raster(trains, 10.0, label="yin", prediction="yang")
    assert len(figure.axes) == 2
    (line,) = figure.axes[0].lines
    np.testing.assert_array_equal(line.get_xydata(), [[1, 0], [5, 1], [9.5, 4]])
    assert [ax.get_title("left") for ax in figure.axes] == ["input", "output"]
    assert figure.axes[0].get_xlim() == (0, 10)
    assert "yin" in figure.get_suptitle() and "yang" in figure.get_suptitle()
    assert not line.get_rasterized()
    many = pictures.raster([("input", np.linspace(0, 9, 5000), np.zeros(5000), 5)], 10.0)
    assert many.axes[0].lines[0].get_rasterized()


@pytest.mark.parametrize(
    ("trains", "match"),
    [
        ([], "at least one"),
        ([("a", [1.0], [0, 1], 2)], "one unit per spike"),
        ([("a", [11.0], [0], 2)], "after the window"),
        ([("a", [1.0], [2], 2)], "n_units = 2"),
        ([("a", [np.nan], [0], 2)], "finite"),
        ([("a", [1.0])], "train 0"),
    ],
)
def test_raster_refuses(trains, match):
    with pytest.raises(DataError, match=match):
        pictures.raster(trains, 10.0)


HISTORY = [
    {
        "epoch": 1,
        "train_loss": 1.0,
        "validation_loss": 1.1,
        "train_accuracy": 0.5,
        "validation_accuracy": 0.4,
        "seconds": 2,
    },
    {"epoch": 2, "train_loss": 0.7, "validation_loss": 0.9, "train_accuracy": 0.7, "validation_accuracy": 0.8},
    {
        "epoch": 3,
        "train_loss": 0.5,
        "validation_loss": 0.8,
        "train_accuracy": 0.9,
        "validation_accuracy": 0.8,
        "seconds": 3,
    },
]


def test_training_curves_hold_the_history():
    figure = pictures.training_curves(HISTORY)
    loss, accuracy, seconds = figure.axes
    curve = {line.get_label(): line for line in accuracy.lines}
    np.testing.assert_allclose(curve["validation"].get_ydata(), [40, 80, 80])
    np.testing.assert_allclose({x.get_label(): x for x in loss.lines}["train"].get_ydata(), [1.0, 0.7, 0.5])
    np.testing.assert_array_equal(seconds.lines[0].get_ydata(), [2, np.nan, 3])
    assert "epoch 3 chosen" in figure.get_suptitle()


def test_best_epoch_comes_from_validation_only():
    assert best_epoch(HISTORY) == 3
    assert best_epoch([{"epoch": 1, "train_accuracy": 0.9}]) is None
    assert best_epoch([{"epoch": 1, "validation_loss": 2.0}, {"epoch": 2, "validation_loss": 1.0}]) == 2
    assert (
        best_epoch([{"epoch": 1, "validation_accuracy": float("nan")}, {"epoch": 2, "validation_accuracy": 0.1}]) == 2
    )
    assert "chosen" not in pictures.training_curves([{"epoch": 1, "train_loss": 0.3}]).get_suptitle()


@pytest.mark.parametrize(
    ("history", "kwargs", "match"),
    [
        ([], {}, "empty"),
        ([{"train_loss": 1.0}], {}, "no 'epoch'"),
        ([{"epoch": 1}], {}, "no finite value"),
        ([{"epoch": 1, "train_accuracy": 97.0}], {}, "fraction"),
        (HISTORY, {"best": 9}, "not in the history"),
    ],
)
def test_training_curves_refuse(history, kwargs, match):
    with pytest.raises(DataError, match=match):
        pictures.training_curves(history, **kwargs)


@pytest.mark.parametrize("n", [3, 20, 35])
def test_confusion_shows_counts_and_shares(n):
    matrix = rng.integers(0, 5, (n, n))
    matrix[0] = 0
    matrix[1, 1] = 123
    names = [f"word {k}" for k in range(n)]
    ax = pictures.confusion(matrix, names).axes[0]
    rows = np.maximum(matrix.sum(1, keepdims=True), 1)
    np.testing.assert_allclose(ax.images[0].get_array().filled(0), matrix / rows)
    texts = np.zeros((n, n))
    for text in ax.texts:
        x, y = text.get_position()
        texts[int(y), int(x)] = int(text.get_text())
    np.testing.assert_array_equal(texts, matrix)
    assert [t.get_text() for t in ax.get_xticklabels()] == names
    assert [t.get_text() for t in ax.get_yticklabels()] == names
    assert f"{100 * np.trace(matrix) / matrix.sum():.2f} %" in ax.get_title("left")


@pytest.mark.parametrize(
    ("matrix", "names", "match"),
    [
        (np.zeros((2, 3)), None, "square"),
        (np.zeros((2, 2)), None, "no sample"),
        (np.ones((2, 2)) / 2, None, "counts"),
        (np.ones((2, 2)), ["a"], "2 class names"),
        (-np.ones((2, 2)), None, "at least 0"),
    ],
)
def test_confusion_refuses(matrix, names, match):
    with pytest.raises(DataError, match=match):
        pictures.confusion(matrix, names)


CORES = [{"name": "c0", "x": 0, "y": 0, "load": 10}, {"name": "c1", "x": 2, "y": 1, "load": 30}]
LINKS = [{"x0": 0, "y0": 0, "x1": 1, "y1": 0, "load": 5.0}, {"x0": 1, "y0": 0, "x1": 0, "y1": 0, "load": 0.0}]


def test_chip_mesh_holds_loads_places_and_badge():
    figure = pictures.chip_mesh((2, 3), CORES, LINKS, target="loihi2", hypothetical=True)
    ax = figure.axes[0]
    drawn = {c.get_label(): c for c in ax.collections}
    assert len(drawn["tiles"].get_paths()) == 6
    np.testing.assert_array_equal(drawn["cores"].get_array(), [10, 30])
    np.testing.assert_array_equal(drawn["links"].get_array(), [5, 0])
    centres = [p.get_extents().get_points().mean(0) for p in drawn["cores"].get_paths()]
    np.testing.assert_allclose(centres, [[0, 0], [2, 1]])
    east, west = (p.vertices.mean(0) for p in drawn["links"].get_paths())
    # both directions lie between the tiles, on opposite sides of the line that joins them
    assert 0.3 < east[0] < 0.7 and 0.3 < west[0] < 0.7 and east[1] * west[1] < 0
    spread = [np.ptp(p.vertices[:, 1]) for p in drawn["links"].get_paths()]
    assert spread[0] > spread[1]
    assert "loihi2" in ax.get_title("left")
    assert "HYPOTHETICAL" in [t.get_text() for t in figure.texts]
    assert "HYPOTHETICAL" not in [t.get_text() for t in pictures.chip_mesh((2, 3), CORES).texts]
    assert {t.get_text() for t in ax.texts} == {"c0", "c1"}


def test_tile_slots_never_coincide():
    place = np.array([[0, 0], [1, 0], [0, 0], [0, 0], [1, 0], [0, 0], [0, 0]])
    slots, per_row = tile_slots(place)
    assert per_row == 3
    assert len(np.unique(np.hstack([place, slots]), axis=0)) == len(place)
    assert slots.max() < per_row


@pytest.mark.parametrize(
    ("shape", "cores", "links", "match"),
    [
        ((0, 3), CORES, (), "at least one row"),
        (3, CORES, (), "rows, columns"),
        ((2, 3), [], (), "at least one core"),
        ((1, 3), CORES, (), r"core 1: y must be a whole number in \[0, 1\)"),
        ((2, 3), [{"name": "a", "x": 0, "y": 0}], (), "lacks"),
        ((2, 3), [{"name": "a", "x": 0, "y": 0, "load": -1}], (), "at least 0"),
        ((2, 3), CORES, [{"x0": 0, "y0": 0, "x1": 3, "y1": 0, "load": 1}], "link 0: x1"),
    ],
)
def test_chip_mesh_refuses(shape, cores, links, match):
    with pytest.raises(DataError, match=match):
        pictures.chip_mesh(shape, cores, links)


def test_energy_bars_are_sorted_and_complete():
    figure = pictures.energy_bars({"hops": 10.0, "neurons": 30.0}, note="loihi2")
    ax = figure.axes[0]
    assert [bar.get_width() for bar in ax.patches] == [30, 10]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["neurons", "hops"]
    assert ax.get_title("left") == "total 40 nJ, loihi2"
    assert "75.0 %" in ax.texts[0].get_text()
    assert pictures.energy_bars({"a": 0.0}).axes[0].patches[0].get_width() == 0
    for wrong in ({}, {"a": -1.0}, {"a": float("inf")}):
        with pytest.raises(DataError):
            pictures.energy_bars(wrong)
