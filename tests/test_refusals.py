"""What cannot be is refused in a sentence: rows that no other test reaches."""

import math
from dataclasses import replace

import pytest
import torch

import workbench as wb
from workbench import numbers
from workbench.adversaries.checking import check
from workbench.adversaries.matched import matched
from workbench.adversaries.portrait import design_point
from workbench.adversaries.sources import Score
from workbench.anomaly.detectors.base import hidden
from workbench.anomaly.explanation import explain
from workbench.coherence.checks import monotone
from workbench.distributions import Discrete, varied
from workbench.experiments import compare
from workbench.experiments.workers import workers
from workbench.math.least_distance import shortest
from workbench.models import Automaton
from workbench.models.transformer import Shape, Transformer
from workbench.problem import codec
from workbench.rng import Rng
from workbench.training import Referee, Task
from workbench.training.shifts import along_tangents, by_cross_entropy
from workbench.training.toys import riccati

ONE = torch.ones(2, 2)
INT = torch.zeros(2, 3, dtype=torch.int64)
EYE = torch.eye(1)
LINEAR = wb.load("A_d10_1e-3")
GLASS = "G_glass_b05_1e-6"


def begun(context):
    """Enter it."""
    with context:
        pass


def halved():
    """A problem in a type that no card holds."""
    half = {"dtype": torch.float16}
    model = torch.nn.Linear(2, 1).half()
    d = wb.Gaussian(torch.zeros(2, **half), torch.ones(2, **half))
    return wb.Problem(d, model, wb.Halfspace(torch.ones(1, **half), 0.0))


def moved(distribution):
    """The linear problem under another D."""
    return LINEAR.vary(distribution=distribution)


LONG = wb.Tokens(torch.ones(99, 2))
BOX = wb.Box(torch.zeros(2), torch.ones(2))
SPINS = wb.SpinNetwork(torch.zeros(2), torch.nn.Linear(2, 1).requires_grad_(False))
ZERO = wb.Truth(-math.inf, 0.0, "exact: C never holds")
MIXED = wb.Mixture(
    torch.ones(2), tuple(wb.Gaussian(torch.full((10,), m), torch.ones(10)) for m in (0.0, 1.0))
)
REFUSED = {
    "whole values": (lambda: Discrete(INT, ONE), "values of a discrete law must be floating"),
    "no tensor": (lambda: Discrete(ONE, [1.0]), "probabilities of a discrete law .* got list"),
    "other shape": (lambda: Discrete(ONE, ONE[:1]), r"one shape \(d, s\), got \(2, 2\) and"),
    "other dtype": (lambda: Discrete(ONE, ONE.float()), "must share a dtype"),
    "negative": (lambda: Discrete(ONE, -ONE), "at least 0, and positive somewhere"),
    "outcomes": (
        lambda: Discrete(torch.ones(99, 2), torch.ones(99, 2)),
        r"has at most 2\^62 outcomes, got 10\^30",
    ),
    "sequences": (lambda: LONG.outcomes, r"counting 10\^30 sequences of tokens: at most 2\^62"),
    "mixed kinds": (lambda: wb.Mixture(torch.ones(1), (BOX,)), "must be gaussians, one is box"),
    "one for all": (lambda: wb.Mixture(torch.ones(1), BOX), "needs a tuple of gaussians, got Box"),
    "temperature": (lambda: varied(SPINS, 2.0, torch.zeros(2)), "the distribution 'spin_network'"),
    "moved spins": (lambda: varied(SPINS, 1.0, torch.ones(2)), "-1 or 1 wherever D goes"),
    "by NaN": (lambda: wb.Argmax(0, by=math.nan), "loses or wins must be a finite number, got nan"),
    "by text": (lambda: wb.Points(by="1"), "right or wrong must be a finite number, got '1'"),
    "by infinity": (lambda: wb.LongestCycle(by=math.inf), "must be a finite number, got inf"),
    "near": (lambda: wb.Median("x"), "how near a median is must be a finite number, got 'x'"),
    "offset": (lambda: wb.Halfspace(torch.ones(1), "x"), "offset of a halfspace must be a finite"),
    "normals": (lambda: wb.Polytope([[1.0]], [1.0]), r"need shape \(r, k\), got list"),
    "and a number": (lambda: wb.Argmax(0) & 3, "joins specs, as .* one of them is 3"),
    "or of one": (lambda: wb.Or(wb.Argmax(0)), "joins specs, as .* got Argmax"),
    "P above 1": (lambda: wb.Truth(0.1, 0.0, "guess"), "at most 0, .* got 0.1 and 0.0"),
    "P of NaN": (lambda: wb.Truth(math.nan, 0.0, "guess"), "at most 0, .* got nan and 0.0"),
    "no such problem": (lambda: wb.load(None), "by its name or its card's path, got None"),
    "no name": (lambda: codec.encode(replace(LINEAR, name="")), "field 'name': String should have"),
    "P of 0 on a card": (lambda: codec.encode(replace(LINEAR, truth=ZERO)), "field 'log10_p'"),
    "characters": (lambda: Automaton(INT[:1], ONE[:1], "ab"), "3 symbols got 2 characters"),
    "never judged": (lambda: Referee(every=0), "referee: every must be a positive whole number"),
    "no gap": (lambda: Referee(apart=math.nan), "apart must be digits above 0, got nan"),
    "equal targets": (
        lambda: Task(ONE, ONE, (ONE, ONE), "mse"),
        "all the same: nothing to explain",
    ),
    "few values": (lambda: Task.split(ONE, ONE), "needs 4 examples or more, .* got 2 and 2"),
    "never settles": (
        lambda: riccati(2 * EYE, 0 * EYE, EYE, EYE),
        "Riccati equation did not settle",
    ),
    "seeds": (lambda: compare(LINEAR, wb.Moments(), seeds=3), "such as range.3., got 3"),
    "no layers": (lambda: hidden(LINEAR, torch.ones(1, 10)), "hidden activations of this model"),
    "cap": (lambda: Score(cap=-5.0), "the cap must lie above minus the floor, got -5.0 and 4.0"),
    "no tokens": (lambda: Shape(0), "alphabet must be a whole number above 0: 0"),
    "a flag": (lambda: Shape(3, width=True), "width must be a whole number above 0: True"),
    "heads": (lambda: Shape(3, width=6, heads=4), "4 heads do not share a width of 6"),
    "tanh": (lambda: Shape(3, activation="tanh"), "gelu or relu, got 'tanh'"),
    "vocabulary": (
        lambda: Transformer(Shape(3, 4, 1, 2), vocabulary="ab"),
        "vocabulary of 2 tokens does not fit",
    ),
    "states": (lambda: Automaton(INT, ONE[:1]), r"got \(2, 3\) and \(1, 2\)"),
    "no such state": (lambda: Automaton(INT + 2, ONE), "must be among 0, ..., 1"),
    "points": (lambda: wb.Orthant(points=3), "points must be a power of two, got 3"),
    "tolerance": (lambda: wb.Orthant(tolerance=1.0), "between 0 and 1, got 1.0"),
    "float16": (lambda: codec.encode(halved()), "float16"),
    "no workers": (lambda: begun(workers(0)), "at least one worker, got 0"),
    "share": (lambda: explain(LINEAR, share=1.0), "between 0 and 1, got 1.0"),
    "no terms": (lambda: explain(LINEAR, most=0), "at least one term, got most=0"),
    "explained mixture": (lambda: explain(moved(MIXED)), "under a mixture"),
    "nats": (lambda: matched(LINEAR, -1.0), "nats must be a number above 0, got -1.0"),
    "matched mixture": (lambda: matched(moved(MIXED), 1.0), "a gaussian D0 is needed"),
    "one piece": (lambda: along_tangents(LINEAR, 1.0), "a mixture is needed"),
    "energy": (lambda: monotone(wb.load(GLASS), wb.MeanField()), "can be sampled is needed"),
    "checked energy": (lambda: check(wb.load(GLASS), -9.0, Rng(0)), "with samples is needed"),
    "no noise": (
        lambda: design_point(LINEAR, wb.load(GLASS).distribution, Rng(0)),
        "base noise is needed",
    ),
}


@pytest.mark.parametrize("row", REFUSED)
def test_what_cannot_be_is_refused(row):
    ask, said = REFUSED[row]
    with pytest.raises((wb.BadInput, wb.Unsupported, wb.NotConverged), match=said):
        ask()


def test_numbers_that_are_not_known_have_a_sign_of_their_own():
    for shown in (numbers.power, numbers.signed, numbers.seconds, numbers.small):
        assert shown(None) == numbers.UNKNOWN
    assert numbers.milliseconds(None) == numbers.UNKNOWN
    assert [numbers.milliseconds(v) for v in (1.234, 56.78, 912.3)] == ["1.23", "56.8", "912"]


def test_the_nearest_point_where_faces_have_no_direction():
    """A face 0 >= -h holds everywhere or nowhere; where all hold, any direction is the nearest."""
    flat = torch.zeros(2, 3)
    assert shortest(flat, torch.tensor([1.0, -1.0])) is None
    assert float(shortest(flat, torch.ones(2)).norm()) == 1.0


def test_shifts_of_all_pieces_by_cross_entropy_spend_what_they_are_given():
    problem = moved(MIXED)
    shifted = by_cross_entropy(problem, 2.0, Rng(0), draws=100, steps=3).distribution
    for before, after in zip(MIXED.components, shifted.components, strict=True):
        assert float((after.mean - before.mean).square().sum()) / 2 == pytest.approx(2.0)
    own, rare = (wb.Moments()(problem.vary(distribution=d)).log10_p for d in (MIXED, shifted))
    assert rare > own + 0.5
