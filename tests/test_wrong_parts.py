"""What is no D, no C, or a broken M is refused when a problem is made, in a sentence."""

import math

import numpy as np
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


def test_a_bound_spec_is_joined_with_others_as_it_was_written():
    """Whichever side it stands on; the networks in it are joined to M anew."""
    head = wb.Trusted(nn.Linear(4, 1))
    bound, half = wb.Problem(D, network(), head).spec, wb.Halfspace(torch.ones(2), -1.0)
    for joined in (half & bound, bound & half, bound & bound):
        problem = wb.Problem(D, network(), joined)
        assert problem.outputs == 2 + sum(p is head for p in joined.parts)
        assert set(joined.parts) <= {head, half}


def test_a_callable_model_of_tokens_has_a_dtype():
    law = wb.Tokens(torch.ones(2, 3))
    problem = wb.Problem(law, lambda x: torch.zeros(len(x), 2), C)
    assert problem.dtype == torch.get_default_dtype()


def test_any_whole_number_is_a_budget():
    assert wb.Budget(np.int64(1000)) == wb.Budget(1e3) == wb.Budget(1000)
    assert type(wb.Budget(np.int64(1000)).forwards) is int


def test_what_is_known_of_a_truth_goes_through_a_card(tmp_path):
    """Tensors in its provenance as lists, and a name of any length."""
    truth = wb.Truth(-1.0, 0.1, "guess", {"seeds": torch.arange(3), "p": (0.5, math.inf)})
    problem = wb.Problem(D, network(), C, "x" * 200, truth=truth)
    again = wb.load(problem.save(tmp_path))
    assert again.name == problem.name
    assert again.truth.provenance == {"seeds": [0, 1, 2], "p": [0.5, "inf"]}


def test_a_name_that_no_file_can_have():
    with pytest.raises(wb.BadInput, match="no problem and no card is called 'xxx") as refused:
        wb.load("x" * 5000)
    assert len(str(refused.value)) < 300


def test_a_misspelt_name_is_guessed():
    with pytest.raises(AttributeError, match="did you mean Conditioned"):
        wb.Conditionned


def test_draws_that_all_agree_show_their_interval():
    one = wb.MonteCarlo()(wb.load("A_d10_1e-3"), budget=1)
    assert "log10 P = -inf, 95% from -inf to" in repr(one)
    none = wb.MonteCarlo()(wb.load("A_d10_1e-12"), budget=1000)
    assert "log10 P = -inf, 95% from -inf to -2.4" in repr(none)
