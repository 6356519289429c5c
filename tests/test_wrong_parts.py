"""What is no D, no C, or a broken M is refused when a problem is made, in a sentence."""

import math

import pytest
import torch
from torch import nn

import workbench as wb

D, C = wb.Gaussian(torch.zeros(2), 1.0), wb.Argmax(0)


def network():
    return nn.Linear(2, 2)


def test_parts_in_another_order_or_of_another_library():
    with pytest.raises(wb.BadInput, match=r"Problem\(D, M, C\), and its D .* Linear"):
        wb.Problem(network(), D, C)
    other = torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
    with pytest.raises(wb.BadInput, match="got a MultivariateNormal"):
        wb.Problem(other, network(), C)
    with pytest.raises(wb.BadInput, match=r"its C a Spec .* got a function"):
        wb.Problem(D, network(), lambda x, y: y[:, 0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    d = wb.Gaussian(torch.zeros(2, dtype=dtype), torch.ones(2, dtype=dtype))
    with pytest.raises(wb.BadInput, match="float32 or float64 is needed"):
        wb.Problem(d, network().to(dtype), C)


def test_broken_weights_are_named():
    model = nn.Sequential(network(), nn.ReLU(), network())
    with torch.no_grad():
        model[2].bias[1] = math.nan
    with pytest.raises(wb.BadInput, match=r"the weights 2\.bias of the model hold NaN"):
        wb.Problem(D, model, C)


def test_a_misspelt_name_is_guessed():
    with pytest.raises(AttributeError, match="did you mean Conditioned"):
        wb.Conditionned


def test_draws_that_all_agree_show_their_interval():
    one = wb.MonteCarlo()(wb.load("A_d10_1e-3"), budget=1)
    assert "log10 P = -inf, 95% from -inf to" in repr(one)
    none = wb.MonteCarlo()(wb.load("A_d10_1e-12"), budget=1000)
    assert "log10 P = -inf, 95% from -inf to -2.4" in repr(none)
