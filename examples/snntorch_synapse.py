"""A spatial synapse in front of snnTorch's neurons: learned positions delay the spikes, snnTorch does the rest.

python examples/snntorch_synapse.py --neuron synaptic --epochs 10
"""

import argparse

import snntorch
import torch

import spsnn

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
NEURONS = {
    "leaky": lambda: snntorch.Leaky(beta=0.9),
    "synaptic": lambda: snntorch.Synaptic(alpha=0.7, beta=0.9),
    "alpha": lambda: snntorch.Alpha(alpha=0.9, beta=0.8),
}
parser.add_argument("--neuron", choices=NEURONS, default="leaky")
parser.add_argument("--epochs", type=int, default=10)
args = parser.parse_args()
torch.manual_seed(0)

train, test = (spsnn.datasets.Digits(split) for split in ("train", "test"))
synapse = spsnn.SpatialSynapse(64, 32, spsnn.Euclidean(2), position_scale=5.0)
synapse.init_weight(gain=2.0, mean=2.0)
hidden = NEURONS[args.neuron]()
readout = torch.nn.Linear(32, 10)
optimizer = torch.optim.Adam(
    [
        {"params": [synapse.weight, *readout.parameters()], "lr": 5e-3},
        {"params": [*synapse.pre.parameters(), *synapse.post.parameters()], "lr": 5e-2},
    ]
)


def logits(batch, dt=2.0):
    """Class scores from hidden spike counts."""
    current = synapse(torch.from_numpy(batch.to_dense(dt)), dt)  # (B, T, 64) -> (B, T, 32)
    state, count = hidden.reset_mem(), 0.0
    state = state if isinstance(state, tuple) else (state,)
    for t in range(current.shape[1]):
        spikes, *state = hidden(current[:, t], *state)
        count = count + spikes
    return readout(count)


for epoch in range(args.epochs):
    for batch in spsnn.datasets.batches(train, 64, shuffle=True, rng=epoch):
        loss = torch.nn.functional.cross_entropy(logits(batch), torch.from_numpy(batch.labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (logits(test.events).argmax(1).numpy() == test.events.labels).mean()
    print(f"epoch {epoch + 1}  loss {loss.item():.3f}  test accuracy {accuracy:.3f}")
