"""Run a netx file by lava-dl's own reader on Lava: python netx_reader.py FILE.net SPIKES.npz RESULT.npz

SPIKES.npz holds ``spikes [T, I]``; RESULT.npz receives the spikes of every layer, ``layer1 [T, N]`` and so on, and
``potential [T, C]`` of the last.  lava-dl imports parts for pictures that a reader does not need; they are stubs here.
"""

import sys
from types import ModuleType

import numpy as np

from spsnn.hwmap.exports.run_lava import NO_LAVA, import_lava


class Stub(ModuleType):
    """A module in which every name is a class."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def main(path, spikes, result):
    """Read, run, record."""
    lava = import_lava()
    for name in ("cv2", "torchvision", "torchvision.transforms", "torchvision.models", "torchvision.ops"):
        sys.modules.setdefault(name, Stub(name))
    try:
        from lava.lib.dl.netx.hdf5 import Network
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(NO_LAVA)
    x = np.load(spikes)["spikes"]
    net = Network(net_config=path)
    source, sinks = lava.Source(data=x.T.astype(np.int32)), []
    source.s_out.connect(net.in_layer.inp)
    for layer in net.layers:
        sinks.append(lava.Sink(shape=layer.out.shape, buffer=len(x)))
        layer.out.connect(sinks[-1].a_in)
    monitor = lava.Monitor()
    monitor.probe(net.layers[-1].neuron.v, len(x))
    try:
        net.run(lava.RunSteps(num_steps=len(x)), run_cfg=lava.Loihi2SimCfg(select_tag="fixed_pt"))
        trains = {f"layer{k}": sink.data.get().T > 0 for k, sink in enumerate(sinks, 1)}
        (recorded,) = monitor.get_data().values()
    finally:
        net.stop()
    np.savez(result, potential=recorded["v"], **trains)


if __name__ == "__main__":
    main(*sys.argv[1:])
