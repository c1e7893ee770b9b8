"""NIR: the equations of a file, round trips, files of others, and another simulator."""

from dataclasses import replace

import nir
import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from spsnn.errors import ConfigError, ExportError, ModelFileError
from spsnn.graph import Network, Population, Projection
from spsnn.graph.nir import from_nir, read_nir, to_nir, write_nir
from spsnn.kernels.reference.grid import simulate_grid

LIF = {"tau_mem": 20.0, "tau_syn": 5.0, "threshold": 1.0, "v_reset": 0.0}
LI = {"tau_mem": 15.0, "tau_syn": 4.0}


def network(dt=1.0, sizes=(6, 8, 3), seed=0, longest=40, **changes):
    """Input, recurrent lif, li; a third of the synapses is missing."""
    rng = np.random.default_rng(seed)
    constants = ({}, {**LIF, **changes}, LI)
    populations = tuple(
        Population(n, s, k, rng.normal(size=(s, 2)), c, rng.uniform(0, 3, s))
        for n, s, k, c in zip(("in", "hidden", "out"), sizes, ("input", "lif", "li"), constants, strict=True)
    )

    def connect(a, b, least=0):
        shape = sizes[a], sizes[b]
        names = populations[a].name, populations[b].name
        delay = rng.integers(least, longest + 1, shape) * dt
        return Projection.from_dense(*names, rng.normal(1, 3, shape), delay, rng.random(shape) < 2 / 3)

    return Network(populations, (connect(0, 1), connect(1, 2), connect(1, 1, 1)), dt, 100 * dt, "random", "net")


def run(net, x):
    """Spikes of hidden and potential of out, by the plain grid simulator."""
    by_pair = {(p.pre, p.post): p.to_dense((net[p.pre].size, net[p.post].size))[:2] for p in net.projections}
    common = {"n_samples": 1, "n_steps": len(x), "dt": net.dt, "delays": "round"}

    def events(train):
        return [list(zip(*np.nonzero(train), strict=True))]

    hidden = simulate_grid(
        [(events(x), *by_pair["in", "hidden"])], by_pair["hidden", "hidden"], n_post=net["hidden"].size,
        **common, **net["hidden"].parameters,
    ).spikes[0]  # fmt: skip
    out = simulate_grid(
        [(events(hidden), *by_pair["hidden", "out"])], n_post=net["out"].size, threshold=None, **common,
        **net["out"].parameters,
    )  # fmt: skip
    return hidden, out.potential[0]


@pytest.mark.parametrize("euler", [False, True])
@pytest.mark.parametrize("dt", [0.5, 1.0])
def test_round_trip_keeps_spikes(tmp_path, euler, dt):
    net = network(dt)
    write_nir(net, tmp_path / "net.nir", euler=euler)
    back = read_nir(tmp_path / "net.nir")
    assert (back.dt, back.duration) == (net.dt, net.duration)
    assert [(p.name, p.size, p.kind) for p in back.populations] == [(p.name, p.size, p.kind) for p in net.populations]
    for p in net.populations:
        np.testing.assert_array_equal(back[p.name].positions, p.positions)
        np.testing.assert_array_equal(back[p.name].rates, p.rates)
        assert back[p.name].parameters == pytest.approx(p.parameters, rel=1e-12)
    for p in net.projections:
        (q,) = [q for q in back.projections if (q.pre, q.post) == (p.pre, p.post)]
        for name in ("indptr", "indices"):
            np.testing.assert_array_equal(getattr(q, name), getattr(p, name))
        for name in ("weight", "delay"):
            np.testing.assert_allclose(getattr(q, name), getattr(p, name), rtol=1e-12, atol=1e-15)
    x = np.random.default_rng(0).random((100, 6)) < 0.1
    (spikes, potential), (again, other) = run(net, x), run(back, x)
    np.testing.assert_array_equal(spikes, again)
    np.testing.assert_allclose(potential, other, atol=1e-9)
    assert spikes.sum() > 20


def test_file_holds_the_differential_equations_in_seconds():
    """NIR's own equations, integrated over one input spike, are those of the grid."""
    net = network()
    node = to_nir(net).nodes["out"]
    tau_mem, tau_syn, r, w_in = (float(x[0]) for x in (node.tau_mem, node.tau_syn, node.r, node.w_in))
    assert (tau_mem, tau_syn) == (0.015, 0.004)
    jump = w_in * (net.dt / 1000) / tau_syn  # a spike is S = 1 for one step
    flow = solve_ivp(
        lambda _, x: [(-x[0] + r * x[1]) / tau_mem, -x[1] / tau_syn], (0, 0.05), [0, jump], rtol=1e-11, atol=1e-14,
        t_eval=np.arange(50) / 1000,
    )  # fmt: skip
    one = simulate_grid(
        [([[(0, 0)]], np.ones((1, 1)), np.zeros((1, 1)))], n_samples=1, n_steps=50, n_post=1, dt=1.0, delays="round",
        threshold=None, **LI,
    )  # fmt: skip
    np.testing.assert_allclose(flow.y[0] / r, one.potential[0, :, 0], atol=1e-9)


def test_delays_are_branches_that_add_up():
    graph = to_nir(network())
    forward = [(a, b) for a, b in graph.edges if b == "hidden"]
    matrices = [graph.nodes[a].weight for a, _ in forward if a.startswith("in_to")]
    dense, delay, mask = network().projections[0].to_dense((6, 8))
    np.testing.assert_array_equal(sum(matrices), dense.T)
    assert len(matrices) == len(np.unique(delay[mask]))
    assert sum((m != 0).sum() for m in matrices) == mask.sum()


def test_projections_between_the_same_two_add_up():
    net = network()
    twice = replace(net, projections=(*net.projections, net.projections[0]))
    one, two = to_nir(net), to_nir(twice)
    assert one.edges == two.edges
    for name, node in one.nodes.items():
        if name.startswith("in_to"):
            np.testing.assert_array_equal(two.nodes[name].weight, 2 * node.weight)


def test_parameters_of_each_neuron_and_resets_are_held(tmp_path):
    tau = np.linspace(10.0, 30.0, 8)
    net = network(tau_mem=tau, v_reset=-0.5)
    write_nir(net, tmp_path / "net.nir")
    found = read_nir(tmp_path / "net.nir")["hidden"].parameters
    np.testing.assert_allclose(found["tau_mem"], tau, rtol=1e-12)
    np.testing.assert_allclose(found["threshold"], 1.0, rtol=1e-12)
    np.testing.assert_allclose(found["v_reset"], -0.5, rtol=1e-12)
    assert found["tau_syn"] == pytest.approx(5.0)


def neuron(n, **changes):
    values = {"tau_mem": 0.02, "tau_syn": 0.005, "r": 1.0, "v_leak": 0.0, "v_threshold": 2.0, "v_reset": 0.0,
              "w_in": 1.0} | changes  # fmt: skip
    return nir.CubaLIF(**{name: np.full(n, value) for name, value in values.items()})


def graph_of(*edges, **nodes):
    nodes = {"input": nir.Input(np.array([2])), **nodes}
    return nir.NIRGraph(nodes, list(edges), type_check=False)


def test_reads_files_of_others():
    """Delays of channels before and after the matrix, a scale, r and w_in of their own."""
    graph = graph_of(
        ("input", "early"), ("early", "w"), ("w", "late"), ("late", "scale"), ("scale", "a"), ("a", "output"),
        early=nir.Delay(np.array([0.001, 0.002])),
        w=nir.Affine(np.array([[1.0, 2.0], [0.0, 4.0], [5.0, 6.0]]), np.zeros(3)),
        late=nir.Delay(np.array([0.0, 0.010, 0.020])), scale=nir.Scale(np.array([1.0, 10.0, 100.0])),
        a=neuron(3, r=4.0, w_in=2.5), output=nir.Output(np.array([3])),
    )  # fmt: skip
    net = from_nir(graph, dt=1.0, duration=50.0)
    (p,) = net.projections
    weight, delay, mask = p.to_dense((2, 3))
    # w_in dt / tau_syn = 2.5 * 1 / 5 = 1/2 of the weights; threshold 2 / r = 1/2.
    np.testing.assert_allclose(weight, np.array([[1, 0, 500], [2, 40, 600]]) / 2)
    np.testing.assert_allclose(delay[mask], [1, 21, 2, 12, 22])
    assert net["a"].parameters["threshold"] == pytest.approx(0.5)
    assert net["a"].parameters["tau_mem"] == pytest.approx(20)


@pytest.mark.parametrize(
    "edges, nodes, message",
    [
        ([("input", "a")], {"a": nir.LIF(*np.ones((4, 2)))}, r"node 'a' is a LIF; spsnn has neurons with synaptic"),
        ([("input", "a")], {"a": neuron(2, v_leak=0.1)}, "leak potential"),
        ([("input", "w"), ("w", "a")], {"w": nir.Affine(np.ones((2, 2)), np.ones(2)), "a": neuron(2)}, "has a bias"),
        ([("input", "w"), ("w", "v"), ("v", "a")],
         {"w": nir.Linear(np.ones((2, 2))), "v": nir.Linear(np.ones((2, 2))), "a": neuron(2)}, "two matrices"),
        ([("input", "w"), ("w", "a")], {"w": nir.Linear(np.ones((2, 3))), "a": neuron(2)}, r"a matrix \[., 2\]"),
        ([("input", "s"), ("s", "s")], {"s": nir.Scale(np.ones(2)), "a": neuron(2)}, "visited twice"),
    ],
)  # fmt: skip
def test_refuses_what_it_has_not(edges, nodes, message):
    with pytest.raises(ModelFileError, match=message):
        from_nir(graph_of(*edges, **nodes), dt=1.0, duration=10.0)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="does not say its dt"):
        from_nir(graph_of(("input", "a"), a=neuron(2)))
    with pytest.raises(ModelFileError, match="there is no file"):
        read_nir(tmp_path / "none.nir")
    (tmp_path / "bad.nir").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match="damaged or not a NIR file"):
        read_nir(tmp_path / "bad.nir")


@pytest.mark.parametrize(
    "changes, message", [({"refractory": 2.0}, "refractory 2.0"), ({"reset": "subtract"}, "reset")]
)
def test_refuses_to_write_what_nir_has_not(tmp_path, changes, message):
    with pytest.raises(ExportError, match=f"hidden has {message}"):
        write_nir(network(**changes), tmp_path / "net.nir")
    assert list(tmp_path.iterdir()) == []


def test_snntorch_opens_it_with_the_same_spikes(tmp_path):
    """Feed-forward without delays; snnTorch takes Euler steps of 0.1 ms and is a step early for each population."""
    importer = pytest.importorskip("snntorch.import_nir")
    rng, dt, steps, sizes = np.random.default_rng(0), 0.1, 200, (20, 30, 5)
    constants = {"tau_mem": 2.0, "tau_syn": 0.5, "threshold": 1.0}
    names = ("input", "hidden", "last")
    populations = tuple(
        Population(n, s, "lif" if k else "input", None, constants if k else {})
        for k, (n, s) in enumerate(zip(names, sizes, strict=True))
    )
    weights = rng.normal(0.9, 1.0, sizes[:2]), rng.normal(0.3, 1.0, sizes[1:])
    projections = tuple(
        Projection.from_dense(names[k], names[k + 1], w, np.zeros_like(w)) for k, w in enumerate(weights)
    )
    write_nir(Network(populations, projections, dt, steps * dt), tmp_path / "net.nir", euler=True)
    module, state, spikes = importer.import_from_nir(nir.read(tmp_path / "net.nir")), None, []
    x = rng.random((steps, sizes[0])) < 0.05
    with torch.no_grad():
        for row in x:
            out, state = module(torch.tensor(row[None], dtype=torch.float32), state)
            spikes.append(out.numpy()[0])
    train = x
    for w in weights:
        events = [list(zip(*np.nonzero(train), strict=True))]
        train = simulate_grid(
            [(events, w, np.zeros_like(w))], n_samples=1, n_steps=steps, n_post=w.shape[1], dt=dt, delays="round",
            **constants,
        ).spikes[0]  # fmt: skip
    assert train.sum() > 100
    np.testing.assert_array_equal(np.array(spikes)[:-2], train[2:])
