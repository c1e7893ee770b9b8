"""A spatial synapse in front of snnTorch's neurons: learned positions delay the spikes, snnTorch does the rest.

python examples/snntorch_synapse.py --epochs 10
"""

import argparse

import snntorch
import torch

import spsnn

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--epochs", type=int, default=10)
args = parser.parse_args()
torch.manual_seed(0)

train, test = (spsnn.datasets.Digits(split) for split in ("train", "test"))
synapse = spsnn.SpatialSynapse(64, 32, spsnn.Euclidean(2), position_scale=5.0)
synapse.init_weight(gain=2.0, mean=2.0)
hidden = snntorch.Leaky(beta=0.9)
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
    potential, count = hidden.init_leaky(), 0.0
    for t in range(current.shape[1]):
        spikes, potential = hidden(current[:, t], potential)
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
