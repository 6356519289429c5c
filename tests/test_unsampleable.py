"""D that cannot be sampled: what each estimator answers, or whom it names instead."""

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.distributions import Density, Moments, Reparameterised, Sampleable
from workbench.estimators import ALL
from workbench.models import dense

DIM = 3


def gaussian():
    return wb.Gaussian(torch.zeros(DIM).double(), torch.ones(DIM).double())


def recogniser():
    return dense(torch.eye(1, DIM).double()), wb.Halfspace(torch.ones(1).double(), -2.0)


LAWS = {
    "restricted": (wb.Conditional(gaussian(), *recogniser()), {"ratio"}),
    "weighted": (wb.Conditional(gaussian(), *recogniser(), 0.5), {"ratio"}),
    "energy": (
        wb.Gibbs(gaussian(), dense(torch.ones(1, DIM).double())),
        {"partition", "free_energy"},
    ),
    "spin network": (
        wb.SpinNetwork(torch.ones(DIM).double(), dense(torch.zeros(1, DIM).double())),
        {"mean_field", "enumeration"},
    ),
    "spins": (
        wb.SpinGlass(torch.zeros(DIM, DIM).double(), torch.ones(DIM).double()),
        {"mean_field", "enumeration"},
    ),
}
"""Every kind of D without samples, and the estimators that serve it with an affine M."""


def posed(law):
    m = dense(torch.ones(1, DIM).double())
    return wb.Problem(law, m, wb.Halfspace(torch.ones(1).double(), -2.5))


@pytest.mark.parametrize("name", LAWS)
def test_they_offer_neither_draws_nor_moments_nor_a_density(name):
    law, _ = LAWS[name]
    assert not isinstance(law, Sampleable | Reparameterised | Moments | Density)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.name)
def test_every_estimator_serves_or_names_those_that_do(cls, name):
    law, serve = LAWS[name]
    if cls.name in serve:
        assert -6 < cls()(posed(law)).log10_p < 0
        return
    with pytest.raises(wb.Unsupported, match=f"the distribution {law.name!r}") as caught:
        cls()(posed(law))
    assert set(caught.value.try_instead) == serve


@pytest.mark.parametrize("name", LAWS)
def test_the_base_is_no_sampler_in_disguise(name):
    law, _ = LAWS[name]
    assert not any(hasattr(law, what) for what in ("sample", "push", "noise", "pieces", "log_prob"))
    assert law.dtype == torch.float64 and isinstance(
        getattr(law, "network", nn.Identity()), nn.Module
    )
