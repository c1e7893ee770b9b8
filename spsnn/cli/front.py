"""The Pareto front of placements for the command line: rows, table, picture."""

from __future__ import annotations

from spsnn import hwmap, pictures


def front_of(chip, cores=None):
    """Rows of `spsnn.hwmap.pareto` for a mapped network, with its options; ``cores`` as it was asked for."""
    options = {name: chip.options[name] for name in ("seed", "partition", "placement", "delay_mode", "split_fan_in")}
    return hwmap.pareto(chip.network, chip.target, cores=cores, **options)


def draw_front(chip, rows):
    """Picture of the rows, labelled like all pictures of the chip."""
    label = chip.target.delay_label(chip.delay_mode)
    return pictures.pareto_front(rows, target=chip.target.title, delays=label, hypothetical=chip.hypothetical)


def front_table(rows):
    """What a person reads of each placement: weights of the search, the costs, whether another is nowhere worse."""
    shown = {"hops_per_inference": "hops", "link_load_max": "busiest link", "delay_error_per_inference": "delay error"}
    return [
        {"hops/link/delay": "start" if row["weights"] is None else "/".join(f"{w:g}" for w in row["weights"])}
        | {words: row[key] for key, words in shown.items()}
        | {"on the front": not row["dominated"]}
        for row in rows
    ]
