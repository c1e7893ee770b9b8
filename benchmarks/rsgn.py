"""Time of resonant networks against the number of nodes and the active fraction.

python benchmarks/rsgn.py
"""

from __future__ import annotations

import argparse
import time

import common
import torch

from spsnn.datasets import HierarchicalPatterns
from spsnn.models.resonant.network import ResonantSparseGeometryNetwork
from spsnn.models.resonant.sparse import SparseResonantNetwork

SAMPLES, HIDDEN, STEPS, DEGREE, ACTIVE = 8, 128, 5, 16, 64


def timed(model, x, y, repeats):
    """Least CPU time per sample in ms: inference, and a training step's forward and backward pass."""

    def infer():
        with torch.no_grad():
            model(x)

    def learn():
        torch.nn.functional.cross_entropy(model(x).logits, y).backward()

    inference = common.least_seconds([infer], repeats, time.process_time)[0]
    statistics = model.statistics()
    model.train()
    training = common.least_seconds([learn], max(repeats // 2, 2), time.process_time)[0]
    return 1e3 * inference / len(x), 1e3 * training / len(x), statistics


def sparse(n, active, x, y, repeats):
    """One row of a table for the sparse network."""
    model = SparseResonantNetwork(
        [32, n, 20], width=HIDDEN, n_steps=STEPS, active=active, degree=DEGREE, node_code=True
    ).eval()
    start = time.process_time()
    model.graph()
    found = time.process_time() - start
    inference, training, s = timed(model, x, y, repeats)
    return {
        "network": "sparse",
        "N": n,
        "active fraction": s["active_fraction"],
        "messages/sample": round(s["messages"]),
        "inference ms/sample": inference,
        "training ms/sample": training,
        "neighbourhood s": found,
    }


def dense(n, x, y, repeats):
    """The published network of the same size, which looks at all pairs."""
    model = ResonantSparseGeometryNetwork([32, n, 20], width=HIDDEN, n_steps=STEPS).eval()
    inference, training, s = timed(model, x, y, repeats)
    return {
        "network": "published",
        "N": n,
        "active fraction": s["active_fraction"],
        "messages/sample": STEPS * n * (n - 1),
        "inference ms/sample": inference,
        "training ms/sample": training,
        "neighbourhood s": "",
    }


def main():
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--largest", type=int, default=65_536, help="nodes of the largest sparse network")
    parser.add_argument("--largest-dense", type=int, default=1024, help="nodes of the largest published network")
    options = parser.parse_args()
    torch.set_num_threads(1)
    x, y = (torch.from_numpy(v) for v in HierarchicalPatterns(0).draw(SAMPLES))
    sparse(256, 0.1, x, y, 2)  # loads the kernels
    sizes = [n for n in (256, 512, 1024) if n <= options.largest_dense]
    growth = [dense(n, x, y, min(options.repeats, 3)) for n in sizes]
    growth += [
        sparse(n, min(ACTIVE / n, 1.0), x, y, options.repeats)
        for n in (256, 1024, 4096, 16_384, 65_536)
        if n <= options.largest
    ]
    shares = [sparse(4096, share, x, y, options.repeats) for share in (0.003, 0.01, 0.03, 0.1, 0.3)]
    text = (
        f"Hierarchical task, T = 64, {SAMPLES} samples a batch, H = {HIDDEN}, L = {STEPS}, {DEGREE} neighbours a node "
        f"on average, untrained, one thread, least CPU time of {options.repeats}. In the first table at most {ACTIVE} "
        "nodes are active whatever N; inference has the neighbourhood and weights in hand, training computes the "
        "weights of the synapses that carry messages. AdamW and the like still touch all parameters."
    )
    common.write("rsgn", "Resonant networks: time against size and activity", text, {
        f"Nodes, at most {ACTIVE} active": growth,
        "Active fraction, N = 4,096": shares,
    })  # fmt: skip


if __name__ == "__main__":
    main()
