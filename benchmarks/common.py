"""What the benchmarks share: timing, tables, files."""

from __future__ import annotations

import json
import platform
import resource
import statistics
import time
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"


def median_seconds(call, repeats=5, budget=float("inf")):
    """Median wall time of ``call()`` after one warm-up call; no call starts after ``budget`` seconds of measuring."""
    call()
    times = []
    while len(times) < repeats and sum(times) < budget:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def least_seconds(calls, repeats=15, clock=time.perf_counter):
    """Least wall time of each of ``calls``, which take turns: on a shared machine what the code itself costs.

    For code on one core ``clock=time.process_time`` leaves out the time in which other programs had it.
    """
    for call in calls:
        call()
    times = [[] for _ in calls]
    for _ in range(repeats):
        for call, found in zip(calls, times, strict=True):
            start = clock()
            call()
            found.append(clock() - start)
    return [min(found) for found in times]


def peak_memory_mb():
    """Largest resident memory of this process so far in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def machine():
    """What the figures were measured on."""
    import numba
    import torch

    import spsnn

    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "cpu": model,
        "threads": numba.get_num_threads(),
        "torch_threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numba": numba.__version__,
        "spsnn": spsnn.__version__,
    }


def write(name, title, text, tables):
    """Print tables and write ``docs/results/NAME.json`` and ``.md``; ``tables`` maps a heading to rows (dicts)."""
    facts = machine()
    lines = [f"# {title}", "", text.strip(), "", ", ".join(f"{k} {v}" for k, v in facts.items()), ""]
    for heading, rows in tables.items():
        keys = list(rows[0])
        lines += [f"## {heading}", "", "| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
        lines += ["| " + " | ".join(_text(row[k]) for k in keys) + " |" for row in rows]
        lines.append("")
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.md").write_text("\n".join(lines), encoding="utf-8")
    (RESULTS / f"{name}.json").write_text(json.dumps({"machine": facts, **tables}, indent=1) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _text(value):
    return f"{value:.3g}" if isinstance(value, float) else str(value)
