"""Energy of one inference by component, each with the source of its figure."""

from __future__ import annotations

from spsnn.hwmap.cost import COMPONENTS


def energy_table(figures):
    """Rows of ``component``, ``events``, ``energy [nJ]``, ``share [%]`` and ``source`` from ``chip.report()``."""
    total = figures["energy_nj_per_inference"]
    rows = []
    for name in COMPONENTS:
        energy = figures.get(f"energy_{name}_nj")
        if energy is not None:
            events = figures.get(f"count_{name}")
            rows.append(
                {
                    "component": name.replace("_", " "),
                    "events": "" if events is None else f"{events:.4g}",
                    "energy [nJ]": f"{energy:.4g}",
                    "share [%]": f"{100 * energy / total:.1f}" if total else "",
                    "source": figures[f"energy_{name}_source"],
                }
            )
    return rows
