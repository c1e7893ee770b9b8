"""One sample on a chip: spikes of every layer, the read-out, and energy and time of every step."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from spsnn.errors import DataError
from spsnn.pictures._style import MUTED, badge, colour, count, new_figure, plain, styled


@styled
def chip_run(
    trains, dt, steps, *, potential=None, classes=(), label=None, decision=None, engine="", target="", note="",
    hypothetical=False,
):  # fmt: skip
    """Spikes of one sample in stacked panels, the potential of the read-out, and what every step costs.

    Args:
        trains: list of ``(name, times [E] ms, units [E], n_units)``, input first.
        dt: step in ms.
        steps: ``{"energy_dynamic_nj", "energy_static_nj", "latency_ns"}``, each ``[T]``.
        potential: of the output ``[T, C]``, or None where the output spikes.
        classes: names of the outputs ``C``.
        label, decision: true class and decision.
        engine, target, note: what ran, the chip, and where its figures come from.
        hypothetical: mark the picture, see `chip_mesh`.

    Returns:
        Figure with one axes per train, one for the potential if given, and one each for energy and time.

    Raises:
        DataError: if there is no train, or arrays disagree in length.
    """
    if not trains:
        raise DataError("a run needs at least one spike train, got none")
    n = len(steps["latency_ns"])
    time = np.arange(n) * dt
    lengths = {name: len(value) for name, value in steps.items()}
    if potential is not None:
        lengths["potential"] = len(potential)
    if set(lengths.values()) != {n}:
        raise DataError(f"all arrays of a run have one entry per step, got {lengths}")
    heights = [float(np.clip(0.2 * np.sqrt(size), 0.45, 1.5)) for *_, size in trains]
    heights += [1.1] * (potential is not None) + [0.95, 0.95]
    spikes = sum(len(times) for _, times, _, _ in trains)
    alt = (
        f"{count(spikes, 'spike')} of one sample over {n} steps on {target}, decision {decision}; "
        f"{np.sum(steps['energy_dynamic_nj']) + np.sum(steps['energy_static_nj']):.3g} nJ."
    )
    title = f"{target}, simulated by {engine}: class {label}, decision {decision}"
    figure, axes = new_figure(
        6.8, 1.2 + sum(heights) + 0.36 * len(heights), title, alt, nrows=len(heights), sharex=True, squeeze=False,
        height_ratios=heights,
    )  # fmt: skip
    axes = list(axes[:, 0])
    for k, (ax, (name, times, units, size)) in enumerate(zip(axes, trains, strict=False)):
        mark = float(np.clip(0.85 * 72 * heights[k] / size, 1.6, 9))
        (line,) = ax.plot(times, units, ls="none", marker="|", ms=mark, mew=1.0, color=colour(k), clip_on=False)
        line.set_in_layout(False)
        ax.set_ylim(-0.7, size - 0.3)
        ax.set_ylabel("unit")
        _head(ax, name, f"{count(size, 'unit')}, {count(len(times), 'spike')}", colour(k))
    if potential is not None:
        _potential(axes[len(trains)], time, potential, classes, decision)
    energy, latency = axes[-2:]
    static, dynamic = (np.asarray(steps[f"energy_{kind}_nj"]) for kind in ("static", "dynamic"))
    energy.bar(time, dynamic, dt * 0.9, color=colour(1), label="dynamic")
    energy.bar(time, static, dt * 0.9, bottom=dynamic, color=colour(7), alpha=0.5, label="static")
    energy.set_ylabel("nJ")
    _head(energy, "energy of a step", f"{_nj(dynamic)} dynamic + {_nj(static)} static; {note}")
    energy.set_ylim(0, 1.45 * max(float((dynamic + static).max()), 1e-9))
    energy.legend(loc="upper right", fontsize=7.5, ncols=2)
    latency.step(time, steps["latency_ns"], where="mid", color=colour(2))
    latency.set_ylim(0, None)
    latency.set_ylabel("ns")
    _head(latency, "time of a step", f"{np.sum(steps['latency_ns']) / 1e3:.3g} µs in all")
    for ax in axes:
        ax.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=ax in axes[: len(trains)]))
    axes[0].set_xlim(-dt / 2, (n - 0.5) * dt)
    axes[-1].set_xlabel("time in the network (ms)")
    for ax in axes[:-1]:
        ax.spines["bottom"].set_visible(False)
        ax.tick_params(axis="x", length=0, labelbottom=False)
    if hypothetical:
        badge(figure, "hypothetical")
    return figure


def _nj(values):
    total = float(np.sum(values))
    return f"{total:,.0f} nJ" if total >= 100 else f"{total:.3g} nJ"


def _head(ax, name, facts, color=None):
    ax.set_title(plain(name), fontweight="bold", **({"color": color} if color else {}))
    ax.set_title(plain(facts), loc="right", fontsize=8, color=MUTED)


def _potential(ax, time, potential, classes, decision):
    for k, value in enumerate(potential.T):
        chosen = k < len(classes) and classes[k] == decision
        style = {"lw": 2.0, "color": colour(0), "label": plain(f"decision {decision}")} if chosen else {}
        ax.plot(time, value, **({"lw": 0.8, "color": MUTED, "alpha": 0.5} | style | ({"alpha": 1.0} if chosen else {})))
    ax.set_ylabel("V / threshold")
    ax.legend(loc="upper left", fontsize=7.5)
    _head(ax, "read-out", f"{count(potential.shape[1], 'class')}")
