"""Pytest plugin: pin what a trained network does on a chip, so that a test fails when it drifts.

Pytest loads this file in every project of an environment that has spsnn installed.  It therefore stands outside the
package and imports nothing of it (nor torch) before a test asks for the fixture.
"""

import os
from urllib.parse import quote

import pytest

OPTION = "--spsnn-accept"
_ACCEPTED = "spsnn accepted"


def pytest_addoption(parser):
    """Add the one option of the plugin."""
    parser.getgroup("spsnn").addoption(
        OPTION,
        action="store_true",
        dest="spsnn_accept",
        help="write the baselines of pinned_chip that are missing or that the chip has left; the tests pass",
    )


@pytest.fixture
def pinned_chip(request):
    """Compare a network on a chip with the figures kept beside the test.

    Call it as ``pinned_chip(model, target="loihi2", accuracy=0.5, latency=0.01, energy=0.01, layout="exact")``; the
    arguments are those of `spsnn.pinning.measure` and `spsnn.pinning.Tolerances`, and ``name`` for the second and
    further calls of one test.  A relative path of a model starts at pytest's root directory.  Baselines are
    ``FOLDER/TEST_FILE/TEST[.NAME].json``; ``--spsnn-accept`` writes those that are missing or no longer met.

    Returns:
        Function that maps the model, compares, and returns the `spsnn.hwmap.Chip`.
    """
    from spsnn import pinning

    used = set()

    def pin(model, target="loihi2", *, name=None, accuracy=0.5, latency=0.01, energy=0.01, layout="exact", **options):
        __tracebackhide__ = True
        tolerances = pinning.Tolerances(accuracy=accuracy, latency=latency, energy=energy, layout=layout)
        test = quote(request.node.name, safe="[]-_.,=+@ ")
        if name in used:
            pytest.fail(
                f"pinned_chip is called twice as {name!r} in one test; give each call a name=...", pytrace=False
            )
        used.add(name)
        if isinstance(model, (str, os.PathLike)):
            model = request.config.rootpath / model
        path = request.path.with_suffix("") / (f"{test}.{quote(str(name), safe='')}.json" if name else f"{test}.json")
        chip, now = pinning.measure(model, target, accuracy=accuracy is not None, **options)
        problem = pinning.problem(path, now, tolerances)
        if problem is None:
            return chip
        shown = os.path.relpath(path, request.config.invocation_params.dir)
        if not request.config.getoption("spsnn_accept"):
            pytest.fail(
                f"{shown}: {problem}\n\nTo accept what there is now:  pytest {OPTION} '{request.node.nodeid}'",
                pytrace=False,
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        pinning.write(path, now)
        request.node.user_properties.append((_ACCEPTED, f"{shown}: {problem}"))
        return chip

    return pin


def pytest_terminal_summary(terminalreporter):
    """Say which baselines were written, and why."""
    reports = [r for group in terminalreporter.stats.values() for r in group if getattr(r, "when", None) == "call"]
    accepted = [text for report in reports for key, text in report.user_properties if key == _ACCEPTED]
    if accepted:
        terminalreporter.section(f"spsnn: baselines written ({OPTION})")
        for text in accepted:
            terminalreporter.line(text)
