"""Networks too wide for covariances, and batches too large for memory."""

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.errors import Unsupported
from workbench.estimators.base import serving
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
    monkeypatch.setattr(room, "MOST", 6 * 8 * 64**2)
    room.for_covariances(problem().graph, 36, torch.float64)  # six of them, in float64, just fit
    monkeypatch.setattr(room, "MOST", 6 * 8 * 64**2 - 1)
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
