"""Pictures of a mapped network show its numbers, say what they rest on, and draw one core or a thousand."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import PowerNorm
from matplotlib.patches import StepPatch

from spsnn import hwmap, pictures
from spsnn.errors import DataError
from spsnn.graph import Network, Population, Projection
from spsnn.pictures._pareto import dominated
from spsnn.pictures._placement import plane_colours

rng = np.random.default_rng(11)


def subtitle(figure, k=0):
    return figure.axes[k].get_title("left")


def badges(figure):
    return [t.get_text() for t in figure.texts].count("HYPOTHETICAL")


def steps(ax):
    return [p.get_data() for p in ax.patches if isinstance(p, StepPatch) and not p.get_fill()]


def lightness(colour):
    return colour @ [0.2126, 0.7152, 0.0722]


# ----------------------------------------------------------------------------------------------- placement


def test_colours_tell_both_directions_apart():
    corners = plane_colours(np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]]))
    left_low, right_low, left_high, right_high = corners
    for left, right in ((left_low, right_low), (left_high, right_high)):
        assert left[2] > left[0] and right[0] > right[2]  # blue to orange
    for low, high in ((left_low, left_high), (right_low, right_high)):
        assert lightness(high) > lightness(low) + 0.2
    assert corners.min() >= 0 and corners.max() <= 1
    line = plane_colours(np.array([[1.0, 5.0], [1.0, 5.0]]))
    np.testing.assert_array_equal(line[0], line[1])


def test_placement_shows_neurons_on_both_sides_in_one_colour():
    tile = np.array([(x, y) for y in range(2) for x in range(4)])
    core = np.repeat(np.arange(8), 9)
    coords = 3.0 * tile[core] + rng.uniform(0, 0.5, (72, 2))
    figure = pictures.placement(coords, core, tile, population=["a"] * 40 + ["b"] * 32, target="chip", delays="stored")
    left, right = figure.axes
    points = [c for c in left.collections if len(c.get_offsets()) in (40, 32)]
    np.testing.assert_allclose(np.concatenate([c.get_offsets() for c in points]), coords)
    colours = np.concatenate([c.get_facecolors() for c in points])[:, :3]
    (image,) = right.images
    pixels, (x0, x1, y1, y0) = np.asarray(image.get_array()), image.get_extent()
    height, width = pixels.shape[:2]
    for k, (x, y) in enumerate(tile):
        rows = slice(round((y - 0.5 - y0) / (y1 - y0) * height), round((y + 0.5 - y0) / (y1 - y0) * height))
        cols = slice(round((x - 0.5 - x0) / (x1 - x0) * width), round((x + 0.5 - x0) / (x1 - x0) * width))
        block = pixels[rows, cols]
        shown = np.unique(block[block[..., 3] > 0][:, :3].round(6), axis=0)
        np.testing.assert_allclose(shown, np.unique(colours[core == k].round(6), axis=0), atol=1e-6)
    assert subtitle(figure) == "chip, delays stored\nlearned space, 2-D"
    centres = np.array([t.get_position() for t in right.texts])
    assert np.abs(centres - tile).max() < 0.1 and [t.get_text() for t in right.texts] == [str(k) for k in range(8)]


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_placement_tells_how_well_order_is_kept(dim):
    coords = np.zeros((8, dim))
    coords[:, -1] = np.arange(8)
    line = np.column_stack([np.arange(8), np.zeros(8, int)])
    assert "distances 1.00" in subtitle(pictures.placement(coords, np.arange(8), line), 1)
    shuffled = line[[3, 0, 6, 1, 7, 4, 2, 5]]
    assert "distances 1.00" not in subtitle(pictures.placement(coords, np.arange(8), shuffled), 1)


def test_one_core_and_a_core_in_many_on_a_tile():
    assert "1 core" in subtitle(pictures.placement(np.zeros((1, 2)), [0], [[3, 2]]), 1)
    tile = np.repeat([[0, 0], [1, 0]], 4, axis=0)
    image = pictures.placement(rng.normal(size=(80, 2)), np.arange(80) % 8, tile).axes[1].images[0]
    opaque = np.asarray(image.get_array())[..., 3] > 0
    rows = opaque.any(1)
    assert (np.diff(rows.astype(int)) == 1).sum() == 2  # two rows of cores on each tile, with a gap


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((np.zeros((3, 2)), [0, 0], [[0, 0]]), "one length"),
        ((np.zeros((0, 2)), [], [[0, 0]]), "N >= 1"),
        ((np.zeros((2, 2)), [0, 1], [[0, 0]]), "core 1 has no tile"),
        ((np.zeros((2, 2)), [0, -1], [[0, 0]]), "core must be at least 0"),
        ((np.full((2, 2), np.nan), [0, 0], [[0, 0]]), "coords must be finite"),
    ],
)
def test_placement_refuses(arguments, match):
    with pytest.raises(DataError, match=match):
        pictures.placement(*arguments)


# --------------------------------------------------------------------------------------------------- mesh


def test_uneven_links_are_drawn_on_a_root_scale_that_the_bar_names():
    cores = [{"name": "0", "x": 0, "y": 0, "load": 1}]
    links = [{"x0": x, "y0": 0, "x1": x + 1, "y1": 0, "load": load} for x, load in enumerate([1.0] * 9 + [100.0])]
    figure = pictures.chip_mesh((1, 12), cores, links)
    drawn = next(c for c in figure.axes[0].collections if c.get_label() == "links")
    assert isinstance(drawn.norm, PowerNorm)
    assert any("square-root scale" in ax.get_ylabel() for ax in figure.axes)
    even = pictures.chip_mesh((1, 12), cores, links[:9])
    assert not any("square-root scale" in ax.get_ylabel() for ax in even.axes)


def test_port_and_borders_of_chips():
    cores = [{"name": "0", "x": 1, "y": 0, "load": 1}]
    figure = pictures.chip_mesh((4, 8), cores, port=(7, 3), chips=(2, 2), target="two", delays="stored")
    ax = figure.axes[0]
    frame = ax.patches[-1]
    np.testing.assert_allclose(np.add(frame.get_xy(), frame.get_width() / 2), (7, 3))
    borders = [line.get_xydata() for line in ax.lines]
    assert len(borders) == 2
    np.testing.assert_allclose(borders[0][:, 0], 3.5)
    np.testing.assert_allclose(borders[1][:, 1], 1.5)
    assert subtitle(figure) == "two, delays stored\n1 core used on 1 tile of 32, framed: port of the host"


def test_a_large_mesh_is_cut_to_the_part_in_use():
    cores = [{"name": "0", "x": 40, "y": 7, "load": 1}, {"name": "1", "x": 42, "y": 7, "load": 1}]
    links = [{"x0": 42, "y0": 8, "x1": 42, "y1": 7, "load": 2.0}]
    figure = pictures.chip_mesh((64, 64), cores, links, port=(40, 6))
    ax = figure.axes[0]
    assert (ax.get_xlim(), ax.get_ylim()) == ((38.4, 43.6), (9.6, 4.4))  # columns 39 to 43, rows 5 to 9
    assert len(next(c for c in ax.collections if c.get_label() == "tiles").get_paths()) == 25
    assert "the part in use of a mesh of 64 by 64 tiles" in subtitle(figure)
    full = [{"name": "", "x": x, "y": x, "load": 1} for x in (0, 127)]
    assert max(pictures.chip_mesh((128, 128), full).get_size_inches()) < 16


# ------------------------------------------------------------------------------------- delays, links, latency


def test_delay_errors_are_shares_by_synapse_and_by_spike():
    error = np.array([0.0, 0.01, -0.5, 0.4999, 3.0])
    spikes = np.array([1.0, 0.0, 0.0, 0.0, 3.0])
    figure = pictures.delay_error_histogram(error, spikes, clipped=error > 1, hypothetical=True, delays="hop")
    (ax,) = figure.axes
    by_synapse, by_spike = steps(ax)
    assert by_synapse.values.sum() == pytest.approx(100) and by_spike.values.sum() == pytest.approx(100)
    edges = by_synapse.edges
    np.testing.assert_allclose(np.diff(edges), 0.2)
    assert np.abs(edges - 0.5).min() < 1e-9 and np.abs(edges + 0.5).min() < 1e-9
    at = np.searchsorted(edges, [0.0, 3.0]) - 1
    np.testing.assert_allclose(by_synapse.values[at], [40, 20])
    np.testing.assert_allclose(by_spike.values[at], [25, 75])
    labels = [t.get_text() for t in figure.legends[0].get_texts()]
    assert labels[1].startswith("by spike: mean +2.25, mean size 2.25")
    assert "20 % beyond what the chip holds" in subtitle(figure) and badges(figure) == 1


@pytest.mark.parametrize("scale", [1e-6, 0.5, 3.0, 62.0, 5000.0])
def test_no_delay_error_falls_outside_the_bins(scale):
    error = rng.uniform(-scale, scale, 500)
    (shown,) = steps(pictures.delay_error_histogram(error).axes[0])
    assert shown.values.sum() == pytest.approx(100)
    assert len(shown.values) <= 43
    assert np.abs(shown.edges[:-1] + shown.edges[1:]).min() < 1e-9  # one bin is centred on zero


def test_link_loads_are_counted():
    load = np.zeros((2, 3, 4))
    load[0, 0, 0], load[0, 1, 0], load[1, 2, 3] = 10, 20, 60
    figure = pictures.link_load_histogram(load, links=14, target="mesh")
    (ax,) = figure.axes
    (shown,) = steps(ax)
    assert shown.values.sum() == 3 and shown.edges[-1] == 60
    assert "3 of 14 links in use, the busiest carries 2 times their mean" in subtitle(figure)
    assert sorted(line.get_xdata()[0] for line in ax.lines) == [30, 60]
    assert "0 of 4 links" in subtitle(pictures.link_load_histogram(np.zeros(4)))
    with pytest.raises(DataError, match="2 links, but 3"):
        pictures.link_load_histogram(load, links=2)


@pytest.mark.parametrize(("scale", "unit"), [(1, "ns"), (1e3, "µs"), (1e6, "ms")])
def test_latency_has_quantiles_in_a_unit_that_fits(scale, unit):
    figure = pictures.latency_histogram(np.arange(1001) * 9 * scale, what="inference", note="simulated")
    top, tail = figure.axes
    assert tail.get_xlabel() == f"latency per inference ({unit})"
    np.testing.assert_allclose([line.get_xdata()[0] for line in top.lines], [4500, 8550, 8910])
    (shown,) = steps(top)
    assert shown.values.sum() == pytest.approx(100)
    x, y = tail.lines[0].get_data()
    assert np.interp(8100, x, y) == pytest.approx(10, abs=0.2)  # a tenth takes longer than 90 % of the longest
    assert "simulated\n1,001 inferences: median 4500, 95 % 8550, 99 % 8910, longest 9000" in subtitle(figure)


@pytest.mark.parametrize("values", [[5.0], [0.0, 0.0], [0.0, 1e12], [3.0] * 100])
def test_latency_of_degenerate_samples_draws(values):
    figure = pictures.latency_histogram(values)
    figure.draw_without_rendering()
    (shown,) = steps(figure.axes[0])
    assert shown.values.sum() == pytest.approx(100)


@pytest.mark.parametrize("draw", [pictures.latency_histogram, pictures.delay_error_histogram])
@pytest.mark.parametrize("wrong", [[], [np.nan], ["x"]])
def test_histograms_refuse(draw, wrong):
    with pytest.raises(DataError):
        draw(wrong)


# --------------------------------------------------------------------------------------------- Pareto, energy


def test_dominated_against_the_definition():
    costs = rng.integers(0, 4, (40, 3)).astype(float)
    expected = [any((b <= a).all() and (b < a).any() for b in costs) for a in costs]
    np.testing.assert_array_equal(dominated(costs), expected)


def rows(delay_errors):
    names = ["random", "learned", "learned", "hilbert"]
    costs = [(10, 9), (4, 5), (5, 3), (6, 6)]
    return [
        {"placement": n, "hops_per_inference": h, "link_load_max": load, "delay_error_per_inference": e}
        for n, (h, load), e in zip(names, costs, delay_errors, strict=True)
    ]


def test_pareto_front_fills_what_none_beats():
    figure = pictures.pareto_front(rows([0, 0, 0, 0]), target="chip", hypothetical=True)
    (ax,) = figure.axes
    filled = {tuple(xy) for c in ax.collections for xy, face in zip(c.get_offsets(), _faces(c), strict=True) if face}
    assert filled == {(4, 5), (5, 3)}
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [(4, 5), (5, 3)])
    assert "(2 of 4)" in subtitle(figure) and badges(figure) == 1
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["random", "learned", "hilbert"]


def _faces(collection):
    faces = collection.get_facecolors()
    return [len(face) and face[3] > 0 for face in faces] if len(faces) else [False] * len(collection.get_offsets())


def test_pareto_front_shows_delay_errors_that_differ_and_believes_given_marks():
    figure = pictures.pareto_front(rows([3, 2, 1, 0.5]))
    assert len(figure.axes) == 2
    assert "(3 of 4)" in subtitle(figure)
    marked = [{**row, "dominated": k > 0} for k, row in enumerate(rows([3, 2, 1, 0.5]))]
    assert "(1 of 4)" in subtitle(pictures.pareto_front(marked))
    weighed = [{k: v for k, v in row.items() if k != "placement"} for row in rows([0, 0, 0, 0])]
    for row, weights in zip(weighed, [None, (1.0, 0.0, 0.0), (0.25, 0.75, 0.0), (0.0, 1.0, 0.0)], strict=True):
        row["weights"] = weights
    figure = pictures.pareto_front(weighed)
    assert {(t.xy, t.get_text()) for t in figure.axes[0].texts} == {((4, 5), "1/0/0"), ((5, 3), "0.25/0.75/0")}
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["start", "refined"]
    bare = [{k: v for k, v in row.items() if not k.startswith("delay")} for row in rows([3, 2, 1, 0.5])]
    assert len(pictures.pareto_front(bare).axes) == 1


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ([], "at least one"),
        ([{"hops_per_inference": 1}], "row 0 of the Pareto front lacks link_load_max"),
        ([{"hops_per_inference": -1, "link_load_max": 1}], "at least 0"),
    ],
)
def test_pareto_front_refuses(wrong, match):
    with pytest.raises(DataError, match=match):
        pictures.pareto_front(wrong)


def test_static_energy_stands_apart_and_sources_are_named():
    figure = pictures.energy_bars({"a": 1.0, "b": 3.0}, static=12.0, sources={"a": "user", "static": "inherited"})
    parts, whole = figure.axes
    assert [bar.get_width() for bar in parts.patches] == [3, 1]
    assert [bar.get_width() for bar in whole.patches] == [4, 12]
    assert parts.texts[1].get_text() == "1 nJ (6.2 %), user"
    assert whole.texts[1].get_text() == "12 nJ (75.0 %), inherited"
    assert "total 16 nJ" in subtitle(figure)
    large = pictures.energy_bars({"a": 2e4, "b": 1.0}, static=5e6)
    assert "total 5020 µJ" in subtitle(large)
    assert "< 0.1 %" in large.axes[0].texts[1].get_text()
    with pytest.raises(DataError, match="static energy must be at least 0"):
        pictures.energy_bars({"a": 1.0}, static=-1.0)


# --------------------------------------------------------------------------------------------------- chips


def local_chip(n, cores, target="loihi2", **options):
    """Neurons in a square with synapses to their nearest, on so many cores."""
    positions = [rng.uniform(0, 20, (12, 2)), rng.uniform(0, 20, (n, 2))]

    def near(k, a):
        distance = np.linalg.norm(positions[a][:, None] - positions[1][None], axis=-1)
        mask = np.argsort(np.argsort(distance, 1), 1) < k
        return Projection.from_dense(("in", "hidden")[a], "hidden", rng.normal(size=mask.shape), distance, mask)

    populations = (
        Population("in", 12, "input", positions[0], {}, rng.uniform(1, 5, 12)),
        Population("hidden", n, "lif", positions[1], {"threshold": 1.0}, rng.uniform(1, 5, n)),
    )
    network = Network(populations, (near(min(n, 20), 0), near(min(n, 6), 1)), 1.0, 50.0, "random spikes")
    return hwmap.compile(network, target, cores=cores, partition="geometric", **options)


def test_pictures_of_a_chip_hold_its_numbers():
    chip = local_chip(90, 24, delay_mode="hop")
    noc = SimpleNamespace(timing="noc", latency_ns=np.array([1.0, 2.0]), inference_us=np.array([50.0, 51.0]))
    shown = pictures.chip_pictures(chip, front=rows([0, 0, 0, 0]), noc=noc)
    assert list(shown) == ["mesh", "placement", "links", "delays", "energy", "pareto", "latency", "inferences"]
    assert "timing model noc, 2 recorded inferences" in subtitle(shown["latency"][1])
    assert shown["inferences"][1].axes[1].get_xlabel() == "latency per inference (µs)"
    for caption, figure in shown.values():
        assert caption and badges(figure) == 1
        assert "Intel Loihi 2, delays hop (hypothetical on loihi2)" in subtitle(figure)
    report = chip.report()
    mesh = {c.get_label(): c for c in shown["mesh"][1].axes[0].collections}
    assert mesh["cores"].get_array().sum() == report["neurons_on_chip"]
    assert mesh["links"].get_array().sum() == pytest.approx(report["hops_per_inference"])
    dynamic, static = (bar.get_width() for bar in shown["energy"][1].axes[1].patches)
    scale = 1 if "nJ" in subtitle(shown["energy"][1]) else 1e-3
    assert static == pytest.approx(scale * report["energy_static_nj"])
    assert dynamic + static == pytest.approx(scale * report["energy_nj_per_inference"])
    assert "energies inherited, timing model simple" in subtitle(shown["energy"][1])
    labels = [t.get_text() for t in shown["delays"][1].legends[0].get_texts()]
    assert f"mean {report['delay_error_mean_steps']:+.3g}" in labels[0]
    assert f"mean {report['delay_error_mean_spike_weighted_steps']:+.3g}" in labels[1]


def test_one_core_draws_without_links():
    shown = pictures.chip_pictures(local_chip(5, 1))
    assert "no spike crosses a link" in [t.get_text() for t in shown["links"][1].axes[0].texts]
    assert all(badges(figure) == 0 for _, figure in shown.values())
    for _, figure in shown.values():
        figure.draw_without_rendering()


def test_a_network_without_coordinates_has_no_placement_picture():
    chip = local_chip(20, 4, placement="random")
    populations = tuple(
        Population(p.name, p.size, p.kind, None, p.parameters, p.rates) for p in chip.network.populations
    )
    bare = hwmap.compile(
        Network(populations, chip.network.projections, 1.0, 50.0, "random spikes"), "mesh", cores=4, placement="random"
    )
    assert "placement" not in pictures.chip_pictures(bare)


def test_different_sources_stand_beside_the_bars():
    target = hwmap.load_target("loihi2", energy_synaptic_op_pj=1.0)
    figure = pictures.energy(local_chip(20, 4, target))
    texts = dict(zip([t.get_text() for t in figure.axes[0].get_yticklabels()], figure.axes[0].texts, strict=True))
    assert texts["synaptic operations"].get_text().endswith("user")
    assert texts["active neuron updates"].get_text().endswith("inherited")


def test_a_thousand_cores_draw():
    side = 32
    tile = np.array([(x, y) for y in range(side) for x in range(side)])
    cores = [{"name": str(k), "x": x, "y": y, "load": 1 + x} for k, (x, y) in enumerate(tile)]
    links = [{"x0": x, "y0": y, "x1": x + 1, "y1": y, "load": 1.0} for x, y in tile if x + 1 < side]
    figure = pictures.chip_mesh((side, side), cores, links)
    figure.draw_without_rendering()
    assert max(figure.get_size_inches()) < 14
    places = pictures.placement(rng.normal(size=(4096, 2)), np.arange(4096) % 1024, tile)
    places.draw_without_rendering()
    assert not places.axes[1].texts  # numbers would cover the cores
