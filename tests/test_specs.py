"""Specs: margins, their half-space normal form, and the algebra of and, or, not."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import workbench as wb
from workbench.estimators import ALL
from workbench.estimators.base import serving
from workbench.specs import Polyhedral, Spec
from workbench.specs.base import MAX_CLAUSES

OUTPUTS = 4


def tensor(generator, *shape):
    return torch.randn(*shape, generator=generator)


def leaf(kind, seed):
    g = torch.Generator().manual_seed(seed)
    if kind == "halfspace":
        return wb.Halfspace(tensor(g, OUTPUTS), float(tensor(g, 1)))
    if kind == "polytope":
        return wb.Polytope(tensor(g, 3, OUTPUTS), tensor(g, 3))
    return wb.Argmax(seed % OUTPUTS, "wins" if seed % 2 else "loses", 0.3 * (seed % 3 - 1))


leaves = st.builds(leaf, st.sampled_from(["halfspace", "polytope", "argmax"]), st.integers(0, 99))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a: ~a, inner),
    ),
    max_leaves=3,
)


@settings(max_examples=80)
@given(trees, st.integers(0, 1000))
def test_margin_and_normal_form_agree(spec, seed):
    """The same sign on every y, and for these connectives the very same number."""
    g = torch.Generator().manual_seed(seed)
    x, y = tensor(g, 50, 2), 2.0 * tensor(g, 50, OUTPUTS)
    try:
        form = spec.halfspaces(OUTPUTS, y)
    except wb.Unsupported as refusal:
        assert f"at most {MAX_CLAUSES} are expanded" in str(refusal)
        return
    torch.testing.assert_close(form.margin(y), spec.margin(x, y), rtol=1e-12, atol=1e-12)


@settings(max_examples=50)
@given(trees, st.integers(0, 1000), st.floats(-2, 2))
def test_not_is_minus_and_shift_lowers(spec, seed, tau):
    g = torch.Generator().manual_seed(seed)
    x, y = tensor(g, 20, 2), tensor(g, 20, OUTPUTS)
    s = spec.margin(x, y)
    torch.testing.assert_close((~spec).margin(x, y), -s, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close((~~spec).margin(x, y), s, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(spec.shift(tau).margin(x, y), s - tau, rtol=1e-12, atol=1e-12)
    spec.check(OUTPUTS)


def test_and_or_are_min_and_max():
    g = torch.Generator().manual_seed(0)
    a, b = leaf("polytope", 3), leaf("argmax", 5)
    x, y = tensor(g, 30, 2), tensor(g, 30, OUTPUTS)
    one, two = a.margin(x, y), b.margin(x, y)
    assert torch.equal((a & b).margin(x, y), torch.minimum(one, two))
    assert torch.equal((a | b).margin(x, y), torch.maximum(one, two))
    assert torch.equal((~(a & b)).margin(x, y), (~a | ~b).margin(x, y))  # De Morgan


def test_argmax_is_what_argmax_says():
    y = torch.randn(500, OUTPUTS, generator=torch.Generator().manual_seed(1))
    for label in range(OUTPUTS):
        picked = y.argmax(1) == label
        assert torch.equal(wb.Argmax(label, "wins").margin(y, y) > 0, picked)
        assert torch.equal(wb.Argmax(label, "loses").margin(y, y) > 0, ~picked)


@pytest.mark.parametrize("spec", [wb.Argmax(0), wb.Argmax(1, "wins", 0.2)], ids=["loses", "wins"])
def test_clauses_of_an_argmax(spec):
    form = spec.halfspaces(OUTPUTS, torch.zeros(1))
    shape = [(0,), (1,), (2,)] if spec.event == "loses" else [(0, 1, 2)]
    assert list(form.clauses) == shape


@pytest.mark.parametrize(
    "spec, outputs, said",
    [
        (wb.Halfspace(torch.ones(3)), 2, "over 3 outputs, the model has 2"),
        (wb.Polytope(torch.ones(2, 3), torch.ones(2)), 2, "over 3 outputs, the model has 2"),
        (wb.Argmax(4), 4, "about class 4, the model has 4 classes"),
        (wb.Argmax(0), 1, "at least two outputs, got 1"),
        (wb.Argmax(0) & wb.Argmax(7), 4, "about class 7"),
    ],
)
def test_spec_that_does_not_fit_is_refused(spec, outputs, said):
    with pytest.raises(wb.BadInput, match=said):
        spec.check(outputs)


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: wb.Halfspace(torch.ones(2, 2)), "normal of a halfspace"),
        (lambda: wb.Halfspace(torch.tensor([1, 2])), "floating-point"),
        (lambda: wb.Halfspace(torch.tensor([1.0, math.nan])), "finite"),
        (lambda: wb.Halfspace(torch.ones(2), math.inf), "a halfspace must be a finite number"),
        (lambda: wb.Halfspace(torch.ones(2), torch.ones(2)), "must be a number"),
        (lambda: wb.Polytope(torch.ones(2), torch.ones(2)), r"shape \(r, k\)"),
        (lambda: wb.Polytope(torch.ones(2, 2), torch.ones(3)), "offsets of a polytope"),
        (lambda: wb.Polytope(torch.ones(0, 2), torch.ones(0)), r"shape \(r, k\)"),
        (lambda: wb.Polytope(torch.ones(2, 2).long(), torch.ones(2)), "floating-point"),
        (lambda: wb.Argmax(-1), "integer from 0"),
        (lambda: wb.Argmax(True), "integer from 0"),
        (lambda: wb.Argmax(0, "draws"), "'loses' or 'wins'"),
        (lambda: wb.And(()), "at least one spec"),
    ],
)
def test_malformed_specs_are_refused(make, said):
    with pytest.raises(wb.BadInput, match=said):
        make()


def linear_problem(spec, seed=0, inputs=6):
    """A random linear model of four outputs under a standard normal D."""
    g = torch.Generator().manual_seed(seed)
    layer = nn.Linear(inputs, OUTPUTS)
    with torch.no_grad():
        layer.weight.copy_(tensor(g, OUTPUTS, inputs))
        layer.bias.copy_(tensor(g, OUTPUTS))
    return wb.Problem(wb.Gaussian(torch.zeros(inputs), torch.ones(inputs)), layer, spec)


def p_of(spec, seed=0):
    return math.exp(float(wb.Moments()(linear_problem(spec, seed)).log_p.detach()))


@pytest.mark.parametrize("seed", range(4))
def test_probabilities_of_c_and_not_c_add_to_one(seed):
    """Exact for one half-space, and for two joined by and or or."""
    one, two = leaf("halfspace", seed), leaf("halfspace", seed + 50)
    for spec in (one, one & two, one | two, one & ~two):
        assert p_of(spec, seed) + p_of(~spec, seed) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_repeats_and_contradictions_change_nothing(seed):
    """C and C is C, C or C is C, C and not C is impossible, alone and beside another event."""
    c, e = leaf("halfspace", seed), leaf("halfspace", seed + 50)
    alone, both = p_of(c, seed), p_of(c & e, seed)
    for spec in (c & c, c | c, (c & c) & c, (c & c) | c):
        assert p_of(spec, seed) == pytest.approx(alone, rel=1e-12)
    for spec in (c & e & c, (c & e) | (e & c)):
        assert p_of(spec, seed) == pytest.approx(both, rel=1e-12)
    assert p_of(c & ~c, seed) == p_of(c & e & ~c, seed) == 0.0
    assert p_of(c | ~c, seed) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_monotone_in_the_threshold(seed):
    spec = wb.Argmax(seed)
    answers = [p_of(spec.shift(t), seed) for t in (-2.0, -1.0, 0.0, 0.5, 1.0, 4.0, 20.0)]
    assert answers == sorted(answers, reverse=True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spec", [wb.Argmax(1), wb.Argmax(1, "wins")], ids=["loses", "wins"])
def test_rivals_on_a_linear_model_against_sampling(seed, spec):
    """Three rivals. The union is an upper bound, the intersection an approximation.

    400,000 draws: five standard errors are a false alarm of 6e-7; 6% more is the method's own.
    """
    spec = spec.shift(1.0)
    problem = linear_problem(spec, seed)
    draws = 400_000
    with torch.no_grad():
        x = problem.distribution.sample(draws, torch.Generator().manual_seed(seed))
        p = float((problem.margin(x) > 0).double().mean())
    error = 5 * math.sqrt(p * (1 - p) / draws)
    got = p_of(spec, seed)
    lowest = p if spec.event == "loses" else 0.94 * p
    assert lowest - error < got < 1.06 * p + error


class Own(Spec):
    """A margin alone."""

    def margin(self, x, y):
        return y.square().sum(-1) - 15.0


def test_a_margin_alone_is_a_spec():
    g = torch.Generator().manual_seed(0)
    x, y, c = tensor(g, 30, 2), tensor(g, 30, OUTPUTS), Own()
    s = c.margin(x, y)
    assert torch.equal((~c).margin(x, y), -s) and ~~c is c
    assert torch.equal(c.shift(0.5).margin(x, y), s - 0.5) and c.shift(0.0) is c
    assert torch.equal((~c.shift(0.5)).margin(x, y), 0.5 - s) and ~(~c.shift(0.5)).shift(0.5) is c
    assert [e.name for e in (c, ~c, c.shift(0.5))] == ["Own", "not Own", "Own by 0.5"]
    other = leaf("halfspace", 1)
    assert torch.equal((~c | other).margin(x, y), torch.maximum(-s, other.margin(x, y)))


def test_estimators_that_need_margins_alone_serve_a_margin_alone():
    """Sum of y^2 > 15 for y = x standard normal in four dimensions: chi-square, 10^-2.33."""
    d = wb.Gaussian(torch.zeros(OUTPUTS), torch.ones(OUTPUTS))
    problem = wb.Problem(d, nn.Identity(), Own())
    known = math.log10(math.exp(-7.5) * 8.5)
    served = [cls for cls in ALL if cls.name in serving(problem)]
    names = {cls.name for cls in served}
    assert names >= {"conditioned", "monte_carlo", "importance", "subset", "change_of_measure"}
    for cls in served:
        found = cls()(problem, 4000)
        assert math.isfinite(found.log10_p)
        if cls.kind in (wb.Kind.UNBIASED, wb.Kind.CONSISTENT):
            assert abs(found.log10_p - known) < 4 * found.log10_err + 1e-6, cls.name
        assert cls()(problem.vary(spec=~problem.spec), 4000).log10_p > -0.5  # P is 0.995
    both = wb.Problem(d, nn.Identity(), Own() & wb.Halfspace(torch.tensor([1.0, 0.0, 0.0, 0.0])))
    half = known - math.log10(2.0)
    assert {cls.name for cls in ALL if cls.name in serving(both)} == names
    assert abs(wb.Conditioned()(both).log10_p - half) < 0.1
    found = wb.Importance()(both, 10_000)
    assert abs(found.log10_p - half) < 4 * found.log10_err


def test_a_joined_spec_is_polyhedral_where_its_parts_are():
    flat, own = leaf("halfspace", 1), Own()
    for made in (flat & flat, flat | flat, ~(flat & flat), (flat & flat).shift(1.0)):
        assert isinstance(made, Polyhedral)
        assert type(copy.deepcopy(made)) is type(made)
    for made in (flat & own, own | flat, ~(own & flat), wb.And(iter((flat, own)))):
        assert not isinstance(made, Polyhedral) and len(made.parts) == 2


class Opaque(Spec):
    """A trusted margin that is no union of half-spaces."""

    name = "opaque"

    def margin(self, x, y):
        return y.square().sum(-1) - 9.0

    def check(self, outputs):
        pass

    def shift(self, tau):
        raise AssertionError("the samplers never ask")

    def __invert__(self):
        raise AssertionError("the samplers never ask")


def test_a_spec_of_one_s_own_goes_through_the_samplers():
    problem = linear_problem(Opaque() | leaf("halfspace", 1))
    assert math.isfinite(wb.MonteCarlo()(problem, 5000).log10_p)
    for refused, said in (
        (problem, "the spec 'or': a Polyhedral spec is needed"),
        (linear_problem(Opaque()), "the spec 'opaque': a Polyhedral spec is needed"),
    ):
        with pytest.raises(wb.Unsupported, match=said) as caught:
            wb.Moments()(refused)
        assert "monte_carlo" in caught.value.try_instead
        assert "moments" not in caught.value.try_instead


class Given(Spec):
    """The margin that is given, of y."""

    def __init__(self, of):
        self.of = of

    def margin(self, x, y):
        return self.of(y)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (wb.Halfspace(torch.ones(OUTPUTS, dtype=torch.float32)), "fails on two inputs"),
        (Given(lambda y: y), r"margin of 2 inputs must have shape \(2,\), got \(2, 4\)"),
        (Given(lambda y: y.mean()), r"shape \(2,\), got \(\)"),
        (Given(lambda y: [0.0, 1.0]), r"shape \(2,\), got list"),
        (Given(lambda y: y[:, 0] > 0), "must be floating-point numbers, .* got torch.bool"),
        (Given(lambda y: y.argmax(1)), "must be floating-point numbers, .* got torch.int64"),
    ],
)
def test_a_margin_that_does_not_fit_is_refused_at_once(spec, said):
    with pytest.raises(wb.BadInput, match=said):
        linear_problem(spec)


def test_a_spec_that_expands_too_far_is_refused():
    # Nine unions of two, all at once, are 2^9 clauses.
    spec = wb.And(tuple(leaf("halfspace", i) | leaf("halfspace", i + 9) for i in range(9)))
    with pytest.raises(wb.Unsupported, match=f"512 clauses: at most {MAX_CLAUSES}"):
        spec.halfspaces(OUTPUTS, torch.zeros(1))


def test_words_that_would_drop_a_spec_are_refused():
    one, other = wb.Argmax(0), wb.Argmax(1)
    for words in (lambda: one and other, lambda: one or other, lambda: not one):
        with pytest.raises(wb.BadInput, match=r"join specs by & and \|"):
            words()


@pytest.mark.parametrize("label", [torch.tensor(2), np.int64(2), 2])
def test_a_label_of_torch_or_numpy_is_a_label(label):
    spec = wb.Argmax(label)
    assert spec.label == 2 and type(spec.label) is int


@pytest.mark.parametrize("label", [torch.tensor(2.0), 1.5, True, -1, None, "2"])
def test_what_is_no_label_is_refused(label):
    with pytest.raises(wb.BadInput, match="must be an integer from 0"):
        wb.Argmax(label)
