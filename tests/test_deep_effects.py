"""Main effects through several layers of attention, against enumeration."""

import pytest
import torch
from test_main_effects import TOKENS, laws, logits_counted, logits_propagated
from test_tokens import small

from workbench.models import AttentionOnly
from workbench.models.transformer import Shape
from workbench.propagation.attention import softmax_average, softmax_mean

LAST = torch.tensor([1, 4])


def blocks(layers, positions=4, spread=0.3):
    return small(Shape(TOKENS, 8, layers, 2, 6, 16), spread=spread)


def attentions(layers, positions=4, spread=0.4):
    m = AttentionOnly(TOKENS, positions, 6, 5, layers)
    g = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in m.parameters():
            weight.copy_(torch.randn(weight.shape, generator=g, dtype=torch.float64) * spread)
    return m.requires_grad_(False)


KINDS = pytest.mark.parametrize("kind", [blocks, attentions])


@KINDS
@pytest.mark.parametrize("layers", [2, 3, 4])
def test_one_open_position_is_exact_through_any_number_of_layers(kind, layers):
    m, q = kind(layers, 2), laws(1)
    found = logits_propagated(m, LAST, q)
    right, given = logits_counted(m, LAST, q)
    assert torch.allclose(found.given, given, atol=1e-8)
    assert torch.allclose(found.mean, right, atol=1e-8)


@KINDS
@pytest.mark.parametrize("layers", [2, 3])
def test_several_open_positions_are_nearly_right(kind, layers):
    """Main effects within an eighth of their standard deviation, on random weights."""
    m, q = kind(layers), laws(3)
    found = logits_propagated(m, LAST, q)
    right, given = logits_counted(m, LAST, q)
    size = float((given - right[:, None, None]).square().mean().sqrt())
    assert size > 0.05
    assert float((found.given - given).square().mean().sqrt()) < size / 8


@KINDS
@pytest.mark.parametrize("layers", [2, 3])
def test_the_error_falls_faster_than_the_square_of_the_fluctuations(kind, layers):
    """Second-order terms are carried, the attention weights' too: embeddings ten times nearer one
    another leave less than a three-hundredth of the error."""
    errors = []
    for near in (0.3, 0.03):
        m, q = kind(layers), laws(3)
        centre = m.embed.mean(0)
        with torch.no_grad():
            m.embed.copy_(centre + near * (m.embed - centre))
        found = logits_propagated(m, LAST, q)
        errors.append(float((found.given - logits_counted(m, LAST, q)[1]).abs().max()))
    assert errors[1] < errors[0] / 300


def test_the_first_layer_of_attention_alone_is_exact():
    m, q = attentions(1, spread=0.8), laws(3)
    found = logits_propagated(m, LAST, q)
    right, given = logits_counted(m, LAST, q)
    assert torch.allclose(found.given, given, atol=1e-6)
    assert torch.allclose(found.mean, right, atol=1e-6)


@pytest.mark.parametrize("silent", [0, 1, 2])
def test_a_layer_that_says_nothing_costs_nothing(silent):
    """One layer of attention alone that speaks, wherever it stands, is that of one layer."""
    m, q = attentions(3, spread=0.5), laws(3)
    with torch.no_grad():
        for layer in {0, 1, 2} - {silent}:
            m.out[layer] = 0.0
    found = logits_propagated(m, LAST, q)
    assert torch.allclose(found.given, logits_counted(m, LAST, q)[1], atol=1e-6)


def test_values_that_differ_by_row_change_nothing_else():
    g = torch.Generator().manual_seed(1)
    q, weight = laws(3), torch.rand(2, 3, TOKENS, 2, generator=g).double()
    value = torch.randn(3, TOKENS, 2, 4, generator=g).double()
    own = torch.rand(2, 2, generator=g).double(), torch.randn(2, 2, 4, generator=g).double()
    mean = softmax_mean(weight, value, *own, q)[0]
    rows = value.expand(2, *value.shape)
    assert torch.allclose(softmax_average(weight, rows, *own, q), mean, atol=1e-12)


@KINDS
def test_many_cells_go_through_in_parts(kind, monkeypatch):
    """Cells are independent: however few go through at once, the law is the same."""
    m, q, last = kind(2), laws(3, batch=4), torch.tensor([0, 1, 2, 3])
    whole = logits_propagated(m, last, q)
    monkeypatch.setattr("workbench.propagation.transformer._ROOM", 1)
    parts = logits_propagated(m, last, q)
    assert torch.allclose(parts.effect, whole.effect, atol=1e-12)
    assert torch.allclose(parts.mean, whole.mean, atol=1e-12)
