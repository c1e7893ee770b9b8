"""Pictures of rate-coded models show the numbers they are given."""

import numpy as np
import pytest

from spsnn import DataError
from spsnn.pictures import context_map, prior_map


def test_a_context_map_shows_every_sample_centroid_and_count():
    rng = np.random.default_rng(0)
    centroids, points, labels = rng.normal(size=(6, 4)), rng.normal(size=(50, 4)), np.arange(50) % 3
    active = rng.random((50, 6)) < np.linspace(0, 1, 6)
    weight = np.array([1.0, -1, 2, -2, 3, 4])
    figure = context_map(centroids, weight, active, points, labels, ["a", "b", "c"])
    ax, bars = figure.axes
    assert [len(c.get_offsets()) for c in ax.collections] == [17, 17, 16, 4, 2]
    sizes = np.concatenate([c.get_sizes() for c in ax.collections[3:]])
    shares = np.concatenate([active.mean(0)[weight >= 0], active.mean(0)[weight < 0]])
    assert np.allclose((sizes - sizes.min()) / np.ptp(sizes), (shares - shares.min()) / np.ptp(shares))
    heights = {round(p.get_x() + p.get_width() / 2): p.get_height() for p in bars.patches}
    assert all(heights[n] == (active.sum(1) == n).sum() for n in np.unique(active.sum(1)))
    assert f"mean {active.sum(1).mean():.1f} of 6" in [t.get_text() for t in (bars.title, bars._left_title)]
    with pytest.raises(DataError, match="must agree"):
        context_map(centroids[:, :3], weight, active, points, labels)
    with pytest.raises(DataError, match=r"active must be \[50, 6\]"):
        context_map(centroids, weight, active[:, :5], points, labels)


def test_a_prior_map_shows_kernel_and_weights_over_distance():
    n_pre, n_post = 300, 41  # rows are averaged over blocks
    distance = np.abs(np.linspace(0, 1, n_pre)[:, None] - np.linspace(0, 1, n_post)[None])
    kernel = np.exp(-4 * distance)
    weight = 0.3 * kernel * np.where(np.arange(n_post) % 2, 1, -1)
    figure = prior_map(kernel, weight)
    first, second, curves = figure.axes[:3]
    shown = first.images[0].get_array()
    assert shown.shape == (128, n_post)
    assert np.allclose(shown.mean(), kernel.mean(), atol=0.01)
    assert second.images[0].get_array().max() <= 0.3
    k, w = (line.get_ydata() for line in curves.lines[:2])
    # |w| is 0.3 K, so that relative to the largest both fall alike.
    assert np.allclose(k, w, atol=0.02) and k[0] == 1 and k[-1] == pytest.approx(np.exp(-4) / k.max(), abs=0.02)
    with pytest.raises(DataError, match="of one shape"):
        prior_map(kernel, weight[1:])
