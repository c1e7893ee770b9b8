"""Rules between the figures of a target, and how to give a figure that is missing."""

from __future__ import annotations


def check(target):
    """Rules between figures; a broken one raises ValueError."""
    slots = target.mesh_width * target.mesh_height * target.cores_per_tile
    if target.n_cores > slots:
        raise ValueError(f"n_cores {target.n_cores} exceeds the {slots} places of the mesh")
    if not (0 <= target.port[0] < target.mesh_width and 0 <= target.port[1] < target.mesh_height):
        mesh = f"{target.mesh_width} x {target.mesh_height} mesh"
        raise ValueError(f"port {list(target.port)} lies outside the {mesh}")
    if target.max_delay_steps >= 2**target.delay_bits:
        raise ValueError(f"max_delay_steps {target.max_delay_steps} needs more than delay_bits {target.delay_bits}")
    if target.min_delay_steps > target.max_delay_steps:
        raise ValueError(f"min_delay_steps {target.min_delay_steps} exceeds max_delay_steps {target.max_delay_steps}")
    if target.family == "loihi" and target.native_delay_modes != ["stored"]:
        raise ValueError("native_delay_modes of a Loihi target must be ['stored']: its steps end at a barrier")
    if target.family == "crossbar":
        _need(target, "family 'crossbar'", ("crossbar_rows", "crossbar_columns", "energy_merge_pj", "time_merge_ns"))
    points = [1, *(tiles for tiles, _ in target.barrier_between_ns)]
    if points != sorted(set(points)):
        raise ValueError(f"barrier_between_ns must name rising numbers of tiles above 1, got {points[1:]}")
    if min(target.chips) < 1 or target.mesh_width % target.chips[0] or target.mesh_height % target.chips[1]:
        mesh = f"{target.mesh_width} x {target.mesh_height} tiles"
        raise ValueError(f"chips {list(target.chips)} must divide the mesh of {mesh} evenly")
    if target.n_chips > 1:
        _need(target, f"a system of {target.n_chips} chips", ("energy_chip_link_pj", "time_chip_link_ns"))
        if target.n_cores % target.n_chips:
            raise ValueError(f"n_cores {target.n_cores} must be the same number on each of {target.n_chips} chips")


def _need(target, what, figures):
    missing = [name for name in figures if getattr(target, name) is None]
    if missing:
        raise ValueError(f"{what} needs {' and '.join(missing)}; {how_to_give(missing)}")


def how_to_give(figures):
    """How a user gives figures that a profile lacks."""
    python, shell = ", ".join(f"{f}=..." for f in figures), " ".join(f"--target-set {f}=..." for f in figures)
    return f"give it with load_target(..., {python}), on the command line with {shell}, or in a TOML file of your own"
