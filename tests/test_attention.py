"""Products of matrices and attention: what propagation makes of them, and what it refuses."""

import json
import math

import pytest
import torch
from attending_rows import by_hand, encoded, eval_of, fused, heads, layer, of_heads
from operation_parts import Call, made, rand
from torch import nn

import workbench as wb
from workbench.distributions import Piece
from workbench.graph import read
from workbench.propagation import ALL, Covariance


@pytest.mark.parametrize("cls", ALL, ids=lambda p: p.name)
def test_products_of_matrices_have_exact_moments(cls):
    """y_i = sum_k (B_i x)_k (C x)_k: quadratic forms of a Gaussian, whose cumulants are traces."""
    torch.manual_seed(0)
    maps = [nn.Linear(4, n, bias=False) for n in (6, 3)]
    module = Call(
        lambda m, x: (m.parts[0](x).view(-1, 2, 3) @ m.parts[1](x).view(-1, 3, 1)).flatten(1), *maps
    )
    b, c = (part.weight.detach() for part in maps)
    forms = torch.einsum("ika,kb->iab", b.view(2, 3, 4), c)
    forms = 0.5 * (forms + forms.mT)
    mean, root = rand(1, 4), 0.5 * rand(2, 4, 4)
    s = root @ root.T
    with torch.no_grad():
        piece = Piece(torch.zeros(()), mean, s)
        law, _ = cls().law(read(module, 4), piece, torch.eye(2), torch.zeros(2))
    if cls.name == "mean":
        return  # takes the squares for independent
    product, slope = forms @ s, 2.0 * forms @ mean
    exact = forms @ mean @ mean + product.diagonal(dim1=1, dim2=2).sum(1)
    torch.testing.assert_close(law.mean, exact)
    pairs = torch.einsum("iab,jba->ij", product, product)
    torch.testing.assert_close(law.cov, 2.0 * pairs + slope @ s @ slope.T)


NETS = {
    "by hand": lambda: eval_of(by_hand, nn.Linear(4, 12)),
    "fused": lambda: eval_of(fused(), nn.Linear(4, 12)),
    "heads": lambda: eval_of(of_heads(), heads()),
    "masked heads": lambda: eval_of(of_heads(attn_mask="upper"), heads()),
}


@pytest.mark.parametrize("make", NETS.values(), ids=NETS)
def test_attention_is_near_what_is_sampled(make):
    """Means over the root mean square deviation and ratios of deviations, as measured, of weights
    twice what PyTorch begins with. The sampled values' own errors reach 0.01 of it."""
    module = made(make)
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(2.0)
        y = module(rand(3, 100_000, 12))
        piece = Piece(torch.zeros(()), torch.zeros(12), torch.ones(12))
        law, _ = Covariance().law(read(module, 12), piece, torch.eye(12), torch.zeros(12))
    spread = float(y.var(0).mean())
    error = float((y.mean(0) - law.mean).abs().max()) / spread**0.5
    ratio = law.std / y.std(0)
    assert error < 0.03 and bool((ratio > 0.75).all() and (ratio < 1.2).all()), (error, ratio)


def test_moments_say_what_they_were_not_measured_behind():
    d = wb.Gaussian(torch.zeros(12), torch.ones(12))
    problem = wb.Problem(d, made(NETS["heads"]), wb.Halfspace(torch.eye(12)[0], -0.1))
    assert "third cumulants behind products" in wb.Moments("cumulant")(problem).warning.lower()
    assert "third cumulants" not in wb.Moments()(problem).warning.lower()
    far = problem.vary(spec=wb.Halfspace(torch.eye(12)[0], -3.0))
    assert (
        "products of matrices, as in attention, are presumed" in wb.Moments()(far).warning.lower()
    )


def test_gradients_through_attention():
    module = made(NETS["by hand"])

    def value(mean):
        d, c = wb.Gaussian(mean, torch.ones(12)), wb.Halfspace(torch.ones(12), -1.0)
        return wb.Moments()(wb.Problem(d, module, c)).log_p

    assert torch.autograd.gradcheck(value, 0.3 * rand(3, 12).requires_grad_())


def test_what_is_too_wide_is_refused_to_moments_and_searched_by_gradients():
    """12 tokens 32 wide in 4 heads: 4,608 products of weights and values, and 960 squares more."""
    net = nn.TransformerEncoderLayer(32, 4, 8, 0.0, batch_first=True)
    module = made(lambda: Call(lambda m, x: m.parts[0](x.view(-1, 12, 32)).mean(1), net)).eval()
    d = wb.Gaussian(torch.zeros(384), torch.ones(384))
    problem = wb.Problem(d, module, wb.Halfspace(torch.eye(32)[0], -1.0))
    with pytest.raises(wb.Unsupported, match="covariances of 5,568 values inside"):
        wb.Moments()(problem)
    assert math.isfinite(wb.Conditioned()(problem, budget=4_000).log10_p)


def changed(path, change):
    card = json.loads(path.read_text())
    change(card["model"]["nodes"])
    path.write_text(json.dumps(card))
    return path


def drop(nodes):
    nodes[-2]["tensors"].popitem()


WRONG = {
    "heads": (lambda nodes: nodes[-2].update(heads=3), "3 heads, which do not divide a width of 4"),
    "tensors": (drop, "do not fit the sizes of the layer"),
    "hidden": (lambda nodes: nodes[-2].update(hidden=7), "linear1.bias, .* do not fit the sizes"),
    "mask": (lambda nodes: nodes[-2].update(mask={"keep": "spec.a"}), "masks|model fails"),
}


@pytest.mark.parametrize("change, said", WRONG.values(), ids=WRONG)
def test_cards_of_layers_that_do_not_fit(tmp_path, change, said):
    module = made(lambda: eval_of(encoded, layer()))
    d = wb.Gaussian(torch.zeros(12), torch.ones(12))
    path = wb.Problem(d, module, wb.Halfspace(torch.ones(12)), "own").save(tmp_path)
    with pytest.raises(wb.BadInput, match=said):
        wb.load(changed(path, change))
