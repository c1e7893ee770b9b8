"""The spatial weight prior: kernels by hand, the stated sparsities, modes, schedules, controls and hard pruning."""

import math

import numpy as np
import pytest
import torch

import spsnn
from spsnn import ConfigError, SpatialPriorLinear, SpatialPriorMLP
from spsnn.datasets import DenseSet, JointSet, load
from spsnn.models.rate.prior_kernels import KERNELS, index_distance, kernel, plane_places
from spsnn.models.rate.spatial_prior import MODES, PriorSettings
from spsnn.models.rate.spatial_prior_tasks import SpatialPriorTasks

BY_HAND = {
    "none": lambda d, k: 1.0,
    "linear": lambda d, k: 1 - d,
    "linear_floor": lambda d, k: 0.1 + 0.9 * (1 - d),
    "exponential": lambda d, k: 0.05 + 0.95 * math.exp(-k * d),
    "gaussian": lambda d, k: 0.05 + 0.95 * math.exp(-(d**2) / 0.18),
    "inverse": lambda d, k: 0.1 + 0.9 * d,
}


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_by_hand(name):
    k = kernel(name, index_distance(4, 3), 3.0)
    for i in range(4):
        for j in range(3):
            assert float(k[i, j]) == pytest.approx(BY_HAND[name](abs(i / 3 - j / 2), 3.0), abs=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_effective_weights_are_never_the_parameter(mode):
    """Else a layer that regrowth watches would hold, and save, its weights twice."""
    layer = SpatialPriorLinear(6, 4, PriorSettings(mode=mode))
    names = set(layer.state_dict())
    layer.watched = True
    assert layer.weights() is not layer.weight
    assert set(layer.state_dict()) == names


@pytest.mark.parametrize(("k", "percent"), [(15, 64.7), (30, 81.4), (50, 88.6), (75, 92.3), (100, 94.2)])
def test_the_stated_sparsities(k, percent):
    model = SpatialPriorMLP([3072, 512, 256, 10], kernel="exponential", k=k)
    # The stated figures are those of the second hidden layer, and of the mean over both, to the last digit.
    hidden = [100 * layer.sparsity() for layer in model.layers[:2]]
    assert round(hidden[1], 1) == round(np.mean(hidden), 1) == percent
    assert 100 * model.sparsity() == pytest.approx(percent, abs=0.08)
    # In the limit of many neurons k < .1 where d > ln(19) / k, and distances of two uniform points exceed a with
    # probability (1 - a)^2.
    assert model.layers[0].sparsity() == pytest.approx((1 - math.log(19) / k) ** 2, abs=0.004)


def layer(**settings):
    return SpatialPriorLinear(20, 12, PriorSettings(**settings), torch.Generator().manual_seed(1))


def test_modes_by_hand():
    w, k = (t.detach().numpy().astype(float) for t in (layer().weight, layer().kernel))
    effective = {m: layer(mode=m).weights().detach().numpy() for m in ("multiply", "normalise", "cap", "decay")}
    assert np.abs(w).max() <= 1 / math.sqrt(20)
    assert np.allclose(effective["multiply"], w * k)
    assert np.allclose(effective["normalise"], k * w / np.sqrt((w**2).sum(0)), atol=1e-6)
    assert np.allclose(effective["decay"], w)
    tight = layer(mode="cap", k=60.0)
    cap = tight.kernel.numpy()
    assert np.allclose(tight.weights().detach(), np.clip(w, -cap, cap))
    assert (np.abs(w) > cap).any()
    assert layer(mode="decay", decay=0.01).penalty().item() == pytest.approx(0.01 * ((w - k) ** 2).sum(), rel=1e-5)
    x = torch.randn(5, 20)
    one = layer()
    assert torch.allclose(one(x), x @ one.weights() + one.bias)


def test_caps_start_inactive_under_the_default_start():
    # |w| <= 1 / sqrt(fan-in) < 0.05 for the first layer of the published network: no weight is cut.
    first = SpatialPriorLinear(3072, 512, PriorSettings(mode="cap"))
    assert torch.equal(first.weights(), first.weight)


def test_schedules_end_where_they_say():
    distance = index_distance(20, 12)
    sharp = SpatialPriorMLP([20, 12], sharpen_to=50.0)
    for epoch, k in ((0, 3.0), (4, 21.8), (10, 50.0)):
        sharp.start_epoch(epoch, 11)
        assert torch.allclose(sharp.layers[0].kernel, kernel("exponential", distance, k), atol=1e-6)
    fading = SpatialPriorMLP([20, 12], kernel="gaussian", anneal_to="none")
    fading.start_epoch(1, 5)
    assert torch.allclose(fading.layers[0].kernel, 0.75 * kernel("gaussian", distance) + 0.25, atol=1e-6)
    fading.start_epoch(0, 1)
    assert torch.equal(fading.layers[0].kernel, kernel("gaussian", distance))


def test_controls_keep_values_or_size_and_lose_the_geometry():
    plain, shuffled, other = (
        layer().kernel,
        layer(control="shuffle").kernel,
        layer(control="shuffle", shuffle_seed=2000),
    )
    assert torch.equal(plain.flatten().sort()[0], shuffled.flatten().sort()[0])
    assert not torch.equal(plain, shuffled) and not torch.equal(shuffled, other.kernel)
    matched, rescaled = layer(control="matched").kernel, layer(rescale=True).kernel
    assert matched.unique().numel() == 1
    assert float(matched[0, 0]) ** 2 == pytest.approx(float(plain.square().mean()), rel=1e-5)
    assert float(rescaled.square().mean()) == pytest.approx(1, rel=1e-5)
    assert torch.allclose(rescaled / rescaled[0, 0], plain / plain[0, 0])
    # Weights drawn alike have the same variance under the prior as under its control.
    prior, control = (SpatialPriorLinear(400, 300, PriorSettings(control=c)) for c in ("none", "matched"))
    assert prior.weights().var().item() == pytest.approx(control.weights().var().item(), rel=0.03)


def test_pixels_share_their_places_over_channels_and_hidden_neurons_lie_on_a_grid():
    pixels = plane_places(12, (3, 2, 2))
    assert torch.equal(pixels[:4], torch.tensor([[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]]))
    assert torch.equal(pixels[4:8], pixels[:4]) and torch.equal(pixels[8:], pixels[:4])
    five = plane_places(5)  # three columns, two rows
    assert torch.allclose(five[:, 0], torch.tensor([1, 1, 1, 3, 3]) / 4)
    assert torch.allclose(five[:, 1], torch.tensor([1, 3, 5, 1, 3]) / 6)


def test_a_pruned_prior_in_the_plane_keeps_what_lies_near(tmp_path):
    model = SpatialPriorMLP([3 * 36, 25, 16, 4], image=[3, 6, 6], k=9.0, prune=0.1, rescale=True)
    first, _, last = model.layers
    places = [points for _, _, points in model.places()]
    near = np.linalg.norm(places[0][:, None] - places[1][None], axis=-1) / np.sqrt(2) <= np.log(19) / 9
    assert np.array_equal(first.mask, near) and 0.1 < near.mean() < 0.5
    assert last.mask.all() and (last.kernel == 1).all()
    assert first.kernel.square().mean().item() == pytest.approx(1, rel=1e-5)
    assert model.n_parameters() == sum(int(s.mask.sum()) + s.n_post for s in model.layers)
    data = DenseSet(torch.rand(40, 108), np.arange(40) % 4, tuple("abcd"), "noise", "train")
    settings = spsnn.TrainingConfig(epochs=2, batch_size=8, lr=0.01)
    spsnn.fit(model, data, None, settings, checkpoint=tmp_path / "c.h5")
    fresh = type(model).from_config(model.config())
    spsnn.fit(fresh, data, None, settings, checkpoint=tmp_path / "c.h5", resume=True)
    assert torch.equal(fresh.layers[0].weight, first.weight)
    assert not first.weights()[~first.mask].any()
    spsnn.save(model, tmp_path / "m.h5")
    again = spsnn.load(tmp_path / "m.h5")
    assert torch.equal(again.layers[0].weights(), first.weights()) and torch.equal(again.layers[0].mask, first.mask)
    shuffled = SpatialPriorMLP([108, 25, 16, 4], image=[3, 6, 6], k=9.0, prune=0.1, control="shuffle").layers[0].mask
    assert shuffled.sum() == first.mask.sum() and not torch.equal(shuffled, first.mask)


def test_impossible_images_and_prunings_are_refused():
    with pytest.raises(ConfigError, match=r"image \[1, 3, 3\] has 9 values, the input 20"):
        SpatialPriorMLP([20, 12], image=[1, 3, 3])
    with pytest.raises(ConfigError, match="image must be"):
        PriorSettings(image=[20])
    with pytest.raises(ConfigError, match="prune belongs to a kernel that stays"):
        PriorSettings(prune=0.1, sharpen_to=30.0)
    with pytest.raises(ConfigError, match="prune 2 leaves no synapse from 20 to 12 neurons"):
        SpatialPriorMLP([20, 12], prune=2.0, rescale=True)
    with pytest.raises(ConfigError, match="image and prune belong to spatial_prior"):
        SpatialPriorTasks([20, 12, 8, 4], prune=0.1, anneal_to=None, inputs=[10, 10], outputs=[2, 2])


def test_a_decay_target_pulls_weights_to_the_kernel():
    data = load("digits_dense", "validation")
    model = SpatialPriorMLP([64, 16, 10], mode="decay", decay=0.1)
    far = float(model.penalty().detach())
    spsnn.fit(model, data, None, spsnn.TrainingConfig(epochs=20, batch_size=64, lr=0.02))
    assert float(model.penalty().detach()) < 0.05 * far


def test_a_decay_target_leaves_pruned_synapses_at_zero():
    """Else they would come back with a weight of their own when they are regrown."""
    model = SpatialPriorMLP([6, 4], mode="decay", decay=0.1)
    keep = torch.rand(6, 4, generator=torch.Generator().manual_seed(0)) < 0.5
    model.layers[0].prune_(keep)
    x = DenseSet(np.random.default_rng(0).random((20, 6)), np.arange(20) % 4, "abcd")
    spsnn.fit(model, x, None, spsnn.TrainingConfig(epochs=3, lr=0.02))
    assert (model.layers[0].weight[~keep] == 0).all()


def test_hard_pruning_removes_what_the_kernel_calls_weak():
    model = SpatialPriorMLP([64, 32, 10], k=50.0)
    pruned = model.hard_pruned()
    assert pruned.density() == pytest.approx(1 - model.sparsity()) and 0.05 < pruned.density() < 0.5
    x = torch.randn(7, 64)
    kept = [(torch.where(s.kernel >= 0.1, s.weights(), 0.0), s.bias) for s in model.layers]
    by_hand = torch.relu(x @ kept[0][0] + kept[0][1]) @ kept[1][0] + kept[1][1]
    assert torch.allclose(pruned(x).logits, by_hand, atol=1e-6)
    assert pruned.n_parameters() == sum(int((s.kernel >= 0.1).sum()) for s in model.layers) + 42
    assert model.density() == 1


def test_hard_pruning_leaves_the_other_weights_alone():
    for settings in ({"mode": "normalise"}, {"rescale": True}):
        model = SpatialPriorMLP([64, 32, 10], k=50.0, **settings)
        plain = SpatialPriorMLP([64, 32, 10], k=50.0)
        assert model.sparsity() == plain.sparsity() > 0.5
        for own, pruned in zip(model.layers, model.hard_pruned().layers, strict=True):
            assert 0.05 < pruned.mask.float().mean() < 0.5
            assert torch.equal(pruned.weights(), own.weights() * pruned.mask)


def test_pruning_ranks_the_weights_in_use():
    model = SpatialPriorMLP([64, 32, 10], k=50.0, seed=1)
    used = [layer.weights().detach().abs() for layer in model.layers]
    settings = spsnn.TrainingConfig(epochs=1, batch_size=2000, lr=1e-9)
    data = load("digits_dense", "train")
    spsnn.fit(model, data, None, settings, sparsity=spsnn.SparsityConfig(density=0.1, ramp="constant", end=1.0))
    for layer, before in zip(model.layers, used, strict=True):
        assert before[layer.mask].min() >= before[~layer.mask].max()


def test_training_prunes_like_any_other_synapse_and_the_file_keeps_the_kernel(tmp_path):
    train, validation = load("digits_dense", "train"), load("digits_dense", "validation")
    model = SpatialPriorMLP([64, 32, 10], sharpen_to=15.0, seed=1)
    sparsity = spsnn.SparsityConfig(density=0.2, every=10, end=0.6)
    settings = spsnn.TrainingConfig(epochs=8, batch_size=32, lr=0.01)
    history = spsnn.fit(model, train, validation, settings, sparsity=sparsity)
    assert history[-1]["density"] == pytest.approx(0.2, abs=0.001)
    score = spsnn.evaluate(model, validation)
    assert score["accuracy"] > 0.5
    assert score["statistics"]["density"] == pytest.approx(0.2, abs=0.001)
    spsnn.save(model, tmp_path / "m.h5")
    again = spsnn.load(tmp_path / "m.h5")
    assert all(torch.equal(a.kernel, b.kernel) for a, b in zip(model.layers, again.layers, strict=True))
    assert float(again.layers[0].progress) > 0
    assert spsnn.evaluate(again, validation)["loss"] == score["loss"]
    with pytest.raises(ConfigError, match="ranks synapses by delay"):
        other = spsnn.SparsityConfig(density=0.2, method="spatial", length=1.0)
        spsnn.fit(SpatialPriorMLP([64, 10]), train, None, settings, sparsity=other)


def test_similarity_of_weights():
    one, two = SpatialPriorMLP([30, 20, 5], seed=0), SpatialPriorMLP([30, 20, 5], seed=1)
    assert spsnn.models.weight_similarity(one, one) == pytest.approx(1)
    assert abs(spsnn.models.weight_similarity(one, two)) < 4 / math.sqrt(700)


def test_each_task_has_its_kernel_on_shared_weights():
    rng = np.random.default_rng(0)
    first = DenseSet(rng.random((60, 6)), np.arange(60) % 3, "abc")
    second = DenseSet(rng.random((40, 4)), np.arange(40) % 2, "xy")
    # Both can be learned from one feature.
    first.features[:, 0], second.features[:, 0] = 3 * first.labels, 3 * second.labels
    data = JointSet([first, second])
    model = SpatialPriorTasks.for_data(data, [16, 12], SpatialPriorTasks.Settings())
    a, b = model.shared[0]
    assert a.weight is b.weight and not torch.equal(a.kernel, b.kernel)
    assert model.n_parameters() == 6 * 16 + 16 + 4 * 16 + 16 + 16 * 12 + 12 + 12 * 5 + 5
    logits = model(data).logits
    assert logits.shape == (100, 5)
    assert (logits[:60, 3:] < -1000).all() and (logits[60:, :3] < -1000).all()
    assert torch.allclose(model.task(1)(second).logits, logits[60:, 3:], atol=1e-6)
    scaled = SpatialPriorTasks.for_data(data, [16, 12], SpatialPriorTasks.Settings(input_scale=0.5))
    doubled = JointSet(
        [DenseSet(2 * first.features, first.labels, "abc"), DenseSet(2 * second.features, second.labels, "xy")]
    )
    assert torch.equal(scaled(doubled).logits, logits)
    assert torch.allclose(scaled.task(0)(2 * first.features).logits, logits[:60, :3], atol=1e-6)
    history = spsnn.fit(model, data, None, spsnn.TrainingConfig(epochs=30, batch_size=20, lr=0.01))
    assert history[-1]["train_accuracy"] > 0.95
    assert torch.equal(model.shared[0][0].kernel, torch.ones(16, 12))
    with pytest.raises(ConfigError, match=r"label_smoothing=0\.1 would spread over the classes of other tasks"):
        spsnn.fit(model, data, None, spsnn.TrainingConfig(epochs=1, label_smoothing=0.1))
    sharp = SpatialPriorTasks.for_data(data, [16, 12], SpatialPriorTasks.Settings(sharpen_to=9.0, anneal_to=None))
    before = [layer.kernel.clone() for layer in sharp.shared[0]]
    sharp.start_epoch(4, 5)
    assert [torch.equal(a, layer.kernel) for a, layer in zip(before, sharp.shared[0], strict=True)] == [False, True]
    deep = SpatialPriorTasks.for_data(data, [12, 12, 12], SpatialPriorTasks.Settings(control="shuffle"))
    a, b, c = (layer.kernel.flatten() for layer in (*deep.shared[0], deep.shared[1][0]))
    assert not torch.equal(a, c) and (b[a.argsort()].diff() > -1e-6).all()
    for refused in (lambda: spsnn.to_graph(model, data), lambda: model.emit(data[:2])):
        with pytest.raises(ConfigError, match="map one of them"):
            refused()
    assert spsnn.to_graph(model.task(0), first)["hidden2"].rates.shape == (12,)


def test_wrong_settings_are_named():
    with pytest.raises(ConfigError, match=r"image must be \[channels, rows, columns\], got 3"):
        SpatialPriorMLP([4, 2], image=3)
    with pytest.raises(ConfigError, match="kernel must be one of none, linear"):
        SpatialPriorMLP([4, 2], kernel="cubic")
    with pytest.raises(ConfigError, match="sharpen_to belongs to the exponential kernel"):
        SpatialPriorMLP([4, 2], kernel="linear", sharpen_to=5)
    with pytest.raises(ConfigError, match="put 'gaussian' in kernels in place of kernel"):
        SpatialPriorTasks.Settings(kernel="gaussian")
    with pytest.raises(ConfigError, match="sharpen_to belongs to the exponential kernel, got kernels="):
        SpatialPriorTasks.Settings(kernels=["linear", "none"], sharpen_to=5.0)
    with pytest.raises(ConfigError, match="2 kernels need as many tasks"):
        SpatialPriorTasks([4, 3, 3, 2])
