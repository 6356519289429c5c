"""Reading modules: every known operation, and a clear refusal of every other."""

import math
import threading

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import workbench as wb
from workbench.estimators import ALL
from workbench.graph import activations_of, read
from workbench.models import Network, Shift, Sum, chain, dense, mlp


class Residual(nn.Module):
    """Functional style: F.linear, a constant parameter, two residual sums, methods."""

    def __init__(self, d=3):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(d, d)), nn.Parameter(torch.randn(d))
        self.shift = nn.Parameter(torch.randn(d))
        self.inner = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.Dropout(0.5), nn.Identity())
        self.unused = nn.Linear(d, d)

    def forward(self, x):
        h = F.relu(F.linear(x, self.weight, bias=self.bias)) + x
        self.unused(h)
        h = torch.add(self.inner(h), h) + self.shift
        return torch.flatten(h, 1).tanh()


class Call(nn.Module):
    """One function of x, with a linear layer to hand."""

    def __init__(self, f):
        super().__init__()
        self.f, self.layer, self.relu = f, nn.Linear(3, 3), nn.ReLU(inplace=True)

    def forward(self, x):
        return self.f(self, x)


def problem(model, d=3, outputs=3):
    gaussian = wb.Gaussian(torch.zeros(d), torch.ones(d))
    return wb.Problem(gaussian, model, wb.Halfspace(torch.ones(outputs), -2.0))


READABLE = {
    "linear": (lambda: nn.Linear(3, 2), 3),
    "no bias": (lambda: nn.Linear(3, 2, bias=False), 3),
    "bare flatten": (lambda: nn.Flatten(), 3),
    "identity": (lambda: nn.Identity(), 3),
    "empty": (lambda: nn.Sequential(), 3),
    "nested": (lambda: nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.Tanh()), nn.ReLU()), 3),
    "in place, in a chain": (lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True)), 3),
    "residual": (lambda: Residual().eval(), 3),
    "mlp": (lambda: mlp([5, 4, 3, 2], torch.Generator().manual_seed(0), "gelu", 0.3), 5),
    "network": (lambda: Network([nn.ReLU(), Shift(torch.ones(3)), Sum()], [[0], [1], [2, 0]]), 3),
    "one input": (lambda: nn.Linear(1, 1), 1),
    "scalar shift": (lambda: Shift(torch.tensor(0.5)), 3),
}


@pytest.mark.parametrize("make, d", READABLE.values(), ids=READABLE)
def test_graph_computes_what_the_module_does(make, d):
    torch.manual_seed(0)
    module = make()
    graph = read(module)
    x = torch.randn(7, d)
    values = activations_of(graph, x)
    torch.testing.assert_close(values[-1], module(x))
    assert tuple(v.shape[1] for v in values) == graph.widths(d)
    assert graph.forward_flops(d) >= 0 and len(repr(graph).splitlines()) == len(graph.nodes) + 2


def test_graph_holds_only_what_reaches_the_output():
    assert all("unused" not in node.name for node in read(Residual().eval()).nodes)


def test_weights_are_looked_up_live():
    module = nn.Sequential(nn.Linear(3, 2))
    graph = read(module)
    x = torch.randn(4, 3)
    with torch.no_grad():
        module[0].weight.mul_(3.0)
    module[0].bias = nn.Parameter(torch.zeros(2))
    torch.testing.assert_close(activations_of(graph, x)[-1], module(x))


def test_forward_flops_by_hand():
    # 2*4*3 + 4 for the relu + 2*2*4
    assert read(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))).forward_flops(3) == 44.0


UNREADABLE = {
    "a layer": (
        nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Threshold(0.1, 2.0))),
        "Threshold at '1.0'",
    ),
    "hardshrink": (nn.Sequential(nn.Hardshrink()), "Hardshrink at '0'"),
    "a function": (Call(lambda m, x: torch.tan(m.layer(x))), "operation tan at 'tan'"),
    "a method": (Call(lambda m, x: x.erf()), "operation erf at 'erf'"),
    "a quotient": (Call(lambda m, x: x / m.layer(x)), "operation div at 'truediv'"),
    "scaled sum": (Call(lambda m, x: torch.add(x, x, alpha=2)), "operation add at 'add'"),
    "branching": (Call(lambda m, x: x if x.sum() > 0 else -x), "cannot be traced"),
    "a constant answer": (Call(lambda m, x: torch.ones(len(x), 3)), "cannot be traced|no single"),
    "flatten from 0": (
        Call(lambda m, x: torch.flatten(x, 0).view(-1, 3)),
        "flatten that may not .* at 'flatten'",
    ),
}


@pytest.mark.parametrize("module, said", UNREADABLE.values(), ids=UNREADABLE)
def test_refusal_names_the_operation_the_place_and_the_alternatives(module, said):
    with pytest.raises(wb.Unsupported, match=said):
        read(module)
    # What does not read the graph serves any callable, and the refusal says so.
    asked = problem(module)
    with pytest.raises(wb.Unsupported, match=said) as caught:
        wb.Moments()(asked)
    assert set(caught.value.try_instead) < {e.name for e in ALL if not e.needs.readable}
    assert {"monte_carlo", "subset"} <= set(caught.value.try_instead)
    assert not math.isnan(wb.MonteCarlo()(asked, 100).log10_p)


def hooked():
    layer = nn.Linear(3, 3)
    layer.register_forward_hook(lambda module, inputs, output: 2.0 * output)
    return layer


def relu_in_place(m, x):
    h = m.layer(x)
    return h.relu_() + h


def layer_in_place(m, x):
    h = m.layer(x)
    return m.relu(h) + h


def sum_in_place(m, x):
    h = g = m.layer(x)
    g += x
    return h + g


@pytest.mark.parametrize(
    "module",
    [hooked(), Call(relu_in_place), Call(layer_in_place), Call(sum_in_place)],
    ids=["hook", "relu_", "inplace=True", "+="],
)
def test_what_escapes_the_reader_is_caught_by_a_trial(module):
    """A graph that computes another function must not be propagated."""
    with pytest.raises(wb.Unsupported, match="computes something else than the operations in it"):
        wb.Moments()(problem(module))


@pytest.mark.parametrize(
    "module, said",
    [
        (nn.Linear(4, 3), "fails on a batch of 3 numbers of torch.float64"),
        (nn.Linear(3, 3, dtype=torch.float32), "dtype must be those of the distribution"),
        (Call(lambda m, x: x.sum(1)), r"must map \(batch, 3\) to \(batch, k\)"),
        (Call(lambda m, x: x[:1]), r"gave \(1, 3\)"),
        (Call(lambda m, x: None), "gave NoneType"),
        (Call(lambda m, x: (x, x)), "gave tuple"),
        (Call(lambda m, x: x.float()), "fails on two inputs"),
    ],
    ids=["width", "dtype", "vector", "batch", "none", "pair", "mixed dtypes"],
)
def test_a_model_that_does_not_fit_is_refused_at_once(module, said):
    with pytest.raises(wb.BadInput, match=said):
        problem(module)


def test_a_model_that_drops_inputs_is_caught_on_the_way():
    """Two rows whatever comes: right for the constructor's trial, wrong for a count of hits."""
    asked = problem(Call(lambda m, x: torch.ones(2, 3)))
    with pytest.raises(wb.BadInput, match=r"margin of 100 inputs must have shape \(100,\)"):
        wb.MonteCarlo()(asked, 100)


RESTLESS = {
    "dropout": (nn.Sequential(nn.Linear(3, 3), nn.Dropout()), "Dropout at '1' draws"),
    "batch norm": (nn.Sequential(nn.BatchNorm1d(3)), "BatchNorm1d at '0' changes its statistics"),
    "instance norm": (
        nn.Sequential(
            nn.Unflatten(1, (1, 3)), nn.InstanceNorm1d(1, track_running_stats=True), nn.Flatten()
        ),
        "InstanceNorm1d at '1' changes",
    ),
    "itself": (nn.BatchNorm1d(3), "BatchNorm1d at 'the root'"),
    "random slopes": (nn.Sequential(nn.Linear(3, 3), nn.RReLU()), "RReLU at '1' draws"),
}


@pytest.mark.parametrize("module, said", RESTLESS.values(), ids=RESTLESS)
def test_a_network_that_would_change_as_it_is_asked_is_refused_untouched(module, said):
    module = module.train()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    with pytest.raises(wb.BadInput, match=rf"training mode.*{said}.*call net\.eval\(\) first"):
        problem(module)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    law = wb.Gaussian(torch.zeros(3), torch.ones(3))
    with pytest.raises(wb.BadInput, match="the recogniser is in training mode"):
        wb.Conditional(law, module, wb.Halfspace(torch.ones(3)))
    with pytest.raises(wb.BadInput, match="the energy is in training mode"):
        wb.Gibbs(law, nn.Sequential(module, nn.Linear(3, 1)))
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert not math.isnan(wb.MonteCarlo()(problem(module.eval()), 100).log10_p)


@pytest.mark.parametrize("trained", [True, False])
def test_a_norm_by_the_batch_is_refused_in_either_mode(trained):
    """A share of failures had depended on how many inputs were drawn at once."""
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3, track_running_stats=False))
    with pytest.raises(wb.BadInput, match=r"BatchNorm1d without running statistics at '1'.*batch"):
        problem(module.train(trained))
    with pytest.raises(wb.Unsupported, match="BatchNorm1d without running statistics at '1'"):
        read(module)


@pytest.mark.parametrize("module", [nn.ReLU(), nn.Dropout(0.0), nn.InstanceNorm1d(1)])
def test_a_training_mode_that_changes_nothing_passes(module):
    module = nn.Sequential(nn.Unflatten(1, (1, 3)), module, nn.Flatten()).train()
    assert not math.isnan(wb.MonteCarlo()(problem(module), 100).log10_p)


def test_any_callable_will_do_for_sampling():
    asked = problem(lambda x: x.abs())
    assert math.isfinite(wb.MonteCarlo()(asked, 1000).log10_p)
    with pytest.raises(wb.Unsupported, match=r"a torch\.nn\.Module is needed; try instead"):
        wb.Moments()(asked)


def test_widths_that_do_not_fit_name_the_layer():
    graph = read(nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 2)))
    with pytest.raises(wb.BadInput, match="1 takes 5 inputs but is fed 4"):
        graph.widths(3)


@pytest.mark.parametrize(
    "parts, inputs, said",
    [
        ([nn.ReLU()], [], "needs inputs for each"),
        ([], [], "needs inputs for each"),
        ([nn.ReLU()], [[1]], "takes 1 earlier value"),
        ([nn.ReLU()], [[-1]], "takes 1 earlier value"),
        ([Sum()], [[0]], "takes 2 earlier value"),
    ],
)
def test_networks_with_wrong_feeds_are_refused(parts, inputs, said):
    with pytest.raises(wb.BadInput, match=said):
        Network(parts, inputs)


def test_models_say_what_is_wrong():
    with pytest.raises(wb.BadInput, match="an input and an output width"):
        mlp([3], torch.Generator())
    with pytest.raises(wb.BadInput, match="unknown activation 'swish'"):
        mlp([3, 3, 1], torch.Generator(), "swish")
    with pytest.raises(wb.BadInput, match=r"needs a bias \(2,\)"):
        dense(torch.ones(2, 3), torch.ones(3))


def test_mlp_is_he_initialised():
    """Weights N(0, 2 / fan-in): 40,000 of them have this mean square within 5 sigma (3.5%)."""
    model = mlp([200, 200, 1], torch.Generator().manual_seed(0), bias_std=0.0)
    weight = model.parts[0].weight
    assert weight.square().mean().item() == pytest.approx(2.0 / 200, rel=0.036)
    assert not model.parts[0].bias.any()
    assert isinstance(chain([nn.ReLU()]), Network)


def test_reading_in_one_thread_leaves_forward_passes_in_another_alone():
    """fx patches `nn.Module` while it traces; screens trace and sample in threads of their own."""
    model = chain([dense(torch.eye(6)), nn.ReLU(), dense(torch.ones(1, 6))]).requires_grad_(False)
    x, wrong, done = torch.ones(4, 6), [], threading.Event()

    def forward():
        while not done.is_set():
            try:
                if not torch.equal(model(x), torch.full((4, 1), 6.0)):
                    wrong.append("another value")
            except Exception as error:
                wrong.append(repr(error))

    threads = [threading.Thread(target=forward) for _ in range(2)]
    for thread in threads:
        thread.start()
    reads = [read(model) for _ in range(60)]
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong and all(len(g.nodes) == 4 for g in reads)
