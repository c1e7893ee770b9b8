"""Run a network that spsnn wrote for Lava: python run_lava.py NETWORK.npz SPIKES.npz RESULT.npz

Needs numpy, scipy and lava-nc, not spsnn.  SPIKES.npz holds ``[samples, steps, units]`` of zeros and ones for every
input population, by name; RESULT.npz receives ``spikes/<population>`` and, for leaky integrators,
``potential/<population>``, of the same shape.  All samples run at once, as copies of the network side by side.
"""

import argparse
import dataclasses
import json
import multiprocessing
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
from scipy.sparse import block_diag, csr_matrix

NO_LAVA = 3  # exit code
CLASSES = {
    "RunSteps": ("lava.magma.core.run_conditions", "RunSteps"),
    "Loihi2SimCfg": ("lava.magma.core.run_configs", "Loihi2SimCfg"),
    "DelayDense": ("lava.proc.dense.process", "DelayDense"),
    "DelaySparse": ("lava.proc.sparse.process", "DelaySparse"),
    "LIF": ("lava.proc.lif.process", "LIF"),
    "Monitor": ("lava.proc.monitor.process", "Monitor"),
    "Sink": ("lava.proc.io.sink", "RingBuffer"),
    "Source": ("lava.proc.io.source", "RingBuffer"),
}
FOREVER = 1e30  # threshold of a leaky integrator in floating point


def import_lava():
    """The classes in use.  Lava 0.10 was written for Python 3.10: later versions refuse its unhashable defaults."""
    make, method = dataclasses.dataclass, multiprocessing.set_start_method

    def hashable(cls=None, **options):
        if cls is None:
            return lambda cls: hashable(cls, **options)
        own = cls.__module__.startswith("lava.") and "__hash__" not in cls.__dict__
        return make(cls, **({**options, "unsafe_hash": True} if own else options))

    dataclasses.dataclass = hashable
    multiprocessing.set_start_method = lambda name, force=True: method(name, force=True)
    try:
        return argparse.Namespace(**{n: getattr(import_module(module), cls) for n, (module, cls) in CLASSES.items()})
    except ImportError as error:
        print(f"{error}", file=sys.stderr)
        sys.exit(NO_LAVA)
    finally:
        dataclasses.dataclass, multiprocessing.set_start_method = make, method


def make_neurons(lava, p, copies, fixed):
    """LIF process of a population, one copy for each sample."""
    shape = (copies * p["size"],)
    if fixed:
        names = ("du", "dv", "vth", "bias_mant", "bias_exp")
        return lava.LIF(shape=shape, **{name: p[name] for name in names})
    return lava.LIF(
        shape=shape,
        du=p["float_du"],
        dv=p["float_dv"],
        vth=FOREVER if p["kind"] == "li" else p["float_vth"],
        bias_mant=p["bias_mant"] * 2.0 ** p["bias_exp"] * p["unit"],
    )


def make_synapses(lava, post, shape, arrays, copies, fixed, dense):
    """Delayed synapses of a projection, weights ``[post, pre]``; in floating point in units of the potential."""
    rows, columns, weight, delay = arrays
    weight = weight if fixed else weight * 64.0 * post["unit"]
    weight, delay = (csr_matrix((x, (rows, columns)), shape=shape) for x in (weight, delay.astype(int)))
    weight, delay = (block_diag([x] * copies, format="csr") for x in (weight, delay))
    longest = int(delay.max()) if delay.nnz else 0
    if dense:
        weight, delay = weight.toarray(), delay.toarray()
    kind = lava.DelayDense if dense else lava.DelaySparse
    return kind(weights=weight, delays=delay, max_delay=longest, num_message_bits=0)


def run(network, spikes, fixed=True, dense=False):
    """Build the processes, run them, and return what they recorded, ``{name: [B, T, N]}``."""
    lava, meta = import_lava(), json.loads(str(network["meta"]))
    populations = {p["name"]: p for p in meta["populations"]}
    copies, steps = next(iter(spikes.values())).shape[:2]
    neurons, outputs, sinks, monitors = {}, {}, {}, {}
    for name, p in populations.items():
        if p["kind"] == "input":
            data = spikes[name].transpose(0, 2, 1).reshape(copies * p["size"], steps)
            outputs[name] = lava.Source(data=data.astype(np.int32 if fixed else float)).s_out
            continue
        neurons[name] = make_neurons(lava, p, copies, fixed)
        outputs[name] = neurons[name].s_out
        sinks[name] = lava.Sink(shape=(copies * p["size"],), buffer=steps)
        neurons[name].s_out.connect(sinks[name].a_in)
        if p["kind"] == "li":
            monitors[name] = lava.Monitor()
            monitors[name].probe(neurons[name].v, steps)
    for k, (pre, post) in enumerate(meta["projections"]):
        arrays = [network[f"projection/{k}/{name}"] for name in ("post", "pre", "weight", "delay")]
        shape = populations[post]["size"], populations[pre]["size"]
        synapses = make_synapses(lava, populations[post], shape, arrays, copies, fixed, dense)
        outputs[pre].connect(synapses.s_in)
        synapses.a_out.connect(neurons[post].a_in)
    first = next(iter(neurons.values()))
    settings = lava.Loihi2SimCfg(select_tag="fixed_pt" if fixed else "floating_pt")
    result = {}
    try:
        first.run(lava.RunSteps(num_steps=steps), run_cfg=settings)
        for name, sink in sinks.items():
            size = populations[name]["size"]
            result[f"spikes/{name}"] = sink.data.get().reshape(copies, size, steps).transpose(0, 2, 1) > 0
            if name in monitors:
                (recorded,) = monitors[name].get_data().values()
                unit = populations[name]["unit"] if fixed else 1.0
                value = recorded["v"].reshape(steps, copies, size).transpose(1, 0, 2)
                result[f"potential/{name}"] = value * unit
    finally:
        first.stop()
    return result


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("spikes", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--floating", action="store_true", help="floating point in place of Loihi's integers")
    parser.add_argument("--dense", action="store_true", help="DelayDense in place of DelaySparse")
    options = parser.parse_args()
    with np.load(options.network) as network, np.load(options.spikes) as spikes:
        result = run(dict(network), dict(spikes), not options.floating, options.dense)
    np.savez_compressed(options.result, **result)


if __name__ == "__main__":
    main()
