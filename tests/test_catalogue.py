"""The catalogue: every problem loads, fits its hash and its truth; family A to 1e-20."""

import hashlib
import json
import math

import pytest
import torch

import workbench as wb
from workbench.catalogue import data_folder, names
from workbench.catalogue.folder import data_file
from workbench.distributions import Sampleable

NAMES = names()
FAMILY_A = [name for name in NAMES if name.startswith("A_")]
FAMILIES = {"A": 7, "B": 15, "C": 3, "D": 3, "E": 2, "F": 5, "G": 6, "H": 2, "S": 2}
each_problem = pytest.mark.parametrize("name", NAMES)


def test_the_families_are_complete():
    found = {f: sum(name.startswith(f"{f}_") for name in NAMES) for f in FAMILIES}
    assert found == FAMILIES
    assert "digits" in NAMES


@each_problem
def test_problem_loads_and_fits_its_hash(name):
    folder = data_folder() / "problems"
    card = json.loads((folder / f"{name}.json").read_text())
    data = (folder / card["weights"]["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == card["weights"]["sha256"]
    problem = wb.load(name)
    assert problem.name == name and problem.about
    d = problem.distribution
    x = torch.zeros(8, d.dim, dtype=d.dtype)
    if isinstance(d, Sampleable):
        x = d.sample(8, torch.Generator().manual_seed(0))
    assert problem.margin(x).shape == (8,)
    assert name in repr(problem)


@each_problem
def test_truth_says_how_it_is_known(name):
    truth = wb.load(name).truth
    if truth is None:
        assert name == "digits"
        return
    assert truth.log10_p < 0 and truth.method and truth.provenance
    assert truth.se_log10 < 0.03
    assert truth.log_p == pytest.approx(truth.log10_p * math.log(10.0))


@pytest.mark.parametrize("propagator", ["covariance", "mean"])
@pytest.mark.parametrize("name", FAMILY_A)
def test_family_a_is_exact_to_1e_minus_20(name, propagator):
    problem = wb.load(name)
    assert abs(wb.Moments(propagator)(problem).log10_p - problem.truth.log10_p) < 1e-9


@pytest.mark.parametrize("name", FAMILY_A)
def test_family_a_s_truth_by_another_way(name):
    """log10 Phi of the reliability index, in 50 digits of mpmath."""
    import mpmath as mp

    problem = wb.load(name)
    d, layer = problem.distribution, problem.model.parts[0]
    a, b = problem.spec.a.tolist(), float(problem.spec.b)
    with mp.workdps(50):
        rows = [[mp.mpf(w) for w in row] for row in layer.weight.tolist()]
        normal = [sum(ak * row[i] for ak, row in zip(a, rows, strict=True)) for i in range(d.dim)]
        bias = b if layer.bias is None else b + sum(
            mp.mpf(ak) * mp.mpf(bk) for ak, bk in zip(a, layer.bias.tolist(), strict=True)
        )  # fmt: skip
        mean = bias + sum(w * mp.mpf(m) for w, m in zip(normal, d.mean.tolist(), strict=True))
        var = sum((w * mp.mpf(s)) ** 2 for w, s in zip(normal, d.scale.tolist(), strict=True))
        truth = mp.log10(mp.erfc(-mean / mp.sqrt(2 * var)) / 2)
    assert problem.truth.log10_p == pytest.approx(float(truth), abs=1e-9)


@pytest.mark.parametrize("name", ["A_d100_1e-3", "B_w32_h2_1e-3", "B_w64_h4_1e-3", "B_w32_h3_1e-3"])
def test_truths_within_reach_of_sampling(name):
    """Half a million draws on P = 1e-3: 5 standard errors of both together, 6e-7."""
    problem = wb.load(name)
    estimate = wb.MonteCarlo(batch=50_000)(problem, 500_000, 0)
    error = math.hypot(estimate.log10_err, problem.truth.se_log10)
    assert abs(estimate.log10_p - problem.truth.log10_p) < 5 * error


@pytest.mark.parametrize(
    "name, said",
    [
        ("A_d10", "did you mean A_d10.*, A_d10_1e-12"),
        ("nothing", "`workbench list problems` names them"),
        ("", "no problem and no card|holds|is no problem card"),
    ],
)
def test_unknown_names_are_answered_with_near_ones(name, said):
    with pytest.raises(wb.BadInput, match=said):
        wb.load(name)


def test_a_varied_problem_forgets_its_truth():
    problem = wb.load("A_d10_1e-6")
    graph = problem.graph
    other = problem.vary(spec=problem.spec.shift(1.0))
    assert other.truth is None and problem.truth is not None
    assert other.graph is graph and other.model is problem.model
    assert wb.Moments()(other).log10_p < wb.Moments()(problem).log10_p


def test_a_data_file_that_was_altered_is_refused():
    with pytest.raises(wb.BadInput, match=r"algzoo\.json is not the file that its index states"):
        data_file("algzoo.json", "0" * 64)
