"""The contract of an estimator, held by every one in `ALL` and by the template."""

import dataclasses
import json
import math
from functools import cache

import cases
import pytest
import torch
from torch import nn

import workbench as wb
from workbench.distributions import (
    Enumerable,
    Gibbs,
    IndependentTokens,
    Recognised,
    ShortText,
    Spins,
)
from workbench.estimators import ALL
from workbench.iteration import State, steps
from workbench.math.logspace import LN10
from workbench.specs import Ranked
from workbench.types import Pace

VARIANTS = cases.variants()


def params(*held):
    """Parameters of the variants whose row is held in one of these ways."""
    chosen = [v for v in VARIANTS if any(getattr(v[1], h) is not None for h in held)]
    return pytest.mark.parametrize(
        "row, estimator", [pytest.param(row, e, id=label) for label, row, e in chosen]
    )


each_variant = params("within", "coverage")
each_estimator = pytest.mark.parametrize("cls", [*ALL, cases.Stratified], ids=lambda cls: cls.name)
BUDGETS = (1, 2, 7, 199, 201, 1000, 12_345)


def gaussian(d: int, dtype: torch.dtype = torch.float64) -> wb.Gaussian:
    return wb.Gaussian(torch.zeros(d, dtype=dtype), torch.ones(d, dtype=dtype))


def half(b: float, dtype: torch.dtype = torch.float64) -> wb.Halfspace:
    """First output + b > 0, of one output."""
    return wb.Halfspace(torch.ones(1, dtype=dtype), b)


def line(d: int, dtype: torch.dtype = torch.float64) -> nn.Linear:
    """y = the mean of x times sqrt(d): N(0, 1) under `gaussian(d)`."""
    layer = nn.Linear(d, 1, bias=False, dtype=dtype)
    nn.init.constant_(layer.weight, d**-0.5)
    return layer


class Fancy(nn.Module):
    """A model that no propagator reads."""

    def forward(self, x):
        return torch.erf(x).sum(1, keepdim=True)


class Broken(nn.Module):
    """NaN on every other input."""

    def __init__(self, d):
        super().__init__()
        self.layer = line(d)

    def forward(self, x):
        y = self.layer(x)
        y[::2] = math.nan
        return y


def nats(estimate):
    """log P as a float."""
    return float(estimate.log_p.detach())


def particular(estimator):
    """Whether it asks for a model of one kind, which `cases.question` makes."""
    return Ranked in estimator.needs.spec or bool(estimator.needs.model)


def states(estimator, problem, budget, seed=0):
    """Every state of a run, the first included."""
    found: list[State] = [estimator.init(problem, wb.Rng(seed))]
    for state, _ in steps(estimator, problem, found[0], wb.Budget(budget)):
        found.append(state)
    return found


def test_every_estimator_has_a_row_and_every_row_an_estimator():
    rows = [row.name for row in cases.ROWS]
    missing = [cls.name for cls in ALL if cls.name not in rows]
    assert not missing, f"add a row to tests/cases.py for the estimators {missing}"
    unknown = [name for name in rows if name not in cases.ESTIMATORS]
    assert not unknown, f"tests/cases.py has rows for {unknown}, which `estimators.ALL` lacks"
    assert len(set(rows)) == len(rows), "tests/cases.py has two rows for one estimator"
    unheld = [row.name for row in cases.ROWS if row.within is None and row.coverage is None]
    assert not unheld, f"the rows {unheld} of tests/cases.py say neither `within` nor `coverage`"
    inexact = [row.name for row in cases.ROWS if wb.load(row.problem).truth.se_log10 > 0]
    assert not inexact, f"the rows {inexact} of tests/cases.py need a problem whose truth is exact"


@each_estimator
def test_class_says_what_it_is(cls):
    assert dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen
    assert isinstance(cls.kind, wb.Kind) and isinstance(cls.grad, wb.Grad)
    assert cls.name == cls.name.lower() and cls.name.isidentifier()
    assert cls.__doc__ and "Args:" in cls.__doc__
    settings = cls().settings()
    assert list(settings) == [f.name for f in dataclasses.fields(cls)]
    assert cls(**json.loads(json.dumps(settings))) == cls()
    for name, words in cls.choices.items():
        assert settings[name] in words
    sampled = any(row.sampled for row in cases.ROWS if row.name == cls.name)
    assert not sampled or cls.pace is Pace.ASKED, "what a seed changes must wait to be asked"
    for name in settings:
        assert f"    {name}: " in cls.__doc__, f"the docstring does not explain {name!r}"


@cache
def told(name, estimator):
    """An estimate with seed 3 on the problem of a row, and what it told on the way."""
    row, seen = next(row for row in cases.ROWS if row.name == name), []
    problem = cases.live(wb.load(row.problem))
    return estimator(problem, row.budget, 3, progress=seen.append), seen


@params("within")
def test_answer_is_within_its_tolerance(row, estimator):
    estimate, _ = told(row.name, estimator)
    assert abs(nats(estimate) / LN10 - wb.load(row.problem).truth.log10_p) < row.within


@params("coverage")
def test_interval_covers_the_truth(row, estimator):
    problem = wb.load(row.problem)
    usual = estimator == type(estimator)()
    repeats, held = row.repeats if usual else row.repeats // 3, 0
    for seed in range(repeats):
        low, high = estimator(problem, row.budget, seed).interval
        held += low <= problem.truth.log_p <= high
    assert held >= cases.at_least(repeats, row.coverage)


@each_variant
def test_seed_decides_the_answer(row, estimator):
    problem, (first, _) = wb.load(row.problem), told(row.name, estimator)
    again, other = (estimator(problem, row.budget, seed) for seed in (3, 4))
    assert nats(first) == nats(again)
    assert json.dumps(first.info) == json.dumps(again.info)
    assert (nats(first) != nats(other)) == row.sampled


@each_variant
def test_estimate_is_well_formed(row, estimator):
    estimate, _ = told(row.name, estimator)
    assert estimate.log_p.shape == () and nats(estimate) <= 0.0
    kinds = {estimator.kind}
    if estimator.kind is wb.Kind.CONSISTENT:
        kinds.add(wb.Kind.UNBIASED)  # a setting may promise more
    assert estimate.kind in kinds
    assert estimate.log_err is None or estimate.log_err >= 0.0
    assert estimate.cost.forwards > 0 and estimate.cost.flops > 0 and estimate.cost.seconds > 0
    json.dumps(estimate.info)
    if estimate.interval is not None:
        assert estimate.interval[0] <= nats(estimate) <= estimate.interval[1] <= 0.0
    assert (row.coverage is None) == (estimate.interval is None)
    carries = estimate.log_p.requires_grad
    assert carries == (estimator.grad in (wb.Grad.PATHWISE, wb.Grad.IMPLICIT))


@pytest.mark.parametrize(
    "row, estimator, budget",
    [
        pytest.param(row, e, budget, id=f"{budget}-{label}")
        for label, row, e in VARIANTS
        for budget in (BUDGETS if row.budget > 1 else BUDGETS[::6])  # some need one pass only
    ],
)
def test_budget_is_never_exceeded(row, estimator, budget):
    problem = wb.load(row.problem)
    path = states(estimator, problem, budget)
    spent = [state.forwards for state in path]
    assert spent == sorted(spent) and spent[-1] <= budget
    assert [state.steps for state in path] == list(range(len(path)))
    estimate = estimator.report(problem, path[-1], 0.0)
    assert not row.sampled or 0 < estimate.cost.forwards <= budget


@each_variant
def test_a_budget_of_seconds_ends_the_run(row, estimator):
    estimate = estimator(wb.load(row.problem), wb.Budget(forwards=None, seconds=0.02), 1)
    assert not math.isnan(estimate.log10_p)


@each_variant
def test_progress_runs_to_one(row, estimator):
    _, seen = told(row.name, estimator)
    fractions = [look.fraction for look in seen]
    assert fractions and fractions == sorted(fractions)
    assert fractions[0] > 0.0 and fractions[-1] <= 1.0
    assert all(isinstance(look.state, State) for look in seen)


@each_variant
@pytest.mark.parametrize("b, log_p", [(1e6, 0.0), (-1e6, -math.inf)], ids=["surely", "never"])
def test_sure_and_impossible_events(row, estimator, b, log_p):
    """On a margin of constant sign: a dead ReLU leaves y = 0 exactly."""
    d = cases.law(estimator, 10)
    if particular(estimator):
        assert nats(estimator(cases.question(estimator, d, math.exp(log_p)), 5000, 0)) == log_p
        return
    bend = nn.Flatten() if estimator.needs.affine else nn.ReLU()
    dead = nn.Sequential(line(d.dim), bend, nn.Linear(1, 1))
    with torch.no_grad():
        dead[0].weight.zero_()
        dead[2].bias.zero_()
    problem = wb.Problem(d, cases.reading(d, dead), half(b))
    assert nats(estimator(problem, 5000, 0)) == log_p


@each_variant
def test_single_precision(row, estimator):
    """log10 P = -1: right to 0.05, more than 8 standard errors of 20,000 draws (0.0065)."""
    single = torch.float32
    quantile = torch.special.ndtri(torch.tensor(0.1, dtype=torch.float64)).item()
    d = cases.law(estimator, 10, single)
    if particular(estimator):
        found = estimator(cases.question(estimator, d, 0.1), 20_000, 1)
        assert abs(found.log10_p + 1.0) < 0.05
        return
    model = cases.reading(d, line(d.dim, single))
    problem = wb.Problem(d, model, half(quantile, single))
    assert abs(estimator(problem, 20_000, 1).log10_p + 1.0) < 0.05


@each_estimator
def test_nan_is_an_error_that_names_the_place(cls):
    """The margins, the layer, or the weights: where M is broken from the start, at once."""
    d = cases.law(cls(), 3)
    named = r"margin is NaN on .* inputs|at '1'|weights .* hold NaN"
    with pytest.raises((wb.NotConverged, wb.BadInput), match=named):
        cls()(broken(cls, d), 300_000)


def broken(cls, d):
    """A problem of its kind with a model that puts out NaN."""
    if particular(cls):
        return cases.question(cls(), d, 0.5, broken=True)
    if not cls.needs.readable:
        return wb.Problem(d, cases.reading(d, Broken(d.dim)), half(-1.0))
    layer = line(3)
    bend = nn.Flatten() if cls.needs.affine else nn.Tanh()
    law = d if d.dim == 3 else gaussian(3)
    problem = wb.Problem(law, nn.Sequential(bend, layer), half(-1.0))
    with torch.no_grad():
        layer.weight[0, 1] = math.nan
    return problem


def serves_any_model_in_3d(cls):
    """Whether it serves a Gaussian in three dimensions whatever M is."""
    needs = cls.needs
    few = needs.most_dim is not None and needs.most_dim < 3
    own = {Enumerable, Gibbs, Spins, Recognised, IndependentTokens, ShortText}
    return not (needs.readable or few or own & set(needs.distribution))


@each_estimator
def test_what_it_cannot_serve_is_refused_with_alternatives(cls):
    d = cases.law(cls(), 3)
    problem = wb.Problem(d, cases.reading(d, Fancy()), half(-0.5))
    if cls.needs.model:
        with pytest.raises(
            wb.Unsupported, match=rf"a {cls.needs.model[0].__name__} or an? .* is needed"
        ) as no:
            cls()(problem)
        assert cls.name not in no.value.try_instead and no.value.try_instead
        return
    if not cls.needs.readable:
        few = IndependentTokens in cls.needs.distribution  # hundreds of forwards a step
        assert math.isfinite(cls()(problem, 20_000 if few else 300_000).log10_p)
        return
    if Ranked in cls.needs.spec:
        with pytest.raises(wb.Unsupported, match="a Ranked spec is needed") as caught:
            cls()(problem)
        assert cls.name not in caught.value.try_instead
        return
    with pytest.raises(wb.Unsupported) as caught:
        cls()(problem)
    assert "operation erf at 'erf'" in str(caught.value)
    serve = {c.name for c in ALL if serves_any_model_in_3d(c)}
    # Spins are counted, other energies integrated, and served by nothing else.
    others = {"spin_glass": {"enumeration"}, "gibbs": {"partition"}}
    assert set(caught.value.try_instead) == others.get(problem.distribution.name, serve)


@each_estimator
def test_whole_numbers_among_the_settings_are_checked(cls):
    for key in [k for k, v in cls().settings().items() if type(v) is int]:
        for wrong in (-1, 2.5, "a", None):
            with pytest.raises(wb.BadInput, match=key):
                cls(**{key: wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"forwards": 0},
        {"forwards": -3},
        {"forwards": 2.5},
        {"forwards": "many"},
        {"forwards": None},
        {"seconds": 0.0},
        {"seconds": math.nan},
        {"seconds": "long"},
    ],
    ids=str,
)
def test_a_budget_that_is_none_is_refused(wrong):
    with pytest.raises(wb.BadInput, match="a budget needs"):
        wb.Budget(**wrong)


def test_a_budget_of_zero_is_not_the_default():
    with pytest.raises(wb.BadInput, match="at least one forward pass"):
        wb.MonteCarlo()(wb.load("A_d10_1e-3"), budget=0)


class Idle(wb.MonteCarlo):
    """Draws, and counts no draw."""

    def step(self, problem, state):
        return dataclasses.replace(super().step(problem, state), forwards=0)

    def read(self, state):
        return super().read(dataclasses.replace(state, forwards=1, hits=0))


def test_what_spends_nothing_and_never_ends_is_stopped():
    problem = wb.load("A_d10_1e-3")
    with pytest.raises(wb.NotConverged, match=r"Idle took 1,000 steps without counting .*finished"):
        Idle(batch=8)(problem, 100)
    # Seconds end it by themselves.
    assert Idle(batch=8)(problem, wb.Budget(None, 0.05)).cost.seconds >= 0.05


def test_an_estimate_prints_what_it_doubts():
    told = repr(wb.Estimate(torch.tensor(-2.0 * LN10), None, wb.Kind.HEURISTIC))
    assert told == "Estimate(log10 P = -2, heuristic, 0 forwards, 0 s)"
    info = {"warning": "the lines differ", "indicator_digits": 0.0312}
    told = repr(wb.Estimate(torch.tensor(-2.0 * LN10), None, wb.Kind.HEURISTIC, info=info))
    assert told.splitlines() == [
        "Estimate(log10 P = -2, perhaps 0.031 digits off, heuristic, 0 forwards, 0 s)",
        "  beware: the lines differ",
    ]
    assert repr(wb.Conditioned()(wb.load("digits"))).count("perhaps 0.0") == 1


def test_moments_reaches_what_no_float_holds():
    """log10 Phi(-1000), against mpmath: P itself underflows below 10^-308."""
    from mpmath import erfc, log10, mp, sqrt

    with mp.workdps(30):
        truth = float(log10(erfc(1000 / sqrt(mp.mpf(2))) / 2))
    found = wb.Moments()(wb.Problem(gaussian(4), line(4), half(-1000.0))).log10_p
    assert found == pytest.approx(truth, rel=1e-13)
