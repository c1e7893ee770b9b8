"""Picture of one sample on a chip."""

import numpy as np
import pytest

from spsnn import pictures
from spsnn.errors import DataError


def arguments(n=30, hypothetical=False):
    rng = np.random.default_rng(0)
    trains = [(name, rng.integers(0, n, 40) * 0.5, rng.integers(0, 9, 40), 9) for name in ("input", "hidden")]
    steps = {"energy_dynamic_nj": rng.random(n), "energy_static_nj": np.full(n, 2.0), "latency_ns": rng.random(n) + 300}
    return {"trains": trains, "dt": 0.5, "steps": steps, "potential": rng.normal(size=(n, 3)), "classes": "abc",
            "label": "b", "decision": "c", "engine": "lava", "target": "Chip $x$", "note": "inherited",
            "hypothetical": hypothetical}  # fmt: skip


@pytest.mark.parametrize("hypothetical", [False, True])
def test_shows_spikes_read_out_and_costs(hypothetical):
    given = arguments(hypothetical=hypothetical)
    figure = pictures.chip_run(**given)
    spikes, _, potential, energy, latency = figure.axes
    np.testing.assert_array_equal(spikes.lines[0].get_xdata(), given["trains"][0][1])
    bold = [line for line in potential.lines if line.get_linewidth() > 1]
    assert len(potential.lines) == 3 and len(bold) == 1
    np.testing.assert_array_equal(bold[0].get_ydata(), given["potential"][:, 2])
    heights = np.array([bar.get_height() for bar in energy.patches])
    np.testing.assert_allclose(heights, np.concatenate([given["steps"]["energy_dynamic_nj"], np.full(30, 2.0)]))
    np.testing.assert_array_equal(latency.lines[0].get_ydata(), given["steps"]["latency_ns"])
    texts = [t.get_text() for t in figure.texts]
    assert any("hypothetical" in t for t in texts) is hypothetical
    assert "class b, decision c" in figure.get_suptitle()
    figure.canvas.draw()


def test_without_potential_and_with_broken_arrays():
    given = arguments() | {"potential": None}
    assert len(pictures.chip_run(**given).axes) == 4
    given["steps"]["latency_ns"] = given["steps"]["latency_ns"][:-1]
    with pytest.raises(DataError, match="one entry per step"):
        pictures.chip_run(**given)
    with pytest.raises(DataError, match="at least one spike train"):
        pictures.chip_run(**(given | {"trains": []}))
