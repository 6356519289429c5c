"""Specs that are networks: `trusted` and `probe` as heads of one network with M."""

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.models import Headed, dense, mlp
from workbench.specs import Polyhedral

DIM, OUT = 4, 3


def net(seed, *widths):
    return mlp(widths, torch.Generator().manual_seed(seed), bias_std=0.3)


def gaussian(d=DIM):
    return wb.Gaussian(torch.zeros(d).double(), torch.ones(d).double())


MODEL = net(0, DIM, 8, 6, OUT)
X = torch.randn(200, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def one(spec):
    return wb.Problem(gaussian(), MODEL, spec)


@pytest.mark.parametrize("reads, width", [("both", DIM + OUT), ("inputs", DIM), ("outputs", OUT)])
def test_a_trusted_network_reads_what_it_says(reads, width):
    weak = net(2, width, 5, 1)
    y = MODEL(X)
    seen = {"both": torch.cat([X, y], 1), "inputs": X, "outputs": y}[reads]
    spec = wb.Trusted(weak, reads=reads)
    assert torch.allclose(one(spec).margin(X), weak(seen)[:, 0])
    assert torch.allclose(spec.margin(X, y), weak(seen)[:, 0])


@pytest.mark.parametrize("layer", [0, 1, 2, 3, 4, 5])
def test_a_probe_reads_the_layer_that_it_names(layer):
    with torch.no_grad():
        values = [X]
        for part in MODEL.parts:
            values.append(part(values[-1]))
    probe = dense(torch.ones(1, values[layer].shape[1]).double())
    problem = one(wb.Probe(probe, wb.Halfspace(torch.ones(1).double(), -0.5), layer))
    assert torch.allclose(problem.margin(X), values[layer].sum(1) - 0.5)
    assert problem.readable


def test_a_probe_reads_any_readable_model():
    plain = nn.Sequential(nn.Linear(DIM, 5), nn.GELU(), nn.Linear(5, 2)).double()
    problem = wb.Problem(gaussian(), plain, wb.Probe(dense(torch.ones(1, 5).double()), layer=2))
    assert torch.allclose(problem.margin(X), plain[1](plain[0](X)).sum(1))
    assert problem.readable


def test_heads_join_with_other_specs():
    """And, or, not and shift, margins and half-spaces alike."""
    weak, probe = net(2, DIM + OUT, 5, 2), net(3, 8, 4, 1)
    trusted, heard = wb.Trusted(weak, wb.Argmax(1)), wb.Probe(probe, layer=2)
    plain = wb.Argmax(0, "wins", 0.1)
    s = {k: one(spec).margin(X) for k, spec in (("t", trusted), ("h", heard), ("p", plain))}
    for spec, margin in (
        ((trusted & plain) | heard, torch.maximum(torch.minimum(s["t"], s["p"]), s["h"])),
        (~((trusted & plain) | heard), -torch.maximum(torch.minimum(s["t"], s["p"]), s["h"])),
        ((plain | ~trusted).shift(0.2), torch.maximum(s["p"], -s["t"]) - 0.2),
    ):
        problem = one(spec)
        assert isinstance(problem.spec, Polyhedral) and problem.spec.name == spec.name
        assert torch.allclose(problem.margin(X), margin)
        y = problem.model(X)
        event = problem.spec.halfspaces(problem.outputs, y)
        assert torch.allclose(event.margin(y), margin)
        assert torch.allclose(problem.vary(spec=problem.spec.shift(0.3)).margin(X), margin - 0.3)
        assert torch.allclose(problem.vary(spec=~problem.spec).margin(X), -margin)


def test_a_problem_remembers_what_was_stated():
    spec = wb.Trusted(net(2, DIM + OUT, 5, 1))
    problem = one(spec)
    assert problem.stated == (MODEL, spec) and isinstance(problem.model, Headed)
    other = problem.vary(spec=wb.Argmax(0))
    assert other.model is MODEL and torch.equal(other.margin(X), one(wb.Argmax(0)).margin(X))
    both = problem.vary(spec=problem.spec & wb.Argmax(0))
    assert torch.allclose(both.margin(X), torch.minimum(problem.margin(X), other.margin(X)))


def test_the_head_is_frozen_and_the_model_is_not():
    weak = net(3, DIM + OUT, 5, 1)
    spec = wb.Trusted(weak)
    assert not any(p.requires_grad for p in spec.network.parameters())
    assert all(p.requires_grad for p in weak.parameters()), "the user's own network is left alone"
    problem = one(spec & wb.Halfspace(torch.ones(OUT).double()))
    free = {id(p) for p in problem.model.parameters() if p.requires_grad}
    assert free == {id(p) for p in MODEL.parameters()}
    _, slopes = wb.log_p_and_grad(problem, wb.Moments(), list(MODEL.parameters()))
    assert all(bool(slope.abs().max() > 0) for slope in slopes[:-1])


def test_propagation_of_a_linear_head_is_exact():
    """T(x, y) = a . x + b . y, M linear: one half-space of x."""
    m, t = (
        torch.randn(2, DIM, generator=torch.Generator().manual_seed(4)).double(),
        torch.ones(1, DIM + 2),
    )
    problem = wb.Problem(
        gaussian(),
        dense(m),
        wb.Trusted(dense(t.double()), wb.Halfspace(torch.ones(1).double(), -9.0)),
    )
    normal = (1.0 + m.sum(0)).norm()
    index = torch.distributions.Normal(0.0, 1.0).cdf(-9.0 / normal).log10()
    assert wb.Moments()(problem).log10_p == pytest.approx(float(index), rel=1e-9)
    assert wb.Conditioned()(problem).log10_p == pytest.approx(float(index), rel=1e-6)


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: wb.Trusted(lambda x: x), "must be a torch module, got function"),
        (lambda: wb.Trusted(net(0, 3, 1), reads="all"), "got 'all'"),
        (lambda: one(wb.Trusted(net(0, 5, 1))), "a network of the spec 'trusted' fails"),
        (lambda: one(wb.Trusted(net(0, DIM + OUT, 2))), "over 1 outputs, the model has 2"),
        (lambda: one(wb.Probe(net(0, 8, 1), layer=9)), "the model has nodes 0 to 5"),
        (lambda: wb.Probe(net(0, 8, 1), layer=-1), "a whole number from 0, got -1"),
        (
            lambda: wb.Probe(net(0, 8, 1), misses=1.5),
            r"misses .* must lie in \[0, 1\]",
        ),
    ],
)
def test_bad_input_is_told_in_a_sentence(make, said):
    with pytest.raises(wb.BadInput, match=said):
        make()


def test_a_probe_needs_a_model():
    with pytest.raises(wb.Unsupported, match="it reads inside a model"):
        wb.Probe(net(0, 8, 1)).margin(X, MODEL(X))


class Fancy(nn.Module):
    def forward(self, x):
        return torch.tan(x)


def test_a_probe_inside_what_cannot_be_read_is_refused():
    with pytest.raises(wb.Unsupported, match="operation tan"):
        wb.Problem(gaussian(), Fancy(), wb.Probe(net(0, 8, 1), layer=1))
    trusted = wb.Problem(gaussian(), Fancy(), wb.Trusted(net(0, 2 * DIM, 1)))
    assert not trusted.readable and trusted.margin(X).shape == (200,)


@pytest.mark.parametrize("name", ["H_trusted", "H_probe"])
def test_catalogue_problems_judged_by_networks(name):
    """From the weights, within 0.3 digit of what two samplers agree on."""
    problem = wb.load(name)
    assert abs(wb.Conditioned()(problem).log10_p - problem.truth.log10_p) < 0.3
    assert problem.stated[1].name == name.removeprefix("H_")


@pytest.mark.parametrize("name", ["H_trusted", "H_probe"])
def test_a_judge_tells_its_error_rates(name):
    """They go with the event: exchanged by its opposite, unknown at another threshold."""
    judge = wb.load(name).stated[1]
    assert 0 < judge.false_alarms < 0.1 and 0 < judge.misses < 0.5 and judge.trained_on > 1000
    opposite = ~judge
    assert (opposite.misses, opposite.false_alarms) == (judge.false_alarms, judge.misses)
    assert judge.shift(0.0).record == judge.record != "" and judge.shift(0.5).record == ""
