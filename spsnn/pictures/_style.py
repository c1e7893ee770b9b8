"""The one look of all pictures: palette, figure settings and small drawing helpers."""

from __future__ import annotations

import functools

import matplotlib
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure

# The report replaces these exact colours by CSS variables, which is how vector pictures follow a dark scheme.
INK = "#1d2331"
MUTED = "#5d6677"
RULE = "#e2e5eb"
PAPER = "#fefefe"

# Okabe and Ito's colours without black and yellow (the one vanishes on a dark page, the other on a light one),
# with purple and grey added; blue and vermilion first, which every kind of colour vision tells apart.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#b8860b", "#7b5ea7", "#7f8794")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
ALARM = "#c2410c"

# Above this many marks a panel is drawn as pixels inside the vector picture, which keeps files small.
DENSE = 3000

# Strength is opacity, so that a weak cell fades into the page, be it light or dark.
BLUES = LinearSegmentedColormap.from_list("spsnn_blues", [to_rgba("#2b8ccc", 0.1), to_rgba("#1668a8", 1.0)])
ORANGES = LinearSegmentedColormap.from_list("spsnn_oranges", [to_rgba("#e69138", 0.35), to_rgba("#d55e00", 1.0)])

_RC = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "text.usetex": False,
    "axes.titlesize": 8.5,
    "axes.titlecolor": MUTED,
    "axes.titlelocation": "left",
    "axes.titleweight": "normal",
    "axes.titlepad": 7,
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.7,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.labelcolor": INK,
    "legend.handlelength": 1.4,
    "figure.facecolor": PAPER,
    "figure.dpi": 150,
    "savefig.dpi": 150,
}


def styled(function):
    """Run ``function`` under the house settings, and leave matplotlib's own settings as they were."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_RC)
            return function(*args, **kwargs)

    return wrapper


def new_figure(width, height, title, alt, **subplots):
    """Empty figure with a heading.

    Args:
        width: inches.
        height: inches.
        title: heading at the top left.
        alt: one sentence for readers who cannot see the picture, kept as the figure's label.
        **subplots: for ``Figure.subplots``; without any, no axes are made.

    Returns:
        ``(figure, axes)``; axes is None when none were asked for.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08, wspace=0.04, hspace=0.03)
    figure.set_label(alt)
    figure.suptitle(plain(title), x=0.012, ha="left", fontsize=11, fontweight="bold", color=INK)
    if not subplots:
        return figure, None
    axes = figure.subplots(**subplots)
    for ax in axes.ravel() if hasattr(axes, "ravel") else [axes]:
        tidy(ax)
    return figure, axes


def tidy(ax):
    """Thin ticks in the house colours, also for ticks that matplotlib only makes while drawing."""
    ax.tick_params(which="both", color=MUTED, labelcolor=INK, labelsize=8, width=0.7, length=3)


def colour(k):
    """Colour of the ``k``-th thing; the palette repeats, so pair it with `marker`."""
    return PALETTE[k % len(PALETTE)]


def marker(k):
    """Marker of the ``k``-th thing; shifts by one each time the palette repeats."""
    return MARKERS[(k + k // len(PALETTE)) % len(MARKERS)]


def plain(text):
    """Text that matplotlib shows as it is: no mathematics, one line, never hidden from a legend."""
    text = " ".join(str(text).split()).replace("$", r"\$")
    return " " + text if text.startswith("_") else text


def badge(figure, text):
    """Framed warning at the top right of a figure."""
    figure.text(
        0.985,
        0.975,
        plain(text),
        ha="right",
        va="top",
        fontsize=8.5,
        fontweight="bold",
        color="#ffffff",
        bbox={"boxstyle": "round,pad=0.35,rounding_size=0.3", "facecolor": ALARM, "edgecolor": "none"},
    )


def setting(target, delays):
    """Chip and delay mode as every picture names them, e.g. ``"Intel Loihi 2, delays stored"``."""
    return ", ".join(part for part in (target, f"delays {delays}" if delays else None) if part)


def lines(*parts):
    """Subtitle of several lines, each plain text; empty ones are left out."""
    return "\n".join(plain(part) for part in parts if part)


def colour_bar(figure, mappable, axes, label, **kwargs):
    """Slim colour bar with the house ticks."""
    thin = max(26, 7 * figure.get_figheight())
    bar = figure.colorbar(mappable, ax=axes, aspect=thin, pad=0.02, **kwargs)
    bar.outline.set_visible(False)
    bar.set_label(plain(label), color=INK, fontsize=8.5)
    tidy(bar.ax)
    return bar


def legend_below(figure, handles, labels=None):
    """Legend under the axes, in as many columns as the width of the figure surely holds."""
    labels = [handle.get_label() for handle in handles] if labels is None else labels
    if not handles:
        return
    # 0.075 inches a letter at 8.5 points is a generous mean, 0.55 covers the handle and the gaps
    column = 0.55 + 0.075 * max(len(label) for label in labels)
    ncols = int(min(len(handles), max(1, figure.get_figwidth() // column)))
    ncols = -(-len(handles) // -(-len(handles) // ncols))
    figure.legend(handles, labels, loc="outside lower center", ncols=ncols)


def count(number, noun):
    """``"1 spike"``, ``"2 spikes"``, ``"12,000 synapses"``."""
    many = noun if number == 1 else noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {many}"
