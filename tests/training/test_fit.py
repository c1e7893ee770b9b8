"""Training: it learns, it resumes bit for bit, it stops on nonsense, and it chooses on validation."""

import dataclasses

import numpy as np
import pytest
import torch

import spsnn
from spsnn import ConfigError, DataError, ModelFileError, SpikeBatch, SpSNN, TrainingConfig, TrainingError
from spsnn.training.fit import make_optimizer
from spsnn.training.losses import delay_penalty


def order_task(n, seed):
    """Two inputs, one spike each; the class says which came first."""
    rng = np.random.default_rng(seed)
    gap, labels = rng.uniform(3, 10, n), rng.integers(0, 2, n)
    trains = [([5.0, 5.0 + g], [label, 1 - label]) for g, label in zip(gap, labels, strict=True)]
    return SpikeBatch.from_samples(trains, 2, 40.0, labels)


TRAIN, VALID = order_task(200, 0), order_task(100, 1)


def make(estimator="surrogate", sizes=(2, 12, 2), **settings):
    grid = spsnn.Grid(dt=1.0, delays="exact", estimator=estimator)
    given = {"weight_mean": 2.0, "weight_gain": 1.0, "readout_scale": 4.0, "position_scale": 5.0, "seed": 1}
    return SpSNN(list(sizes), spsnn.Euclidean(2), spsnn.LIF(10, 4), grid=grid, **{**given, **settings})


def settings(**changes):
    return TrainingConfig(**{"epochs": 6, "batch_size": 20, "lr": 0.02, "position_lr": 0.2, "rescue": 0.01, **changes})


@pytest.mark.parametrize("estimator", ["surrogate", "eventprop"])
def test_it_learns_the_order_of_two_spikes(estimator):
    model = make(estimator)
    before = spsnn.evaluate(model, VALID)["accuracy"]
    history = spsnn.fit(model, TRAIN, VALID, settings(epochs=12))
    score = spsnn.evaluate(model, VALID)
    assert before < 0.8
    assert score["accuracy"] >= 0.95
    best = next(e for e in reversed(history) if e["best"])
    assert score["accuracy"] == max(e["validation_accuracy"] for e in history) == best["validation_accuracy"]
    assert score["confusion"].sum() == 100
    assert score["confusion"].trace() == round(100 * score["accuracy"])


def test_the_last_epoch_is_taken_when_set_or_without_validation():
    given, alone, best = make(), make(), make()
    # Noise in the validation labels makes an earlier epoch the best one.
    noisy = dataclasses.replace(VALID, labels=np.random.default_rng(2).integers(0, 2, 100))
    told = spsnn.fit(given, TRAIN, noisy, settings(select="last"))
    untold = spsnn.fit(alone, TRAIN, None, settings())
    chosen = spsnn.fit(best, TRAIN, noisy, settings())
    assert next(e["epoch"] for e in reversed(chosen) if e["best"]) < 5
    for history in (told, untold):
        assert [e["epoch"] for e in history if e["best"]][-1] == 5
    assert [e["train_loss"] for e in told] == [e["train_loss"] for e in untold]
    assert "validation_accuracy" in told[0]
    assert not {"validation_accuracy", "validation_loss"} & set(untold[0])
    for name, tensor in state(given).items():
        assert torch.equal(tensor, state(alone)[name])
    assert not torch.equal(given.feedforward[0].weight, best.feedforward[0].weight)


def test_a_run_without_validation_resumes(tmp_path):
    path, whole = tmp_path / "run.h5", make()
    spsnn.fit(whole, TRAIN, None, settings(epochs=3))

    def stop(entry):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spsnn.fit(make(), TRAIN, None, settings(epochs=3), checkpoint=path, on_epoch=stop)
    rest = make()
    spsnn.fit(rest, TRAIN, None, settings(epochs=3), checkpoint=path, resume=True)
    assert torch.equal(rest.feedforward[0].weight, whole.feedforward[0].weight)


def test_positions_alone_can_learn_it():
    model = make()
    for _, _, synapse in model.synapses():
        synapse.weight.requires_grad_(False)
    before = spsnn.evaluate(model, VALID)["loss"]
    spsnn.fit(model, TRAIN, VALID, settings(rescue=0.0, epochs=12))
    assert spsnn.evaluate(model, VALID)["loss"] < 0.8 * before


def state(model):
    return {name: t.clone() for name, t in model.state_dict().items()}


def test_resume_continues_bit_for_bit(tmp_path):
    config, augment = settings(), spsnn.datasets.Jitter(0.5)
    whole = make(recurrent=True, learn_alpha=True)
    full = spsnn.fit(whole, TRAIN, VALID, config, augment=augment)

    class Stop(Exception):
        pass

    def stop(entry):
        if entry["epoch"] == 2:
            raise Stop

    path = tmp_path / "run.h5"
    with pytest.raises(Stop):
        spsnn.fit(
            make(recurrent=True, learn_alpha=True),
            TRAIN,
            VALID,
            config,
            augment=augment,
            checkpoint=path,
            on_epoch=stop,
        )
    rest = make(recurrent=True, learn_alpha=True, seed=1)
    history = spsnn.fit(rest, TRAIN, VALID, config, augment=augment, checkpoint=path, resume=True)
    for name, tensor in state(whole).items():
        assert torch.equal(state(rest)[name], tensor), name
    drop = lambda h: [{k: v for k, v in e.items() if k != "seconds"} for e in h]  # noqa: E731
    assert drop(history) == drop(full)
    # A finished run stays as it is, and the checkpoint opens as the best model.
    again = make(recurrent=True, learn_alpha=True)
    assert drop(spsnn.fit(again, TRAIN, VALID, config, augment=augment, checkpoint=path, resume=True)) == drop(full)
    for name, tensor in state(spsnn.load(path)).items():
        assert torch.equal(tensor, state(whole)[name]), name


def test_equal_seeds_give_equal_runs_and_other_seeds_do_not():
    runs = []
    for seed in (0, 0, 1):
        model = make()
        spsnn.fit(model, TRAIN, VALID, settings(epochs=2, seed=seed))
        runs.append(model.feedforward[0].weight.detach())
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_resume_refuses_other_settings_and_a_plain_model_file(tmp_path):
    path = tmp_path / "run.h5"
    spsnn.fit(make(), TRAIN, VALID, settings(epochs=1), checkpoint=path)
    with pytest.raises(ConfigError, match=r"other training settings \(lr: 0.02 in the checkpoint, 0.01 now\)"):
        spsnn.fit(make(), TRAIN, VALID, settings(epochs=1, lr=0.01), checkpoint=path, resume=True)
    with pytest.raises(ConfigError, match="cannot resume with 100 training samples, the checkpoint was made with 200"):
        spsnn.fit(make(), VALID, VALID, settings(epochs=1), checkpoint=path, resume=True)
    with pytest.raises(ConfigError, match="other model settings"):
        spsnn.fit(make(alpha=2.0), TRAIN, VALID, settings(epochs=1), checkpoint=path, resume=True)
    spsnn.save(make(), path)
    with pytest.raises(ModelFileError, match="holds 'spsnn-model'"):
        spsnn.fit(make(), TRAIN, VALID, settings(epochs=1), checkpoint=path, resume=True)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(tmp_path):
    path = tmp_path / "run.h5"
    model = make()
    spsnn.fit(model, TRAIN, VALID, settings(epochs=1), checkpoint=path)
    before = path.read_bytes()
    with torch.no_grad():
        model.feedforward[1].weight.fill_(1e38)
    with pytest.raises(TrainingError, match="epoch 0, batch 0; lower lr"):
        spsnn.fit(model, TRAIN, VALID, settings(), checkpoint=path)
    assert path.read_bytes() == before


def test_a_step_that_breaks_a_parameter_names_it():
    model = make()
    model.points[0].position.register_hook(lambda g: g * float("nan"))
    with pytest.raises(TrainingError, match=r"points.0.position is not finite after epoch 0, batch 0"):
        spsnn.fit(model, TRAIN, VALID, settings())


def test_finite_parameters_with_an_infinite_sum_are_no_error():
    model = make()
    model.points[0].register_parameter("idle", torch.nn.Parameter(torch.full((4,), 3e38)))
    assert len(spsnn.fit(model, TRAIN, VALID, settings(epochs=1))) == 1


def test_rescue_wakes_silent_neurons():
    silent = make(weight_mean=0.05, weight_gain=0.01)
    assert spsnn.evaluate(silent, VALID)["spikes_per_neuron"] == 0
    history = spsnn.fit(silent, TRAIN, VALID, settings(rescue=1.0, epochs=8, lr=0.1))
    assert history[0]["silent"] > 6
    assert history[-1]["spikes_per_neuron"] > 0.1


def test_rate_target_pulls_the_rate():
    rates = {}
    for target in (0.2, 3.0):
        model = make(weight_mean=4.0)
        spsnn.fit(model, TRAIN, VALID, settings(rate_weight=5.0, rate_target=target, epochs=15))
        rates[target] = spsnn.evaluate(model, VALID)["spikes_per_neuron"]
    assert rates[0.2] < rates[3.0]
    with pytest.raises(ConfigError, match="rate_weight is about hidden neurons, the model has none"):
        spsnn.fit(spsnn.SpSNN([2, 2], readout="spike_count"), TRAIN, VALID, settings(rate_weight=1.0))
    with pytest.raises(ConfigError, match="no gradient for spike rates"):
        spsnn.fit(make("eventprop"), TRAIN, VALID, settings(rate_weight=1.0))


def test_learning_rates_go_where_they_belong():
    groups = make_optimizer(
        make(learn_alpha=True), TrainingConfig(lr=0.1, position_lr=0.7, weight_decay=0.01)
    ).param_groups
    sizes = [(sum(p.numel() for p in g["params"]), g["lr"], g["weight_decay"]) for g in groups]
    assert sizes == [(2 * 12 + 12 * 2, 0.1, 0.01), (2 * (2 + 12 + 2), 0.7, 0.0), (2, 0.1, 0.0)]
    free = make_optimizer(make(delay="free"), TrainingConfig(lr=0.1)).param_groups
    assert [(sum(p.numel() for p in g["params"]), g["lr"]) for g in free] == [(48, 0.1), (48, 1.0)]


def test_gradients_are_clipped_only_when_asked(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda p, norm: calls.append(norm))
    spsnn.fit(make(), TRAIN, VALID, settings(epochs=1))
    assert calls == []
    spsnn.fit(make(), TRAIN, VALID, settings(epochs=1, clip_norm=0.5))
    assert calls == [0.5] * 10


def test_masked_weights_stay_absent_while_training():
    model = make()
    mask = model.feedforward[0].mask
    mask[0, :6] = False
    out = model(TRAIN)
    out.logits.sum().backward()
    assert model.feedforward[0].weight.grad[0, :6].abs().sum() == 0
    spsnn.fit(model, TRAIN, VALID, settings(epochs=1, rescue=0.5))
    assert not model.feedforward[0].mask[0, :6].any()
    assert model.feedforward[0].weights()[0, :6].abs().sum() == 0


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (TRAIN[np.zeros(0, int)], "set is empty"),
        (dataclasses.replace(TRAIN, labels=None), "has no labels"),
        (dataclasses.replace(TRAIN, labels=TRAIN.labels + 5), "labels of the training set run from 5 to 6"),
    ],
)
def test_data_that_cannot_train_is_refused(events, words):
    with pytest.raises(DataError, match=words):
        spsnn.fit(make(), events, VALID, settings())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "epochs must be positive"),
        ({"optimizer": "sgd"}, "adam, adamw"),
        ({"warmup": 1.0}, "warmup is a share"),
        ({"select": "first"}, "select must be one of best, last"),
        ({"clip_norm": -1.0}, "clip_norm must be positive or absent"),
        ({"weight_decay": -0.1}, "weight_decay must not be negative"),
    ],
)
def test_wrong_settings_are_named(changes, words):
    with pytest.raises(ConfigError, match=words):
        settings(**changes)


def one_synapse(delay):
    """One free delay in a window of 20 ms of which the band is [4, 16] ms."""
    model = SpSNN([1, 1], delay="free", max_delay=20.0, on_exceed="clip")
    with torch.no_grad():
        model.feedforward[0].delay.fill_(delay)
    return model


@pytest.mark.parametrize(
    ("delay", "value", "slope"),
    [(10.0, 0.0, 0.0), (2.0, 0.1**2, -2 * 0.1 / 20), (18.0, 0.1**2, 2 * 0.1 / 20), (30.0, 0.7**2, 2 * 0.7 / 20)],
)
def test_the_delay_penalty_by_hand(delay, value, slope):
    """Also beyond max_delay, where a delay that is cut has no other gradient."""
    model = one_synapse(delay)
    penalty = delay_penalty(model, (0.2, 0.8), None)
    penalty.backward()
    assert float(penalty.detach()) == pytest.approx(value, abs=1e-7)
    assert float(model.feedforward[0].delay.grad) == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("delay", ["spatial", "free", "axonal"])
def test_a_sample_of_delays_is_an_unbiased_part_of_the_penalty(delay, monkeypatch):
    model = SpSNN([40, 6, 3], delay=delay, recurrent=True, self_connections=False, max_delay=25.0, on_exceed="clip")
    exact = delay_penalty(model, (0.3, 0.5), None)
    assert float(exact.detach()) > 1e-3
    monkeypatch.setattr("spsnn.training.losses.MOST_DELAYS", 60)  # 10 of 40 rows of the first projection
    rng = np.random.default_rng(0)
    samples = np.array([delay_penalty(model, (0.3, 0.5), rng).item() for _ in range(400)])
    assert samples.std() > 0
    assert abs(samples.mean() - float(exact.detach())) < 4 * samples.std() / 20


@pytest.mark.parametrize(("start", "away"), [("low", 0.05), ("high", 0.95)])
def test_the_penalty_pulls_collapsed_delays_back_into_the_band(start, away):
    model = make(delay="free", max_delay=20.0, on_exceed="clip")
    with torch.no_grad():
        for s in model.feedforward:
            s.delay.fill_(away * 20)
    spsnn.fit(model, TRAIN, VALID, settings(epochs=8, delay_weight=1000.0, delay_band=[0.2, 0.8], schedule="constant"))
    share = torch.cat([s.delays().detach().flatten() for s in model.feedforward]) / 20
    assert share.min() > 0.17 and share.max() < 0.83


def test_the_penalty_needs_delays_and_their_bound():
    config = settings(epochs=1, delay_weight=1.0)
    with pytest.raises(ConfigError, match=r"max_delay, which is not set; set model.max_delay"):
        spsnn.fit(make(), TRAIN, VALID, config)
    with pytest.raises(ConfigError, match="delay='none'; set delay_weight=0"):
        spsnn.fit(make(delay="none", max_delay=20.0), TRAIN, VALID, config)
    with pytest.raises(ConfigError, match=r"delay_band must be two increasing shares of max_delay in \[0, 1\], got"):
        settings(delay_band=[0.5, 1.5])


def test_the_slope_grows_from_its_start_to_that_of_the_grid(monkeypatch):
    model, seen = make(), []
    forward = SpSNN.forward
    monkeypatch.setattr(SpSNN, "forward", lambda m, b: (seen.append(m.grid.slope), forward(m, b))[1])
    steps = 3 * 10

    def on_epoch(entry):
        assert model.grid.slope == 2.0  # what files and chips see

    spsnn.fit(model, TRAIN, VALID, settings(epochs=3, slope_start=0.5), on_epoch=on_epoch)
    trained = [s for k, s in enumerate(seen) if k % 11 < 10]  # ten batches, then one of validation
    assert np.allclose(trained, 0.5 * 4 ** (np.arange(steps) / (steps - 1)))
    assert all(s == 2.0 for s in seen[10::11])
    with pytest.raises(ConfigError, match="slope_start is a slope of the surrogate, the model learns by 'eventprop'"):
        spsnn.fit(make("eventprop"), TRAIN, VALID, settings(slope_start=0.5))


@pytest.mark.parametrize("model", [spsnn.SpSNN([5, 4, 3], seed=0), spsnn.SpatialPriorMLP([5, 4, 3])])
def test_a_batch_size_below_one_is_refused(model):
    events = spsnn.datasets.YinYang("test", n=6).events
    for call in (
        lambda: spsnn.evaluate(model, events, batch_size=-1),
        lambda: spsnn.to_graph(model, events, batch_size=0),
    ):
        with pytest.raises(ConfigError, match="batch_size must be a whole number of at least 1"):
            call()


def test_presentations_at_several_places_decide_by_their_mean():
    model = make(sizes=[8, 12, 3], readout_scale=10.0)
    rng = np.random.default_rng(3)
    samples = [(np.sort(rng.uniform(0, 19, 12)), rng.integers(0, 8, 12)) for _ in range(30)]
    labels = rng.integers(0, 3, 30)
    events = SpikeBatch.from_samples(samples, 8, 20.0, labels=labels)
    shifts = [-2, 0, 3]
    moved = []
    for shift in shifts:
        places = [units + shift for _, units in samples]
        inside = [(places >= 0) & (places < 8) for places in places]
        kept = [(t[ok], p[ok]) for (t, _), p, ok in zip(samples, places, inside, strict=True)]
        moved.append(SpikeBatch.from_samples(kept, 8, 20.0, labels=labels))
    model.eval()
    with torch.no_grad():
        outputs = [model(batch) for batch in moved]
    mean = sum(o.logits for o in outputs) / 3
    score = spsnn.evaluate(model, events, batch_size=7, channel_shifts=shifts)
    assert score["accuracy"] == float((mean.argmax(1).numpy() == labels).mean())
    assert score["loss"] == pytest.approx(float(torch.nn.functional.cross_entropy(mean, torch.from_numpy(labels))))
    assert score["spikes_per_neuron"] == pytest.approx(sum(float(o.spikes_per_neuron()) for o in outputs))
    assert abs(score["loss"] - spsnn.evaluate(model, events)["loss"]) > 0.01


@pytest.mark.parametrize("shifts", [[], [0.5], [True], 3, "3", [-5]])
def test_shifts_that_are_no_places_are_refused(shifts):
    events = spsnn.datasets.YinYang("test", n=6).events
    with pytest.raises(ConfigError, match="must be a list of whole numbers, each smaller than the 5 channels"):
        spsnn.evaluate(SpSNN([5, 4, 3], seed=0), events, channel_shifts=shifts)


def test_what_has_no_spikes_has_no_channels_to_move():
    data = spsnn.datasets.load("yinyang_dense", "test", n=6)
    model = spsnn.SpatialPriorMLP([data.features.shape[1], 4, 3])
    with pytest.raises(DataError, match="channel_shifts move spikes, got DenseSet; leave them out"):
        spsnn.evaluate(model, data, channel_shifts=[0, 1])
