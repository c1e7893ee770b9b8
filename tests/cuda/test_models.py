"""A whole model on the GPU: training, checkpoints, files and rates."""

import numpy as np
import pytest
import torch

import spsnn
from spsnn.autograd import population

SETTINGS = spsnn.TrainingConfig(epochs=2, batch_size=4, lr=0.05, rescue=0.1)


def data():
    rng = np.random.default_rng(0)
    trains = [(rng.uniform(0, 12, 12), rng.integers(0, 4, 12)) for _ in range(4)]
    return spsnn.SpikeBatch.from_samples(trains, 4, 12.0, rng.integers(0, 2, 4))


def trained(device, path, **settings):
    settings = {"recurrent": True, "weight_mean": 8.0, "position_scale": 1.0, **settings}
    model = spsnn.SpSNN([4, 5, 2], grid=spsnn.Grid(slope=0.5), **settings)
    model.to(device)
    history = spsnn.fit(model, data(), data(), SETTINGS, checkpoint=path)
    losses = [entry[k] for entry in history for k in ("train_loss", "validation_loss", "spikes_per_neuron", "silent")]
    return model, losses, spsnn.to_graph(model, data())


@pytest.mark.parametrize("settings", [{}, {"normalise": "batch", "normal_gain": 4.0, "dropout": 0.3, "skip": [[0, 2]]}])
def test_training_is_that_of_the_cpu_kernels(device, tmp_path, monkeypatch, settings):
    model, losses, graph = trained(device, tmp_path / "gpu.h5", **settings)
    spsnn.save(model, tmp_path / "model.h5")
    state = {k: x.cpu() for k, x in model.state_dict().items()}
    loaded = spsnn.load(tmp_path / "model.h5").state_dict()
    assert all(torch.equal(loaded[k], state[k]) for k in state)
    spsnn.fit(model, data(), data(), SETTINGS, checkpoint=tmp_path / "gpu.h5", resume=True)
    assert all(torch.equal(x.cpu(), state[k]) for k, x in model.state_dict().items())
    monkeypatch.setattr(population, "on_cuda", lambda tensor: False)
    other, want, reference = trained("cpu", tmp_path / "cpu.h5", **settings)
    assert want[2] > 0.1
    assert np.allclose(losses, want, rtol=1e-4)
    assert all(torch.allclose(state[k], x, rtol=1e-3, atol=1e-4) for k, x in other.state_dict().items())
    for p, q in zip(graph.populations, reference.populations, strict=True):
        assert np.allclose(p.rates, q.rates)
