"""Pictures of a field show the data they were given, and bad input is refused by name."""

import numpy as np
import pytest

from spsnn import pictures
from spsnn.errors import DataError

rng = np.random.default_rng(3)


def test_sphere_map_shows_each_node_where_it_lies():
    values = rng.random(60)
    figure = pictures.sphere_map(values, label="gain", blocks={"sensory": 10, "motor": 20, "prefrontal": 30})
    points = figure.axes[0].collections[0]
    np.testing.assert_allclose(points.get_array(), values)
    offsets = np.asarray(points.get_offsets())
    i = np.arange(60)
    np.testing.assert_allclose(offsets[:, 1], 1 - (2 * i + 1) / 60, atol=1e-6)
    turn = np.degrees(i * np.pi * (3 - np.sqrt(5)))
    np.testing.assert_allclose(np.cos(np.radians(offsets[:, 0] - turn)), 1, atol=1e-6)
    borders = sorted(line.get_ydata()[0] for line in figure.axes[0].lines)
    np.testing.assert_allclose(borders, [0.0, 2 / 3], atol=1e-9)
    assert {t.get_text() for t in figure.axes[0].texts} == {"sensory", "motor", "prefrontal"}


def test_phase_evolution_wraps_and_draws_the_coherence():
    phase = rng.uniform(-9, 9, (7, 12))
    figure = pictures.phase_evolution(phase, rng.random(7))
    image = figure.axes[0].images[0].get_array()
    assert image.shape == (12, 7)
    order = np.argsort(np.angle(np.exp(1j * phase[-1])))
    np.testing.assert_allclose(np.exp(1j * image), np.exp(1j * phase.T[order]), atol=1e-9)
    assert list(figure.axes[1].lines[0].get_xdata()) == [1, 2, 3, 4, 5, 6, 7]
    assert len(pictures.phase_evolution(phase).axes) == 2  # image and colour bar


def test_region_curves():
    regions = rng.random((5, 12))
    lines = pictures.region_curves(regions).axes[0].lines
    np.testing.assert_allclose(np.array([line.get_ydata() for line in lines]), regions.T)
    assert len({line.get_color() for line in lines}) == 12


def test_motor_rates_are_class_means():
    rates, labels = rng.random((40, 10)), rng.integers(0, 3, 40)
    image = pictures.motor_rates(rates, labels, ["a", "b", "c", "d"]).axes[0].images[0].get_array()
    for c in range(3):
        np.testing.assert_allclose(image[c], rates[labels == c].mean(0))
    assert image.mask[3].all() and not image.mask[:3].any()


def test_ball_map_shows_nodes_and_sparks_in_the_disc():
    places, activation = 0.5 * rng.random((9, 3)), rng.random(9)
    ax = pictures.ball_map(places, activation, sparks=places[:4]).axes[0]
    nodes, sparks = ax.collections
    np.testing.assert_allclose(nodes.get_offsets(), places[:, :2])
    np.testing.assert_allclose(nodes.get_array(), activation)
    np.testing.assert_allclose(sparks.get_offsets(), places[:4, :2])
    assert ax.patches[0].get_radius() == 1 and ax.get_aspect() == 1


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: pictures.sphere_map([]), "at least one node"),
        (lambda: pictures.sphere_map([1.0, 2.0], blocks={"a": 1}), "make up all 2 nodes"),
        (lambda: pictures.phase_evolution(np.zeros((0, 3))), "at least one step"),
        (lambda: pictures.phase_evolution(np.zeros((2, 3)), [1.0]), "over 2 steps"),
        (lambda: pictures.region_curves(-np.ones((2, 3))), "at least 0"),
        (lambda: pictures.ball_map(np.ones((2, 3)), [1.0, 1.0]), "inside the unit ball"),
        (lambda: pictures.ball_map(np.zeros((2, 3)), [1.0]), "one activation per node"),
        (lambda: pictures.ball_map(np.zeros((2, 1)), [1.0, 1.0]), "at least two coordinates"),
        (lambda: pictures.motor_rates(np.ones((2, 3)), [0]), "one whole-number label per sample"),
        (lambda: pictures.motor_rates(np.ones((2, 3)), [0, 4], ["a"]), r"labels must lie in \[0, 1\)"),
    ],
)
def test_errors(draw, words):
    with pytest.raises(DataError, match=words):
        draw()
