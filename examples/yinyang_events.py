"""Train a 2-D spatial spiking network on Yin-Yang (values are times of spikes) in continuous time.

python examples/yinyang_events.py --epochs 60
"""

import argparse

import spsnn

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--epochs", type=int, default=60)
parser.add_argument("--out", default="yinyang_events.h5")
args = parser.parse_args()

train, validation, test = (
    spsnn.datasets.YinYang(split, t_min=2.0, bias_time=2.0) for split in ("train", "validation", "test")
)
model = spsnn.SpSNN(
    [5, 45, 3],  # four features and a bias spike -> 45 hidden neurons -> three classes
    spsnn.Euclidean(2),
    spsnn.LIF(tau_mem=20.0, tau_syn=5.0),
    grid=spsnn.Grid(min_slope=0.1),
    engine="event",
    readout="first_spike",
    readout_scale=10.0,
    silent_pull=10.0,
    weight_mean=2.0,
    weight_gain=2.0,
)
settings = spsnn.TrainingConfig(epochs=args.epochs, batch_size=50, lr=0.02, position_lr=0.2, clip_norm=0.3, rescue=1e-3)
spsnn.fit(
    model,
    train,
    validation,
    settings,
    on_epoch=lambda e: print(f"epoch {e['epoch'] + 1:3d}  validation accuracy {e['validation_accuracy']:.3f}"),
)
print(f"{model.n_parameters()} parameters, test accuracy {spsnn.evaluate(model, test)['accuracy']:.3f}")
spsnn.save(model, args.out)
