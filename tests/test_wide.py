"""Networks too wide for covariances, and batches too large for memory."""

import math

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.errors import Unsupported
from workbench.estimators import subspace
from workbench.estimators.base import serving
from workbench.estimators.proposal import of_gaussians
from workbench.problem import portions
from workbench.propagation import Covariance, Mean, room


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2),
    ).double()  # fmt: skip


def problem() -> wb.Problem:
    D = wb.Gaussian(torch.zeros(36).double(), 0.5 * torch.ones(36).double())
    C = wb.Halfspace(torch.tensor([1.0, -1.0]).double(), -1.0)
    return wb.Problem(D, network(), C, name="images")


def test_what_a_network_keeps_of_an_input_is_counted() -> None:
    # The image for the convolution; 4 x 4 x 4 values for the ReLU and the last layer, which share
    # them. Weights are not counted.
    assert portions.kept(network(), torch.zeros(2, 36).double()) == 8 * (36 + 64)
    # Nothing but input and output where autograd keeps nothing.
    assert portions.kept(nn.Flatten(), torch.zeros(3, 5)) == 8 * (5 + 5)


@pytest.mark.parametrize("graph", [True, False])
def test_portions_make_the_same_outputs_and_gradients(
    monkeypatch: pytest.MonkeyPatch, graph: bool
) -> None:
    p = problem()
    p.answers(torch.zeros(17, 36))  # measures what it keeps, once
    x = torch.randn(50, 36, dtype=torch.float64, requires_grad=graph)
    seen: list[int] = []
    p.model.register_forward_hook(lambda module, args, y: seen.append(len(y)))

    def all_of() -> list[torch.Tensor]:
        seen.clear()
        y = p.answers(x)
        if not graph:
            return [y]
        return [y, *torch.autograd.grad(y.square().sum(), [x, *p.model.parameters()])]

    with torch.set_grad_enabled(graph):
        whole = all_of()
        assert seen == [50]
        monkeypatch.setattr(portions, "MOST", 20 * portions.kept(p.model, x))
        parts = all_of()
    assert seen[:3] == [20, 20, 10]
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b)


def test_answers_are_those_of_whole_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = wb.Conditioned(), wb.DesignPoint(), wb.Importance(), wb.Subset(), wb.GLD(), wb.QLD()
    whole = [e(problem(), budget=4_000).log10_p for e in chosen]
    monkeypatch.setattr(portions, "MOST", 100 * 800)
    assert [e(problem(), budget=4_000).log10_p for e in chosen] == pytest.approx(whole, abs=1e-9)


def test_a_layer_too_wide_for_covariances_is_told_and_others_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "MOST", 6 * 8 * 63**2)
    with pytest.raises(Unsupported, match="a layer of 64 values, '1': covariances") as told:
        wb.Moments()(problem())
    assert "conditioned" in told.value.try_instead and "slices" not in told.value.try_instead
    p = problem()
    assert isinstance(p.distribution, wb.Gaussian)
    piece, graph = p.distribution.pieces()[0], p.graph
    one = torch.eye(2).double()
    with pytest.raises(Unsupported):
        Covariance().law(graph, piece, one, one[0])
    with pytest.raises(Unsupported):
        Covariance().laws(graph, piece)
    assert Mean().law(graph, piece, one, one[0])[0].mean.shape == (2,)


def test_matrices_that_bounds_would_make_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 8 * (36 * 64 + 64 * 2)  # in float64: the convolution's and the last layer's
    monkeypatch.setattr(room, "MOST", size)
    room.for_matrices(problem().graph, 36)
    monkeypatch.setattr(room, "MOST", size - 1)
    with pytest.raises(
        Unsupported, match="layers of up to 64 values: the matrices that bounds need"
    ):
        wb.Lower()(problem())


def test_conditioned_answers_where_nothing_is_propagated(monkeypatch: pytest.MonkeyPatch) -> None:
    known = wb.Conditioned()(problem())
    monkeypatch.setattr(room, "MOST", 0)
    assert "moments" not in serving(problem())
    alone = wb.Conditioned()(problem())
    # Both within what they foretell of themselves, twice.
    error = known.info["indicator_digits"] + alone.info["indicator_digits"]
    assert abs(known.log10_p - alone.log10_p) < 2.0 * error


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
