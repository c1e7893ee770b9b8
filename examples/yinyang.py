"""Train a 2-D spatial spiking network on Yin-Yang, map it to Loihi 2, look at it.

python examples/yinyang.py --epochs 30
"""

import argparse

import spsnn

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--out", default="yinyang")
args = parser.parse_args()

train, validation, test = (
    spsnn.datasets.YinYang(split, t_min=2.0, bias_time=2.0) for split in ("train", "validation", "test")
)
model = spsnn.SpSNN(
    [5, 45, 3],  # four features and a bias spike -> 45 hidden neurons -> three classes
    spsnn.Euclidean(2),
    spsnn.LIF(tau_mem=20.0, tau_syn=5.0),
    grid=spsnn.Grid(dt=0.5, delays="exact", estimator="eventprop", min_slope=0.1),
    readout_scale=10.0,
    weight_mean=2.0,
    weight_gain=2.0,
    max_delay=31.0,  # what Loihi can store: 62 steps
    on_exceed="clip",
)
settings = spsnn.TrainingConfig(
    epochs=args.epochs, batch_size=100, lr=0.02, position_lr=0.2, clip_norm=0.3, rescue=1e-3
)
spsnn.fit(
    model,
    train.events,
    validation.events,
    settings,
    on_epoch=lambda e: print(f"epoch {e['epoch'] + 1:3d}  validation accuracy {e['validation_accuracy']:.3f}"),
)
print(f"{model.n_parameters()} parameters, test accuracy {spsnn.evaluate(model, test.events)['accuracy']:.3f}")
spsnn.save(model, f"{args.out}.h5")

network = spsnn.to_graph(model, test.events, source="Yin-Yang test, 1000 samples", name="Yin-Yang")
chip = spsnn.hwmap.compile(network, "loihi2", cores=8)
figures = chip.report()
print(f"latency {figures['latency_us_per_inference']:.1f} us, energy {figures['energy_nj_per_inference'] / 1e3:.2f} uJ")
print(f"energy figures: {figures['energy_source']}")
chip.export(f"{args.out}_layout.json")
spsnn.pictures.coordinates(network, strongest=100, unit="ms").savefig(f"{args.out}_coordinates.png", dpi=150)
