"""Problems in single precision: the same D, M and C, and a P that rounding hardly moves."""

import math

import cases
import pytest
import torch
from typer.testing import CliRunner

import workbench as wb
from workbench.bench import precision
from workbench.cli.app import app
from workbench.errors import BadInput, NotConverged
from workbench.models import chain, dense


@torch.no_grad()
@pytest.mark.parametrize("name", ["A_d10_1e-6", "C_digits_p22_s20", "D_mintree_1e-7"])
def test_a_problem_goes_to_single_and_back(name):
    """Margins agree to the rounding of a few hundred sums; coming back costs digits, no more."""
    problem = wb.load(name)
    single = problem.to(torch.float32)
    x = problem.distribution.sample(200, torch.Generator().manual_seed(0))
    s, rounded = problem.margin(x), single.margin(x.float())
    assert rounded.dtype == torch.float32 and single.truth is problem.truth
    size = float(s.abs().max())
    assert float((s - rounded).abs().max()) < 1e-5 * max(1.0, size)
    assert single.to(torch.float64).margin(x).dtype == torch.float64
    assert problem.distribution.dtype == torch.float64  # the first one is as it was


def test_every_kind_of_d_and_c_goes_along():
    """Mixtures, unions and polytopes of them; the model of the first is not touched."""
    normal = torch.tensor([1.0, 0.0]).double()
    pieces = tuple(wb.Gaussian(m * normal, torch.ones(2).double()) for m in (-1.0, 1.0))
    model = chain([dense(torch.eye(2).double())])
    spec = wb.Halfspace(normal, -3.0) | ~wb.Halfspace(normal, 3.0)
    mixture = wb.Mixture(torch.tensor([0.25, 0.75]).double(), pieces)
    single = wb.Problem(mixture, model, spec).to(torch.float32)
    assert single.distribution.dtype == torch.float32
    assert single.margin(torch.tensor([[4.0, 0.0], [0.0, 0.0]]).float()).sign().tolist() == [
        1.0,
        -1.0,
    ]
    assert all(p.dtype == torch.float64 for p in model.parameters())


def test_other_dtypes_are_refused():
    with pytest.raises(BadInput, match="not in torch"):
        wb.load("A_d10_1e-6").to(torch.float16)


@pytest.mark.parametrize("name", ["B_w32_h2_1e-5", "C_digits_p8_s15", "D_mintree_1e-7"])
def test_single_precision_moves_log10_p_by_less_than_a_thousandth(name):
    """Paired on the same draws; five standard errors, a false alarm of 6e-7."""
    found = precision.bias(wb.load(name), 30_000, 20_000, seed=4)
    assert found.failures > 1000 and found.error > 0
    assert abs(found.digits) + 5 * found.error < 1e-3


def test_the_bias_test_sees_a_bias():
    """About 2^24 + 2 float32 knows even numbers alone, so z > 2 becomes z > 3: -1.23 digits."""
    far = 2.0**24
    model = chain([dense(torch.eye(1).double())])
    d = wb.Gaussian(torch.full((1,), far).double(), torch.ones(1).double())
    spec = wb.Halfspace(torch.tensor([1.0]).double(), -far - 2.0)
    found = precision.bias(wb.Problem(d, model, spec), 20_000, 20_000)
    assert found.changed > 0
    assert abs(found.digits - math.log10(1.3499e-3 / 2.2750e-2)) < 5 * found.error


def test_no_failure_is_no_verdict():
    never = wb.Halfspace(torch.tensor([0.0]).double(), -1.0)
    d = wb.Gaussian(torch.zeros(1).double(), torch.ones(1).double())
    problem = wb.Problem(d, chain([dense(torch.eye(1).double())]), never)
    with pytest.raises(NotConverged, match="failed"):
        precision.bias(problem, 2000, 2000)


@pytest.mark.parametrize("method", [wb.MonteCarlo(), wb.Importance(), wb.Subset()])
def test_samplers_keep_their_intervals_in_single_precision(method):
    """Coverage of 90% in 20 repeats; see `cases.at_least`."""
    problem = wb.load("A_d10_1e-3").to(torch.float32)
    truth = problem.truth.log_p
    runs = [method(problem, 10_000, seed) for seed in range(20)]
    held = sum(e.interval[0] <= truth <= e.interval[1] for e in runs)
    assert held >= cases.at_least(20, 0.9)
    assert all(math.isfinite(e.log10_p) for e in runs)


@pytest.mark.parametrize("method", [wb.Conditioned(search=s) for s in ("propagation", "margin")])
def test_the_default_dtype_has_no_part_in_it(method):
    """Several summits, so that every line is weighed by the mixture of them all."""
    problem = wb.load("B_w32_h2_1e-5").to(torch.float32)
    found = []
    for dtype in (torch.float32, torch.float64):
        torch.set_default_dtype(dtype)
        found.append(method(problem, 2000))
    first, second = found
    assert first.log_p.dtype == second.log_p.dtype == torch.float32
    assert first.log_p.item() == second.log_p.item()


def test_the_command_line_offers_it():
    told = CliRunner().invoke(
        app, ["estimate", "A_d10_1e-3", "-e", "monte_carlo", "--budget", "20000", "--float32"]
    )
    assert told.exit_code == 0 and "monte_carlo, unbiased" in told.output
