"""Network on the chip: speed of the simulation, the queueing model against it, and mapped networks.

python benchmarks/noc.py [--runs RUN ...]     RUN: folder of 'spsnn train' (default: trains digits, minutes)
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import common
import numpy as np

import spsnn
from spsnn.cli import workflow
from spsnn.cli.config import read_config
from spsnn.errors import SpsnnError
from spsnn.graph.network import Network, Population, Projection
from spsnn.hwmap import NocSettings, Trace, available_targets, compile, load_target, simulate_noc
from spsnn.hwmap.noc import NocModel, run_messages
from spsnn.hwmap.noc.queueing import estimate_trace

LOADS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.2, 2.0)
DEEP = NocSettings(buffer_depth=512, receive_depth=4096)


def traffic(pattern, side, per_core=64, fan_out=1, seed=0):
    """Neurons on ``side x side`` cores; each has ``fan_out`` targets anywhere, a fifth of them on core 0 (hotspot)."""
    rng = np.random.default_rng(seed)
    n = side * side * per_core
    place = np.stack([np.arange(n) // per_core % side, np.arange(n) // per_core // side], 1) + rng.uniform(
        0, 0.5, (n, 2)
    )
    near = np.arange(per_core)
    post = [np.unique(np.where((rng.random(fan_out) < 0.2) & (pattern == "hotspot"), rng.choice(near, fan_out),
                               rng.choice(n, fan_out, replace=False))) for _ in range(n)]  # fmt: skip
    ptr = np.concatenate([[0], np.cumsum([len(p) for p in post])])
    post = np.concatenate(post).astype(np.int32)
    population = Population("a", n, "lif", place, {}, np.ones(n))
    return Network(
        (population,), (Projection("a", "a", ptr, post, np.ones(len(post)), np.ones(len(post))),), 1.0, 100.0
    )


def chip_of(network, side, multicast, update_ns=1.0):
    target = load_target(
        "mesh", mesh_width=side, mesh_height=side, multicast=multicast, time_neuron_active_ns=update_ns,
        time_neuron_inactive_ns=update_ns, time_synaptic_op_ns=0.5, axons_in_per_core=10**6, axons_out_per_core=10**6,
    )  # fmt: skip
    return compile(network, target, partition="geometric", placement="row_major", cores=side * side)


def random_trace(chip, rate, steps, seed=1):
    return Trace.of(chip.flat, {"a": np.random.default_rng(seed).random((steps, chip.flat.n)) < rate})


def speed(repeats):
    """Link crossings and events per second on one core of this machine."""
    rows = []
    for pattern, side, fan_out, multicast in (
        ("uniform", 8, 1, False), ("uniform", 8, 8, False), ("uniform", 8, 8, True), ("hotspot", 8, 1, False),
        ("uniform", 16, 8, False), ("uniform", 16, 8, True), ("uniform", 32, 4, False), ("uniform", 32, 4, True),
    ):  # fmt: skip
        network = traffic(pattern, side, 64 if side < 32 else 16, fan_out)
        for flits in (1, 4) if (pattern, side, fan_out) == ("uniform", 8, 8) else (1,):
            model = NocModel(chip_of(network, side, multicast), NocSettings(flits=flits))
            trace = Trace.of(model.flat, {"a": np.random.default_rng(1).random((20, model.flat.n)) < 0.05})
            messages = model.messages(trace)
            run = run_messages(model, messages)
            calls = [
                lambda m=model, t=trace: m.messages(t),
                lambda m=model, k=messages: run_messages(m, k),
                lambda m=model, k=messages: estimate_trace(m, k),
            ]
            prepare, simulate, estimate = common.least_seconds(calls, repeats, time.process_time)
            hops = int(run.served[: model.eject].sum())
            rows.append(
                {
                    "traffic": f"{pattern}, fan-out {fan_out}, {'multicast' if multicast else 'unicast'}",
                    "cores": side * side,
                    "flits": flits,
                    "deliveries": len(run.pair),
                    "hops": hops,
                    "hops / s": hops / simulate,
                    "events / s": run.events / simulate,
                    "with messages made, hops / s": hops / (simulate + prepare),
                    "queueing model, hops / s": hops / estimate,
                }
            )
    return rows


def textbook(model, messages, served, kind):
    """Mean wait per hop if every link were a steady M/D/1 queue, or a fluid queue, over the time of generation."""
    s = model.net[0][: model.eject]
    n, window = served[: model.eject] / len(messages.floor), messages.floor.mean()
    if kind == "fluid":
        wait = np.maximum(n * s - window, 0) / 2
    else:
        rho = n * s / window
        if (rho >= 1).any():
            return "none"
        wait = rho * s / (2 * (1 - rho))
    return float((n * np.where(n > 0, wait, 0)).sum() / n.sum())


def queueing(side=8, rate=0.1, steps=20):
    """Errors of the queueing models by load, deep buffers; load 1 is where the busiest link works all the time."""
    rows = []
    for pattern, fan_out, multicast in (("uniform", 1, False), ("hotspot", 1, False), ("uniform", 8, False),
                                        ("uniform", 8, True)):  # fmt: skip
        network = traffic(pattern, side, 64, fan_out)
        chip = chip_of(network, side, multicast)
        trace = random_trace(chip, rate, steps)
        model = NocModel(chip, DEEP)
        run = run_messages(model, model.messages(trace))
        served = run.served[: model.eject]
        busiest = (served * model.net[0][: model.eject]).max() / steps
        for load in LOADS:
            chip = chip_of(network, side, multicast, update_ns=busiest / load / 64)
            model = NocModel(chip, DEEP)
            messages = model.messages(trace)
            run, found = run_messages(model, messages), estimate_trace(model, messages)
            links = slice(0, model.eject)
            hops = run.served[links].sum()
            wait, mine = run.waited_ns[links].sum() / hops, found.waited_ns[links].sum() / hops
            shallow = run_messages(NocModel(chip, NocSettings()), messages)
            rows.append(
                {
                    "traffic": f"{pattern}, fan-out {fan_out}, {'multicast' if multicast else 'unicast'}",
                    "load": load,
                    "wait per hop, ns": float(wait),
                    "M/D/1": textbook(model, messages, run.served, "M/D/1"),
                    "fluid": textbook(model, messages, run.served, "fluid"),
                    "this model": float(mine),
                    "latency, ns": float(run.latency_ns.mean()),
                    "latency error, %": float(100 * (found.latency_ns / run.latency_ns.mean() - 1)),
                    "step, ns": float(run.step_ns.mean()),
                    "step error, %": float(100 * (found.step_ns.mean() / run.step_ns.mean() - 1)),
                    "buffers of 4: latency, ns": float(shallow.latency_ns.mean()),
                    "buffers of 4: step, ns": float(shallow.step_ns.mean()),
                }
            )
    return rows


def growth(side=8):
    """Length of a step as activity grows to and beyond the headroom that the least activity shows."""
    network = traffic("uniform", side, 64, 4)
    chip = chip_of(network, side, False, update_ns=20.0)
    base = 0.01
    order = np.random.default_rng(2).random((10, chip.flat.n))
    first = simulate_noc(chip, [Trace.of(chip.flat, {"a": order < base})])
    mean_room = _mean_headroom(first)
    rows = []
    for factor in (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0):
        rate = min(base * mean_room * factor, 1.0)
        result = simulate_noc(chip, [Trace.of(chip.flat, {"a": order < rate})])
        rows.append(
            {
                "activity / headroom": factor,
                "spikes per neuron and step": rate,
                "step, ns": float(result.step_ns.mean()),
                "step / step without network": float(
                    result.step_ns.mean() / (result.floor_ns.mean() + result.report()["step_barrier_ns"])
                ),
                "bottleneck": result.report()["headroom_bottleneck"],
                "its headroom, worst step": result.report()["headroom_factor"],
            }
        )
    return rows


def _mean_headroom(result):
    """Headroom of the mean step: as activity grows, steps come to look alike."""
    model, steps = result.model, result.step_ns.size
    links = result.served[: model.eject] * model.net[0][: model.eject] / steps
    cores = result.busy_ns[model.engine : model.inject] / steps
    return float(result.floor_ns.mean() / max(links.max(), cores.max()))


def networks(runs, samples, cores):
    """Every target that holds the network; spike traces of the mapped network on test data."""
    rows, depths = [], []
    for name, folder in runs.items():
        model = spsnn.load(folder / "model.h5")
        data = workflow.load_split(workflow.data_of(model, folder), "test")
        network = spsnn.to_graph(model, data.events, source=f"{data.name} test", name=name)
        for target in available_targets():
            try:
                chip = compile(network, target, cores=cores)
                mapped = spsnn.from_graph(model, chip.quantised)
                traces = spsnn.record_trace(mapped, data.events[:samples], chip.flat)
                found = chip.simulate(traces).report()
                estimate = chip.simulate(traces, timing="queue").report()
            except SpsnnError as error:
                print(f"{name} on {target}: left out, {error}")
                continue
            rows.append(
                {
                    "network": name,
                    "target": target,
                    "cores": chip.partition.n_cores,
                    "simple, us": chip.cost["latency_us_per_inference"],
                    "queue, us": estimate["latency_us_per_inference"],
                    "no network, us": found["latency_us_without_network"],
                    "p50, us": found["latency_us_per_inference_p50"],
                    "p95, us": found["latency_us_per_inference_p95"],
                    "p99, us": found["latency_us_per_inference_p99"],
                    "max, us": found["latency_us_per_inference_max"],
                    "message p50 / p99 / max, ns": " / ".join(
                        f"{found[f'message_latency_ns_{p}']:.3g}" for p in ("p50", "p99", "max")
                    ),
                    "inferences / s": found["throughput_inferences_per_s"],
                    "energy, nJ": found["energy_nj_per_inference"],
                    "EDP, nJ us": found["edp_nj_us"],
                    "headroom": _factor(found["headroom_factor"]),
                    "bottleneck": found["headroom_bottleneck"],
                    "real-time headroom": _factor(found["headroom_realtime_factor"]),
                    "energies": found["energy_source"].split(":")[0],
                    "times": found["time_source"].split(":")[0],
                }
            )
            if target == "loihi2":
                for settings in (
                    NocSettings(), NocSettings(buffer_depth=1, receive_depth=1), NocSettings(buffer_depth=64),
                    NocSettings(flits=2), NocSettings(flits=4), NocSettings(host_gap_ns=20.0),
                ):  # fmt: skip
                    found = chip.simulate(traces, settings).report()
                    depths.append(
                        {
                            "network": name,
                            "flits": settings.flits,
                            "buffers": settings.buffer_depth,
                            "receive buffer": settings.receive_depth,
                            "host gap, ns": settings.host_gap_ns,
                            "latency, us": found["latency_us_per_inference"],
                            "message p99, ns": found["message_latency_ns_p99"],
                            "wait per hop, ns": found["link_wait_ns_per_hop"],
                            "fullest buffer": found["buffer_occupancy_max_messages"],
                        }
                    )
    return rows, depths


def _factor(value):
    return "no traffic" if value is None else float(value)


def train(names, folder):
    runs = {}
    for name in names:
        config = read_config(name)
        net, sets = workflow.prepare(config, Path(folder) / name)
        workflow.train(config, Path(folder) / name, net, sets)
        runs[name] = Path(folder) / name
    return runs


TEXT = """
Discrete-event simulation (`kernels/cpu/noc.py`) and queueing model (`hwmap/noc/queueing.py`) of the network on the
chip; [docs/noc.md](../noc.md) explains both. One core of the machine, least of several runs, processor time.

Traffic is synthetic, 8 x 8, 16 x 16 or 32 x 32 cores, each neuron with `fan-out` targets on random cores; `hotspot`
sends a fifth to one core. Load 1 is where the busiest link works as long as the cores update their neurons. Errors are
those of the queueing model against the simulation with deep buffers, same messages; M/D/1 and fluid are textbook
values from the same loads, M/D/1 only where every link has a load below 1. Mapped networks, trained as `spsnn train`
ships them (one seed), run spike traces of the quantised network on test samples; buffers hold 4 messages, a message is
one flit, all input spikes of a step wait at the port when it begins. Targets without a time of a hop, without a
required figure or without room are left out.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="*", help="folders of trained networks")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    tables = {"Speed": speed(arguments.repeats), "Queueing model against simulation": queueing()}
    tables["Activity up to the headroom"] = growth()
    with tempfile.TemporaryDirectory() as folder:
        runs = {p.name: p for p in arguments.runs} if arguments.runs else train(("digits",), folder)
        rows, depths = networks(runs, arguments.samples, arguments.cores)
    tables |= {f"Mapped networks, {arguments.samples} samples": rows, "What no target states (loihi2)": depths}
    common.write("noc", "Network on the chip", TEXT, tables)


if __name__ == "__main__":
    main()
