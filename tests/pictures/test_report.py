"""The report is one safe, complete file, and replaces the earlier one at once or not at all."""

import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from spsnn.errors import ConfigError, SpsnnError
from spsnn.pictures import Section, confusion, energy_bars, raster, write_report
from spsnn.pictures import report as report_module

EVIL = "<script>alert('x')</script> & \"q\""


class Reader(HTMLParser):
    """Collects tags, ids and references."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "action", "data", "srcset"):
                self.links.append(value)


def write(path, **kwargs):
    train = ("input", np.linspace(0, 29, 4000), np.arange(4000) % 50, 50)
    sections = [
        Section(
            "First", "One `code`.\n\n- a\n- b", [("energy [nJ]", 12.3456), ("cores", 12345, "of many"), ("ok", True)]
        ),
        Section(EVIL, EVIL, [{EVIL: EVIL, "n": 3}, {"n": None}], ((EVIL, energy_bars({EVIL: 1.0, "b": 2.0})),)),
        Section("Spikes", figures=[("raster", raster([train], 30.0)), ("matrix", confusion(np.eye(3)))]),
    ]
    return write_report(
        path, EVIL, sections, cards=[("accuracy", EVIL, EVIL)], meta={"seed": EVIL}, badge=EVIL, **kwargs
    )


def test_nothing_outside_is_referred_to(tmp_path):
    text = write(tmp_path / "r.html").read_text("utf-8")
    reader = Reader(text)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in reader.links)
    assert "http://" not in text and "https://" not in text and "@import" not in text
    assert {link[1:] for link in reader.links if link.startswith("#")} <= set(reader.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))
    assert "script" not in reader.tags and "link" not in reader.tags


def test_every_text_is_escaped(tmp_path):
    text = write(tmp_path / "r.html", subtitle=EVIL).read_text("utf-8")
    assert "<script" not in text
    # title twice, badge, subtitle, card and note, contents, heading, prose, column, cell, caption, foot, picture
    assert text.count("&lt;script&gt;") >= 13


def test_content_is_there(tmp_path):
    text = write(tmp_path / "r.html").read_text("utf-8")
    reader = Reader(text)
    assert reader.tags.count("section") == 3 and reader.tags.count("figure") == 3 and reader.tags.count("svg") == 3
    assert 'energy <span class="unit">nJ</span>' in text and ">12.35<" in text
    assert "12\u202f345" in text and ">yes<" in text and "<code>code</code>" in text and "<li>a</li>" in text
    assert re.findall(r'href="(#section-\d)"', text) == ["#section-1", "#section-2", "#section-3"]
    assert text.count('role="img" aria-label="') == 3 and "Confusion matrix of 3 classes" in text
    assert "prefers-color-scheme:dark" in text and "var(--ink)" in text and "var(--c0)" in text


def test_equal_input_gives_equal_bytes(tmp_path):
    assert write(tmp_path / "a.html").read_bytes() == write(tmp_path / "b.html").read_bytes()


def test_heavy_picture_becomes_an_image_with_alt_text(tmp_path, monkeypatch):
    monkeypatch.setattr("spsnn.pictures._svg._SVG_LIMIT", 1000)
    text = write_report(tmp_path / "r.html", "t", [Section("s", figures=[("c", energy_bars({"a": 1.0}))])]).read_text()
    assert re.search(r'<img class="sheet" alt="Energy per inference: 1 nJ[^"]*" src="data:image/png;base64,', text)


def test_budget_is_kept_by_resolution(tmp_path, monkeypatch):
    sections = [Section("s", figures=[("c", confusion(np.random.default_rng(0).integers(1, 9, (12, 12))))])]
    monkeypatch.setattr("spsnn.pictures._svg._SVG_LIMIT", 0)
    assert write_report(tmp_path / "r.html", "t", sections).stat().st_size > 75_000
    monkeypatch.setattr(report_module, "_PICTURE_BYTES", 65_000)
    assert write_report(tmp_path / "r.html", "t", sections).stat().st_size < 75_000


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failure_leaves_the_earlier_file(tmp_path, monkeypatch, step):
    path = tmp_path / "r.html"
    write(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(report_module.os, step, fail)
    with pytest.raises(SpsnnError, match=r"disk full.*untouched"):
        write_report(path, "new", [Section("s")])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["r.html"]


@pytest.mark.parametrize(
    ("title", "sections", "match"),
    [
        ("", [Section("s")], "title"),
        ("t", [], "at least one section"),
        ("t", ["s"], "Section objects"),
        ("t", [Section("s", figures=[("c", "no figure")])], "pairs"),
        ("t", [Section("s", table=[("a",)])], "table of section 's'"),
        ("t", [Section("s", table=[("a", 1), {"b": 2}])], "table of section 's'"),
    ],
)
def test_malformed_report_is_refused(tmp_path, title, sections, match):
    with pytest.raises(ConfigError, match=match):
        write_report(tmp_path / "r.html", title, sections)
    assert not os.listdir(tmp_path)


def test_missing_folder_and_bad_card_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="existing folder"):
        write_report(tmp_path / "none" / "r.html", "t", [Section("s")])
    with pytest.raises(ConfigError, match="cards"):
        write_report(tmp_path / "r.html", "t", [Section("s")], cards=["x"])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"), (True, "yes"), (2026, "2026"), (1234567, "1\u202f234\u202f567"), (0.0, "0"), (97.344, "97.34"),
        (1.5e-5, "1.5 × 10⁻⁵"), (float("nan"), "n/a"), (np.float32(0.5), "0.5"), (np.array([1, 2]), "1, 2"), ("x", "x"),
        (123456.7, "123\u202f457"), (9.99999, "10"), (np.int64(3), "3"), ({"a": 1}, "a: 1"),
    ],
)  # fmt: skip
def test_values_read_well(value, shown):
    assert report_module.show(value) == shown
