"""Self-contained HTML report: one file with text, tables and pictures, readable anywhere and offline."""

from __future__ import annotations

import html
import math
import numbers
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from spsnn.atomic import replacing
from spsnn.errors import ConfigError
from spsnn.pictures._page import PAGE
from spsnn.pictures._svg import to_markup

_PICTURE_BYTES = 4_500_000


@dataclass(frozen=True)
class Section:
    """One part of a report.

    Attributes:
        title: heading.
        text: plain text; a blank line starts a new paragraph, lines that start with ``- `` make a list and
            text between back-ticks is set as code.
        table: rows ``(name, value)`` or ``(name, value, unit)``, or a list of dicts (keys are the columns).  A unit may
            also stand at the end of a name or a column in square brackets: ``"energy [nJ]"``.
        figures: pairs ``(caption, matplotlib Figure)``.
    """

    title: str
    text: str = ""
    table: list | dict | None = None
    figures: tuple = ()


def write_report(path, title, sections, *, cards=(), meta=None, subtitle=None, badge=None):
    """Write sections to one HTML file that needs nothing else: no script, no font, no link to fetch.

    Pictures stand in the page as SVG whose colours follow the reader's light or dark scheme; very dense ones as PNG.
    The file is written under a temporary name in the same folder, synced and renamed, so that a reader never meets half
    a report and a failure leaves the earlier one as it was.  Equal input gives equal bytes.

    Args:
        path: file to write; its folder must exist.
        title: heading of the report.
        sections: list of `Section`, in order.
        cards: key figures for the top, ``(label, value)`` or ``(label, value, note)``.
        meta: facts for the foot, e.g. versions, seed and data set hash.
        subtitle: one line under the heading.
        badge: short warning beside the heading, e.g. ``"HYPOTHETICAL"``.

    Returns:
        The path written.

    Raises:
        ConfigError: if there is no title or section, one is malformed, or the folder does not exist.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigError(
            f"a report needs a file name in an existing folder, got {str(path)!r}; create the folder first"
        )
    sections = list(sections)
    if not str(title).strip() or not sections:
        raise ConfigError(
            f"a report needs a title and at least one section, got {title!r} and {len(sections)} sections"
        )
    n_figures = sum(_check(section) for section in sections)
    budget = _PICTURE_BYTES // max(1, n_figures)
    body = "\n".join(_section(k, section, budget) for k, section in enumerate(sections, 1))
    page = PAGE.substitute(
        title=_text(title),
        badge=f'<span class="badge">{_text(badge)}</span>' if badge else "",
        subtitle=f'<p class="subtitle">{_text(subtitle)}</p>' if subtitle else "",
        cards=_cards(cards),
        contents=_contents(sections),
        body=body,
        meta=_meta(meta),
    )
    with replacing(path) as temporary:
        temporary.write_bytes(page.encode("utf-8", errors="replace"))
    return path


def _check(section):
    if not isinstance(section, Section) or not str(section.title).strip():
        raise ConfigError(f"sections must be Section objects with a title, got {section!r:.80}")
    for pair in section.figures:
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[1], Figure):
            raise ConfigError(
                f"figures of section {section.title!r} must be pairs (caption, matplotlib Figure), got {pair!r:.80}"
            )
    return len(section.figures)


def _text(value):
    return html.escape(str(value), quote=True)


def _section(k, section, budget):
    parts = [
        f'<section id="section-{k}" aria-labelledby="heading-{k}">',
        f'<h2 id="heading-{k}">{_text(section.title)}</h2>',
    ]
    parts.append(_prose(section.text))
    if section.table or section.figures:
        parts.append('<div class="flow">')
        parts.append(_table(section) if section.table else "")
        for j, (caption, figure) in enumerate(section.figures, 1):
            # 96 pixels an inch is natural size: a little less to stand beside a neighbour, a little more to fill a row
            inches = figure.get_figwidth()
            size = f"flex-basis:{78 * inches:.0f}px;max-width:{112 * inches:.0f}px"
            alt = figure.get_label() or str(caption)
            picture = to_markup(figure, alt, f"f{k}-{j}-", budget)
            parts.append(f'<figure style="{size}">{picture}<figcaption>{_text(caption)}</figcaption></figure>')
        parts.append("</div>")
    parts.append("</section>")
    return "\n".join(part for part in parts if part)


def _prose(text):
    out = []
    for block in re.split(r"\n\s*\n", str(text).strip()):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        if lines and all(line.startswith("- ") for line in lines):
            out.append("<ul>" + "".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "</ul>")
        elif lines:
            out.append(f"<p>{_inline(' '.join(lines))}</p>")
    return "\n".join(out)


def _inline(text):
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(text))


def _table(section):
    rows = list(section.table.items()) if isinstance(section.table, Mapping) else list(section.table)
    if all(isinstance(row, Mapping) for row in rows):
        columns = list(dict.fromkeys(key for row in rows for key in row))
        figures = {c: all(_is_number(row.get(c)) or row.get(c) is None for row in rows) for c in columns}
        head = "".join(f'<th scope="col"{_num(figures[c])}>{_name(c)}</th>' for c in columns)
        lines = ["".join(f"<td{_num(figures[c])}>{_value(row.get(c))}</td>" for c in columns) for row in rows]
        table = f"<table><thead><tr>{head}</tr></thead><tbody>" + "".join(f"<tr>{line}</tr>" for line in lines)
    else:
        table = '<table class="pairs"><tbody>'
        for row in rows:
            if not isinstance(row, tuple | list) or len(row) not in (2, 3):
                raise ConfigError(
                    f"table of section {section.title!r} must hold only dicts or only rows (name, value[, "
                    f"unit]), got {row!r:.80}"
                )
            unit = f' <span class="unit">{_text(row[2])}</span>' if len(row) == 3 and row[2] else ""
            cell = f"<td{_num(_is_number(row[1]))}>{_value(row[1])}{unit}</td>"
            table += f'<tr><th scope="row">{_name(row[0])}</th>{cell}</tr>'
    narrow = "" if table.startswith("<table>") else " narrow"
    frame = f'<div class="scroll{narrow}" tabindex="0" role="region" aria-label="{_text(section.title)}">'
    return f"{frame}{table}</tbody></table></div>"


def _name(name):
    match = re.fullmatch(r"(.+?)\s*\[([^\[\]]+)\]", str(name))
    return f'{_text(match[1])} <span class="unit">{_text(match[2])}</span>' if match else _text(name)


def _num(is_number):
    return ' class="num"' if is_number else ""


def _is_number(value):
    return isinstance(value, numbers.Number) and not isinstance(value, bool)


def _value(value):
    return _text(show(value))


def show(value):
    """A value as a reader wants it: four digits of a float, groups of thousands, yes and no, a dash for None."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f") if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return "n/a" if math.isnan(value) else ("∞" if value > 0 else "−∞")
        if value and not 1e-3 <= abs(value) < 1e6:
            digits, power = f"{value:.3e}".split("e")
            return f"{float(digits):g} × 10{str(int(power)).translate(_RAISED)}"
        return f"{value:,.0f}".replace(",", "\u202f") if abs(value) >= 10_000 else f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {show(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(show(v) for v in value)
    return str(value)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _cards(cards):
    out = []
    for card in cards:
        if not isinstance(card, tuple | list) or len(card) not in (2, 3):
            raise ConfigError(f"cards must be (label, value) or (label, value, note), got {card!r:.80}")
        note = f'<span class="note">{_text(card[2])}</span>' if len(card) == 3 and card[2] else ""
        out.append(f"<div><dt>{_text(card[0])}</dt><dd>{_value(card[1])}{note}</dd></div>")
    return f'<dl class="cards">{"".join(out)}</dl>' if out else ""


def _contents(sections):
    items = "".join(f'<li><a href="#section-{k}">{_text(s.title)}</a></li>' for k, s in enumerate(sections, 1))
    return f'<nav aria-label="Contents"><p>Contents</p><ol>{items}</ol></nav>'


def _meta(meta):
    if not meta:
        return ""
    return "<dl>" + "".join(f"<div><dt>{_text(k)}</dt><dd>{_value(v)}</dd></div>" for k, v in meta.items()) + "</dl>"
