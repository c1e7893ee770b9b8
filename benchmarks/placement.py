"""Placement methods against each other on trained and procedural networks, and the growth of placement with cores.

python benchmarks/placement.py                                      # procedural networks, 5 seeds
python benchmarks/placement.py --model runs/shd/model.h5 --data-dir DIR --target loihi2 --cores 64
python benchmarks/placement.py --growth

Finished cases are kept in runs/placement and not run again; --fresh starts anew.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import common
import numpy as np

from spsnn.atomic import replacing
from spsnn.hwmap import load_target, synthetic
from spsnn.hwmap.place import arrange, block_of_slots
from spsnn.hwmap.place.blind import MOST_QAP_PLACES
from spsnn.tables.summary import sign_flip

METHODS = (
    "random",
    "row_major",
    "hilbert",
    "force_directed",
    "spectral",
    "qap",
    "learned",
    "random+refine",
    "force_directed+refine",
    "learned+refine",
    "learned+refine, quick",
)
RIVALS = ("random", "row_major", "hilbert", "force_directed", "qap", "random+refine", "force_directed+refine")
OURS = "learned+refine", "learned+refine, quick"
QUICK = 0.03  # effort
# neurons, cores, synapses of each, dimension, clusters
SYNTHETIC = {
    "1e4 plane": (10_000, 64, 100, 2, 0),
    "1e4 clusters": (10_000, 64, 100, 2, 8),
    "1e4 space": (10_000, 64, 100, 3, 0),
    "1e5 clusters": (100_000, 256, 300, 2, 16),
    "1e5 space": (100_000, 256, 300, 3, 0),
    "1e6 clusters": (1_000_000, 1024, 1000, 2, 32),
}
STEPS = 100
LENGTH = 0.02


def square_mesh(cores):
    """A multicast mesh just large enough."""
    side = int(np.ceil(np.sqrt(cores)))
    return load_target("mesh", mesh_width=side, mesh_height=side)


def length_of(cores, dimension):
    """Connection length: about half the width of the region that a core holds in the plane."""
    return 0.5 / np.sqrt(cores) if dimension == 2 else 0.5 / cores ** (1 / 3)


def place_all(methods, edges, target, measure, seed):
    """One row for each method: figures and seconds of one core."""
    rows = {}
    edges.attraction  # noqa: B018  shared by all methods, so counted for none
    for method in methods:
        if method == "qap" and len(block_of_slots(target, edges.n_cores)) > MOST_QAP_PLACES:
            continue
        start = time.process_time()
        name, *quick = method.split(", ")
        slots = arrange(edges, target, method=name, seed=seed, **({"effort": QUICK} if quick else {}))
        rows[method] = measure(slots) | {"seconds": time.process_time() - start}
    return rows


def procedural(name, seed, methods=METHODS):
    """Rows of one procedural network."""
    n, cores, fan_out, dimension, clusters = SYNTHETIC[name]
    net = synthetic(
        n, fan_out=fan_out, dimension=dimension, clusters=clusters, length=length_of(cores, dimension), seed=seed
    )
    start = time.process_time()
    on = net.on_cores(net.partition(cores), cores)
    drawing, target = time.process_time() - start, square_mesh(cores)
    rows = place_all(methods, on.edges, target, lambda slots: figures(on.cost(target, slots, STEPS)), seed)
    return rows, {"synapses": on.synapses, "seconds_drawing": drawing, "memory_mb": common.peak_memory_mb()}


def figures(cost):
    """What the tables show of `cost`."""
    return {
        "hops": cost["hops_per_inference"],
        "max link": cost["link_load_max"],
        "energy nJ": cost["energy_nj_per_inference"],
        "hop energy nJ": cost["energy_hop_ew_nj"] + cost["energy_hop_ns_nj"],
        "latency us": cost["latency_us_per_inference"],
    }


def trained(network, target, cores, seed):
    """Rows of a trained network; the seed is that of the partition too."""
    from spsnn.hwmap.compile import _Mapper
    from spsnn.hwmap.cost import cost
    from spsnn.hwmap.cost.route import route
    from spsnn.hwmap.place import place, traffic
    from spsnn.hwmap.traffic.hyperedges import Hyperedges

    mapper = _Mapper(network, target, seed, "mtkahypar", "stored", cores)
    flat, parts = mapper.flat, mapper.partition
    tree = load_target(target, multicast=True)
    edges = Hyperedges.of(flat, parts)
    traffic(flat, parts)
    rows = {}
    for method in METHODS[:-1]:
        start = time.process_time()
        slots = place(flat, target, parts, method=method, seed=seed)
        seconds = time.process_time() - start
        row = figures(cost(flat, target, parts, route(flat, target, parts, slots)))
        rows[method] = row | {"multicast hops": edges.link_load(tree, slots).sum(), "seconds": seconds}
    return rows, {"synapses": len(flat.pre), "cores": parts.n_cores}


def kept(path, name, seed, call):
    """Rows of a case and seed, from the file of an earlier run if there."""
    path.mkdir(parents=True, exist_ok=True)
    file = path / f"{name.replace(' ', '_')}_{seed}.json"
    if not file.exists():
        found = call()
        with replacing(file) as temporary:
            temporary.write_text(json.dumps(found, default=float))
        rows = found[0]
        print(name, seed, {m: (round(r["hops"]), round(r["seconds"], 2)) for m, r in rows.items()}, flush=True)
    return json.loads(file.read_text())


def table(seeds):
    """Means over seeds, hops against learned+refine."""
    methods = [m for m in METHODS if all(m in rows for rows, _ in seeds)]
    out = []
    for method in methods:
        means = {key: statistics.fmean(rows[method][key] for rows, _ in seeds) for key in seeds[0][0][method]}
        ratio = statistics.fmean(rows[method]["hops"] / rows["learned+refine"]["hops"] for rows, _ in seeds)
        out.append({"placement": method} | {k: f"{v:.4g}" for k, v in means.items()} | {"hops ratio": f"{ratio:.3f}"})
    return out


def claims(name, seeds):
    """Refined placement against each rival: hops, paired over seeds."""
    out = []
    for ours, rival in [(o, r) for o in OURS for r in RIVALS if o == OURS[0] or r == "qap"]:
        if not all(rival in rows and ours in rows for rows, _ in seeds):
            continue
        differences = [rows[ours]["hops"] / rows[rival]["hops"] - 1 for rows, _ in seeds]
        test = sign_flip(differences)
        faster = statistics.fmean(rows[rival]["seconds"] / rows[ours]["seconds"] for rows, _ in seeds)
        wins = sum(d < 0 for d in differences)
        out.append(
            {
                "network": name,
                "placement": ours,
                "against": rival,
                "hops": f"{100 * test['difference']:+.1f} %",
                "better on": f"{wins} of {test['n']}",
                "p": "-" if test["p"] is None else f"{test['p']:.2g}",
                "its time / ours": f"{faster:.2g}",
            }
        )
    return out


def main():
    """Measure and write docs/results/placement*.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, action="append", default=[], help="model file of a trained network")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--target", default="loihi2")
    parser.add_argument("--cores", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--large-seeds", type=int, help="seeds of a million neurons, if fewer")
    parser.add_argument("--case", nargs="*", default=list(SYNTHETIC), choices=list(SYNTHETIC))
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--most-cores", type=int, default=16384)
    parser.add_argument("--fresh", action="store_true")
    args = parser.parse_args()
    store = Path("runs/placement")
    if args.fresh:
        for file in store.glob("*.json"):
            file.unlink()
    if args.growth:
        growth(store, args.most_cores)
        return
    cases = {}
    for path in args.model:
        from spsnn import models
        from spsnn.cli import workflow

        model = models.load(path)
        data = workflow.load_split(workflow.data_of(model, path), "test", args.data_dir)
        network = models.to_graph(model, data.events, source=f"{data.name} test, {len(data)} samples", name=data.name)
        target = load_target(args.target)
        name = f"{path.parent.name} on {args.cores} cores of {target.name}"
        run = lambda seed, n=network, t=target: trained(n, t, args.cores, seed)  # noqa: E731
        cases[name] = [kept(store, name, seed, lambda s=seed, r=run: r(s)) for seed in range(args.seeds)]
    for name in args.case:
        seeds = args.large_seeds or args.seeds if name.startswith("1e6") else args.seeds
        cases[name] = [kept(store, name, s, lambda s=s, n=name: procedural(n, s)) for s in range(seeds)]
    synapses = {name: max(facts["synapses"] for _, facts in seeds) for name, seeds in cases.items()}
    memory = max((facts.get("memory_mb", 0) for seeds in cases.values() for _, facts in seeds), default=0)
    shapes = "\n".join(
        f"- {name}: {n:,} neurons, {synapses[name]:,} synapses, {cores} cores, dimension {dimension}"
        + (f", {clusters} clusters" if clusters else ", even")
        for name, (n, cores, _, dimension, clusters) in SYNTHETIC.items()
        if name in cases
    )
    text = f"""
Procedural networks with connections that fall as exp(-distance / length), the length half the width of a core's region,
lognormal rates of mean 1 and sigma 1, on a square multicast mesh, partitioned by halving the cloud; every seed draws
another network. Hops are spike-weighted and exact for all synapses; energy and latency by the `simple` model for
{STEPS} steps with the figures of the `mesh` target (inherited from Loihi 1). Seconds are those of one core for
placement alone, the traffic between cores being known. Peak memory {memory:.0f} MB. Trained networks: every seed is
another partition; hops by the target's own routing.

{shapes}

"hops ratio" is that to learned+refine, mean of the ratios over seeds; "p" is that of the exact two-sided sign-flip
test, which cannot fall below 2 / 2^n ({2 / 2**args.seeds:.3g} with {args.seeds} seeds). Latency does not depend on the
placement in this model, which has no queueing, where the same tiles are used. "quick" is effort {QUICK}.
Tables without energy and latency were measured before a change of the cost model, which moves neither hops nor links.
"""
    heads = {name: table(seeds) for name, seeds in cases.items()}
    tests = [row for name, seeds in cases.items() for row in claims(name, seeds)]
    tests += claims("all", [one for seeds in cases.values() for one in seeds])
    common.write("placement", "Placement methods", text, {"Refined against the others": tests} | heads)


def growth(store, most):
    """Time and hops over the number of cores."""
    rows = []
    for cores in (64, 256, 1024, 4096, 16384):
        if cores > most:
            continue

        def run(cores=cores):
            net = synthetic(64 * cores, fan_out=64, clusters=16, length=length_of(cores, 2), seed=0)
            on, target = net.on_cores(net.partition(cores), cores), square_mesh(cores)
            methods = ("random", "hilbert", "force_directed", "learned", "learned+refine")
            found = place_all(methods, on.edges, target, lambda slots: figures(on.cost(target, slots, STEPS)), 0)
            return found, {"memory_mb": common.peak_memory_mb()}

        found, facts = kept(store, f"growth {cores}", 0, run)
        rows.append(
            {"cores": cores, "neurons": 64 * cores}
            | {f"{m}: s": f"{found[m]['seconds']:.2f}" for m in ("force_directed", "learned", "learned+refine")}
            | {f"{m}: hops": f"{row['hops']:.4g}" for m, row in found.items()}
            | {"peak MB": f"{facts['memory_mb']:.0f}"}
        )
    text = """
64 neurons to a core with 64 synapses each, 16 clusters in the plane, one seed, square multicast mesh. Seconds are those
of one core for placement, the traffic between cores being known.
"""
    common.write("placement_growth", "Placement over the number of cores", text, {"Growth": rows})


if __name__ == "__main__":
    main()
