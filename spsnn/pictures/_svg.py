"""A figure as markup that can stand inside an HTML page."""

from __future__ import annotations

import base64
import html
import io
import re
import warnings

import matplotlib

from spsnn.pictures._style import INK, MUTED, PALETTE, PAPER, RULE

_VARIABLES = {INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper", **{c: f"c{k}" for k, c in enumerate(PALETTE)}}
_SVG_LIMIT = 600_000
_RESOLUTIONS = (170, 120, 80, 50)


def to_markup(figure, alt, prefix, budget):
    """SVG whose colours follow the page, or a PNG image where the vector picture would be too large.

    Args:
        figure: matplotlib figure.
        alt: text for readers who cannot see it.
        prefix: put before every id, since ids must be unique in a page.
        budget: size in bytes to stay under if a lower resolution can.

    Returns:
        Markup without any outside reference.
    """
    # Times and random ids are switched off: equal figures give equal bytes.
    with (
        matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "spsnn", "svg.image_inline": True}),
        warnings.catch_warnings(),
    ):
        # The browser has fonts for what matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", facecolor="none", dpi=200, metadata={"Date": None})
        svg = _inline(buffer.getvalue(), alt, prefix)
        if len(svg) <= min(_SVG_LIMIT, budget):
            return svg
        return _image(figure, alt, budget)


def _inline(svg, alt, prefix):
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    head, body = svg.split(">", 1)
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head)
    head = f'<svg viewBox="{box[0][9:-1]}" role="img" aria-label="{html.escape(alt)}"'
    body = re.sub(r'(<[^<>]*?\sid=")', rf"\1{prefix}", body)
    body = re.sub(r'(?:xlink:)?href="#', f'href="#{prefix}', body).replace("xlink:href=", "href=")
    body = body.replace("url(#", f"url(#{prefix}")
    for colour, name in _VARIABLES.items():
        body = re.sub(rf"((?:fill|stroke): ){colour}\b", rf"\1var(--{name})", body)
    return re.sub(r"\n\s*", "\n", f"{head}>{body}").strip()


def _image(figure, alt, budget):
    for dpi in _RESOLUTIONS:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", facecolor="#ffffff", dpi=dpi)
        data = base64.b64encode(buffer.getvalue()).decode("ascii")
        if len(data) <= budget:
            break
    return f'<img class="sheet" alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
