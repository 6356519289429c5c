"""Gaussians of `importance` in many dimensions: in the subspace of gradients, refitted in it."""

import math

import pytest
import torch

import workbench as wb
from workbench.estimators import subspace
from workbench.estimators.proposal import of_gaussians


@pytest.mark.parametrize("name", ["A_d10_1e-12", "digits"])
def test_importance_is_right_in_a_subspace(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(subspace, "WIDE", 5)
    p = wb.load(name)
    assert p.truth is not None
    found = wb.Importance()(p, budget=10_000)
    assert found.log10_err is not None and found.log10_err < 0.1
    # 5 of its errors: false alarm 6e-7
    assert abs(found.log10_p - p.truth.log10_p) < 5.0 * (found.log10_err + p.truth.se_log10)


def test_a_subspace_holds_means_and_slopes() -> None:
    p = wb.load("digits")
    generator = torch.Generator().manual_seed(0)
    means = torch.randn(3, 64, generator=generator)
    basis, spent = subspace.basis_around(p, means, torch.tensor([0, 1, -1]), generator)
    assert spent == 2 * 3 * 16 and basis.shape[1] <= 64
    eye = torch.eye(basis.shape[1])
    torch.testing.assert_close(basis.T @ basis, eye)
    torch.testing.assert_close(means @ basis @ basis.T, means)
    look = subspace.look_within(p, basis[:, :5], generator)
    v = torch.randn(4000, 5, generator=generator)
    s, g = look(v, torch.full((4000,), -1))
    assert s.shape == (4000,) and g.shape == (4000, 5)
    # Across the subspace the noise is N(0, I): with five directions held at 0 the margin's mean is
    # that of draws from which these five are taken out.
    s, _ = look(torch.zeros(4000, 5), torch.full((4000,), -1))
    z = torch.randn(4000, 64, generator=generator)
    with torch.no_grad():
        other = p.margin_of_noise(z - z @ basis[:, :5] @ basis[:, :5].T)
    error = ((s.var() + other.var()) / 4000).sqrt()
    assert abs(float(s.mean() - other.mean())) < 5.0 * float(error)  # false alarm 6e-7


def test_a_refit_is_that_of_whole_covariances() -> None:
    """Against the d x d matrices of which only the span is made."""
    generator = torch.Generator().manual_seed(3)
    d, k, n = 12, 2, 400
    root = torch.randn(k, d, d, generator=generator) / d**0.5
    covs = torch.eye(d) + 0.5 * root @ root.mT
    q = of_gaussians(torch.randn(k, d, generator=generator), covs, torch.full((k,), 0.5), 0.05)
    torch.testing.assert_close(q.covariances, covs, rtol=0.0, atol=0.05)  # all but 1e-3 nats
    z, _ = q.draw(torch.randn(n, d, generator=generator), generator)
    log_w = torch.randn(n, generator=generator)
    found = q.refit(z, log_w, 0.02)
    cap = torch.logsumexp(log_w, 0) - 0.5 * math.log(n)
    weight = torch.exp(torch.minimum(log_w, cap))
    part = weight[:, None] * torch.softmax(q.log_components(z), 1)
    part = part / part.sum(0)
    for i in range(k):
        size = float(1.0 / part[:, i].square().sum())
        block, _ = torch.linalg.qr(torch.cat([q.means[i][:, None], q.basis[i][:, :6]], 1))
        gap = (z - part[:, i] @ z) @ block
        near = size / (size + 2.0 * block.shape[1])
        old = block.T @ q.covariances[i] @ block
        new = (1.0 - near) * old + near * (gap.T * part[:, i]) @ gap
        turn = torch.linalg.cholesky(new) @ torch.linalg.inv(torch.linalg.cholesky(old))
        turn = torch.eye(d) + block @ (turn - torch.eye(block.shape[1])) @ block.T
        whole = (turn @ q.covariances[i] @ turn.T)[None]
        cut = of_gaussians(q.means[i : i + 1], whole, torch.ones(1), 0.05).covariances[0]
        torch.testing.assert_close(found.covariances[i], cut, rtol=0.0, atol=1e-9)
