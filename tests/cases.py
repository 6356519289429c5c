"""One row an estimator: what the contract tests of `test_estimators.py` and `test_resume.py` run.

A new estimator is its file, its place in `workbench.estimators.ALL`, and a row here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from scipy.stats import binom

import workbench as wb
from workbench.distributions import (
    Enumerable,
    Gibbs,
    IndependentTokens,
    Recognised,
    Sequences,
    ShortText,
    Spins,
)
from workbench.estimators import ALL
from workbench.estimators.TEMPLATE import Stratified
from workbench.models import RNN, Automaton, ShortContext, Transformer, dense
from workbench.models.transformer import Shape
from workbench.specs import Ranked

FALSE_ALARM = 1e-6
"""Chance that a right estimator fails one of the statistical tests below."""


@dataclass(frozen=True)
class Row:
    """How an estimator is held to an exact truth.

    Args:
        name: the estimator's name.
        problem: a catalogue problem whose truth is exact.
        budget: forward passes an estimate.
        settings: variants, each run through every test.
        within: the largest error of log10 P allowed, for estimators without an interval.
        coverage: the share of 95% intervals that must hold the truth; tested over `repeats` seeds
            with a false-alarm rate below `FALSE_ALARM` at exactly this coverage.
        sampled: whether the answer depends on the seed.
    """

    name: str
    problem: str
    budget: int
    settings: tuple[Mapping[str, Any], ...] = ({},)
    within: float | None = None
    coverage: float | None = None
    repeats: int = 60
    sampled: bool = True


ROWS = (
    Row(
        "moments",
        "A_d10_1e-20",
        budget=1,
        settings=({}, {"propagator": "mean"}, {"order": 1}),
        within=1e-9,  # rounding alone: M is linear and D Gaussian
        sampled=False,
    ),
    Row(
        "conditioned",
        "A_d10_1e-20",
        budget=5_000,
        settings=({}, {"summits": 1, "lines": 40, "net": 3}, {"tolerance": 1e-9, "lines": 300}),
        within=1e-9,  # every line is crossed at the same t
        sampled=False,
    ),
    Row(
        "slices",
        "A_d10_1e-12",
        budget=20_000,
        settings=({}, {"directions": 2, "nodes": 12, "width": 0.5}, {"directions": 0}),
        within=1e-6,  # of the trapezoidal sums
        sampled=False,
    ),
    Row("monte_carlo", "A_d10_1e-3", budget=20_000, settings=({}, {"batch": 999}), coverage=0.95),
    Row(
        "subset",
        "A_d10_1e-6",
        budget=20_000,
        settings=(
            {},
            {"particles": 400, "keep": 0.2},
            {"levels": "fixed", "kernel": "elliptical_slice"},
        ),
        coverage=0.90,  # a Student interval from a few repeats of a skewed P-hat
    ),
    Row(
        "importance",
        "A_d10_1e-12",
        budget=5_000,
        settings=({}, {"modes": 1, "scouts": False, "pilots": 1, "pilot": 300, "batch": 999}),
        coverage=0.93,  # a normal interval of a weighted mean; its weights are skewed
    ),
    Row(
        "design_point",
        "A_d10_1e-12",
        budget=5_000,
        settings=({}, {"method": "form", "modes": 2}),
        within=1e-4,  # the search ends within a thousandth of the boundary, and linearises there
        sampled=False,
    ),
    Row(
        "gld",
        "A_d10_1e-3",
        budget=20_000,
        settings=({}, {"batch": 777}),
        within=0.13,  # beta = -3.09 is known to sqrt((1 + beta^2/2) / n) = 0.017, times the
        # hazard 3.37 is 0.025 digits; 0.13 is 5.2 of those, a chance of 2e-7
    ),
    Row(
        "lower",
        "A_d10_1e-12",
        budget=2_000,
        settings=({}, {"basis": "direction", "batch": 3, "descent": 2}),
        within=1e-9,  # M is linear: the linear bounds are M itself
        sampled=False,
    ),
    Row(
        "upper",
        "A_d10_1e-12",
        budget=2_000,
        settings=({}, {"basis": "direction", "batch": 3, "descent": 2}),
        within=1e-9,  # as above
        sampled=False,
    ),
    Row(
        "change_of_measure",
        "A_d10_1e-6",
        budget=20_000,
        settings=({}, {"batch": 777, "pilot": 50}),
        coverage=0.975,  # from the lower end of a Clopper-Pearson interval to 1
        sampled=False,  # M is linear: every draw beyond its half-space fails, whatever the seed
    ),
    Row(
        "enumeration",
        "E_product_1e-6",
        budget=65_536,
        settings=({}, {"batch": 1000}),
        within=1e-9,  # rounding alone
        sampled=False,
    ),
    Row(
        "cubature",
        "E_plane_1e-8",
        budget=300_000,
        settings=({}, {"panels": 17, "tolerance": 1e-6}),
        within=1e-6,
        sampled=False,
    ),
    Row(
        "orthant",
        "A_d100_1e-12",
        budget=1,
        settings=({}, {"points": 64, "replicates": 3}),
        within=1e-9,  # one half-space: rounding alone
        sampled=False,
    ),
    Row(
        "ratio",
        "F_orthant_1e-8",
        budget=6_000,
        settings=({}, {"by": "moments"}),
        within=0.1,  # the lines' own tolerance is 10%, 0.04 digits, in each of the two parts
        sampled=False,
    ),
    Row(
        "partition",
        "G_network_1e-6",
        budget=60_000,
        settings=({}, {"lines": 64, "summits": 2}, {"tolerance": 0.02}),
        within=0.1,  # 64 lines differ by 6% of P, 0.03 digits, in either integral
        sampled=False,
    ),
    Row(
        "free_energy",
        "G_network_1e-6",
        budget=1,
        settings=({}, {"order": 1}),
        within=0.1,  # the margin fails where it is nearly linear; measured 0.02
        sampled=False,
    ),
    Row(
        "mean_field",
        "G_free_1e-6",
        budget=1,
        settings=({}, {"free_energy": "tap"}, {"summed": 0}),
        within=0.12,  # no couplings: what is off is the saddlepoint, as the margin is no smooth law
        sampled=False,
    ),
    Row(
        "transitions",
        "L_zap_1e-7",
        budget=1,
        settings=({}, {"states": 1, "characters": 2}),
        within=1e-9,  # rounding alone
        sampled=False,
    ),
    Row(
        "leaves",
        "T_char1_line_1e-7",
        budget=20_000,
        settings=({}, {"rounds": 3, "cells": 9, "net": 2}),
        within=0.1,  # 16 sequences of 307,328 fail, and a search that ends without them is wrong
        sampled=False,
    ),
    Row(
        "itgis",
        "T_char2_letter_1e-3",
        budget=8_000,
        settings=({}, {"batch": 100, "temperature": 2.0}),
        coverage=0.95,  # Student's, and wider where the weights' tail is heavy
        repeats=15,
    ),
    Row(
        "mhis",
        "T_char2_letter_1e-3",
        budget=8_000,
        settings=({}, {"chains": 16, "burn_in": 50, "temperature": 2.0}),
        coverage=0.9,  # Student's for a ratio whose denominator few visits carry
        repeats=15,
    ),
    Row(
        "qld",
        "A_d10_1e-3",
        budget=50_000,
        settings=({}, {"batch": 999}),
        within=0.33,  # one half-space of Gaussian activations: a share of 1e-3 of 50,000 draws,
        # known to 14%, 0.061 digits; 0.33 is 5.4 of those
    ),
    Row(
        "cross_entropy",
        "T_bpe_word_1e-4",
        budget=20_000,
        settings=({}, {"batch": 1000, "kept": 0.2}),
        coverage=0.88,  # as for itgis, but of ways to fail that no round has seen
        repeats=30,
    ),
    Row(
        "last_input",
        "algzoo_second_built_n2",
        budget=1_000,
        settings=({}, {"points": 64, "nets": 2, "inner": "line"}),
        within=1e-9,  # of two numbers the angle tells all: rounding alone
        sampled=False,
    ),
    Row(
        "main_effects",
        "T_char1_line_1e-3",
        budget=20_000,
        settings=({"starts": 2, "passes": 4},),
        within=0.2,  # a heuristic cut short: of four passes a start, not sixty
        sampled=False,
    ),
    Row(
        "stratified",
        "A_d10_1e-3",
        budget=20_000,
        settings=({}, {"axis": 9, "batch": 333}),
        coverage=0.95,
    ),
)

ESTIMATORS = {cls.name: cls for cls in (*ALL, Stratified)}


TOKENS = 1000


class Reading(torch.nn.Module):
    """Takes token v as quantile (v + 1/2) / 1000 of N(0, 1), and gives a model these numbers."""

    def __init__(self, model, dtype):
        super().__init__()
        share = (torch.arange(TOKENS, dtype=torch.float64) + 0.5) / TOKENS
        self.values = torch.nn.Parameter(torch.special.ndtri(share).to(dtype))
        self.model = model

    def forward(self, x):
        return self.model(x @ self.values if x.is_floating_point() else self.values[x])


def reading(d, model):
    """The model, so that it reads what D gives."""
    if isinstance(d, ShortText):  # what it says after each of the symbols; after none, of the first
        with torch.no_grad():
            said = Reading(model, d.network.embed.dtype)(torch.arange(TOKENS)[:, None])
        after = (1 + torch.arange(TOKENS)).expand(TOKENS + 1, -1).contiguous()
        return Automaton(after, torch.cat([said[:1], said]))
    return Reading(model, d.probs.dtype) if isinstance(d, Sequences) else model


def law(estimator: wb.Estimator, d: int, dtype: torch.dtype = torch.float64) -> Any:
    """N(0, I) in `d` dimensions, or what comes nearest to it and serves the estimator."""
    needs = estimator.needs
    if Enumerable in needs.distribution:  # as many equally likely quantiles
        values = Reading(None, dtype).values.detach()[None]
        return wb.Discrete(values, torch.ones_like(values))
    if Recognised in needs.distribution:  # x_0 - x_1 tells nothing of the sum
        across = torch.zeros(1, d, dtype=dtype)
        across[0, 0], across[0, 1] = 0.5, -0.5
        event = wb.Halfspace(torch.ones(1, dtype=dtype), -1.0)
        return wb.Conditional(law(wb.MonteCarlo(), d, dtype), dense(across), event)
    if Gibbs in needs.distribution:
        base = law(wb.MonteCarlo(), d, dtype)
        return wb.Gibbs(base, dense(torch.zeros(1, d, dtype=dtype)))
    if IndependentTokens in needs.distribution:  # see `reading`
        return wb.Tokens(torch.ones(1, TOKENS, dtype=dtype))
    if ShortText in needs.distribution:  # one symbol, all alike; see `reading`
        network = ShortContext(TOKENS, 1, 1, 1, dtype=dtype)
        for p in network.parameters():
            torch.nn.init.zeros_(p)
        return ShortText(network.requires_grad_(False), (0,), 1)
    if Spins in needs.distribution:
        return wb.SpinGlass(torch.zeros(d, d, dtype=dtype), torch.zeros(d, dtype=dtype))
    d = d if needs.most_dim is None else min(d, needs.most_dim)
    return wb.Gaussian(torch.zeros(d, dtype=dtype), torch.ones(d, dtype=dtype))


def question(estimator: wb.Estimator, d: Any, p: float, broken: bool = False) -> wb.Problem:
    """C of probability p for an estimator that holds y against the values of x; else unserved.

    A network of no weight says 0, and the mean of N(0, s^2 I) in two dimensions is N(0, s^2 / 2).
    """
    if Transformer in estimator.needs.model:
        return say(p, d.probs.dtype, broken)
    assert Ranked in estimator.needs.spec
    dtype = d.mean.dtype
    none = torch.zeros(1, 1, dtype=dtype) + (torch.nan if broken else 0.0)
    model = RNN(dense(none), dense(none), dense(none), 2)
    d = wb.Gaussian(d.mean[:2], d.scale[:2])
    far = {0.0: -1e6, 1.0: 1e6}
    half = torch.special.ndtri(torch.tensor(0.5 + 0.5 * p, dtype=torch.float64))
    return wb.Problem(d, model, wb.Median(far.get(p, float(half) / 2**0.5)))


def say(p: float, dtype: torch.dtype, broken: bool) -> wb.Problem:
    """A transformer that says 1 after a share p of 1,000 equally likely tokens, else -1: norms of
    (a, -a) are the sign of a."""
    model = Transformer(Shape(TOKENS, 2, 1, 1, 1, 1), dtype=dtype).requires_grad_(False)
    for w in model.parameters():
        torch.nn.init.zeros_(w)
    model.norm.weight.fill_(1.0)
    model.embed[:, 0] = torch.where(torch.arange(TOKENS) < round(p * TOKENS), 1.0, -1.0)
    model.embed[:, 1] = -model.embed[:, 0]
    model.unembed.weight[0, 0] = torch.nan if broken else 1.0
    event = wb.Halfspace(torch.eye(TOKENS, dtype=dtype)[0])
    return wb.Problem(wb.Tokens(torch.ones(1, TOKENS, dtype=dtype)), model, event)


def variants() -> list[tuple[str, Row, wb.Estimator]]:
    """Every row with every variant of its settings, and a name for each."""
    found = []
    for row in ROWS:
        for chosen in row.settings:
            told = ",".join(f"{k}={v}" for k, v in chosen.items())
            label = f"{row.name}[{told}]" if told else row.name
            found.append((label, row, ESTIMATORS[row.name](**chosen)))
    return found


def live(problem: wb.Problem) -> wb.Problem:
    """The problem with parameters of D that carry a graph, where D is of tokens or text."""
    d = problem.distribution
    if isinstance(d, ShortText):
        weights = {k: w.clone().requires_grad_() for k, w in d.parameters.items()}
        return problem.vary(replace(d, tensors=weights))
    if not isinstance(d, wb.Tokens):
        return problem
    return problem.vary(wb.Tokens(d.probs.clone().requires_grad_()))


def at_least(repeats: int, coverage: float) -> int:
    """The largest k with P(Binomial(repeats, coverage) < k) below `FALSE_ALARM`."""
    return int(binom.ppf(FALSE_ALARM, repeats, coverage))
