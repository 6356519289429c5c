"""Token problems: the transformer, laws of tokens, their templates and cards, exact truths."""

import json
import math
import re

import pytest
import torch
from torch.nn.functional import one_hot

import workbench as wb
from workbench.catalogue import language_model, language_models, token_law, token_names
from workbench.estimators import ALL
from workbench.models import logits_sharing_prefixes
from workbench.models.transformer import Shape
from workbench.vocabulary import Vocabulary, learn

SIZES = Shape(5, 8, 2, 2, 6, 16)


def small(shape=SIZES, dtype=torch.float64, spread=0.5):
    """A random transformer whose outputs are far from constant."""
    model = wb.Transformer(shape, torch.Generator().manual_seed(1), dtype=dtype)
    g = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn(weight.shape, generator=g, dtype=dtype) * spread)
    return model.requires_grad_(False)


def law(positions=4, alphabet=5, power=3.0, seed=3):
    g = torch.Generator().manual_seed(seed)
    return wb.Tokens(torch.rand(positions, alphabet, generator=g) ** power)


def plainly(model, x):
    """The transformer written out, position by position and head by head, without a cache."""
    d, heads = model.shape.width, model.shape.heads
    h = model.embed[x] + model.place[: x.shape[1]]
    for block in model.blocks:
        z = block.norm_1(h)
        mixed = torch.zeros_like(h)
        for a in range(heads):
            part = slice(a * d // heads, (a + 1) * d // heads)
            q, k, v = (f(z)[..., part] for f in (block.query, block.key, block.value))
            for i in range(x.shape[1]):
                score = (q[:, i : i + 1] * k[:, : i + 1]).sum(-1) / math.sqrt(d / heads)
                share = torch.exp(score) / torch.exp(score).sum(1, keepdim=True)
                mixed[:, i, part] = (share[..., None] * v[:, : i + 1]).sum(1)
        h = h + block.out(mixed)
        h = h + block.down(block.act(block.up(block.norm_2(h))))
    return model.unembed(model.norm(h))


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_transformer_is_what_it_says(activation):
    model = small(Shape(5, 8, 2, 2, 6, 16, activation))
    x = torch.randint(5, (7, 6), generator=torch.Generator().manual_seed(0))
    y = plainly(model, x)
    assert torch.allclose(model.logits(x), y)
    assert torch.allclose(model(x), y[:, -1])
    assert torch.allclose(model(one_hot(x, 5).double()), y[:, -1])
    assert torch.allclose(model.unembed(model.features(x)), y[:, -1])
    _, past = model.extend(x[:, :4])
    h, _ = model.extend(x[:, 4:], past.rows(torch.arange(7)), last=True)
    assert torch.allclose(model.unembed(model.norm(h[:, -1])), y[:, -1])


def test_gradient_in_soft_tokens_is_right():
    model = small()
    soft = torch.rand(2, 3, 5, requires_grad=True, dtype=torch.float64)
    assert torch.autograd.gradcheck(model, (soft,))


def test_prefixes_are_shared_in_any_grouping():
    model = small()
    x, _ = law().outcome(0, 10_000)
    y = model(x)
    assert torch.allclose(logits_sharing_prefixes(model, x), y)
    assert torch.allclose(logits_sharing_prefixes(model, x[17:60]), y[17:60])
    assert torch.allclose(logits_sharing_prefixes(model, x[:1]), y[:1])


def test_a_context_that_is_too_short_is_said():
    with pytest.raises(wb.BadInput, match="7 positions do not fit into a context of 6"):
        small()(torch.zeros(1, 7, dtype=torch.int64))


def test_vocabulary_there_and_back():
    text = "\n\nto be, or not to be:  that is the question!"
    v = learn(text * 3, "".join(sorted(set(text))), 12)
    ids = v.encode(text)
    assert v.decode(ids) == text and len(ids) < len(text)
    assert all(" " not in token[1:] or not token.strip() for token in v.tokens)
    with pytest.raises(wb.BadInput, match="no symbol for 'XZ'"):
        v.encode("to be XZ")
    with pytest.raises(wb.BadInput, match="come later"):
        Vocabulary("ab", ((0, 2),))


def test_tokens_sample_their_law():
    """Every outcome's frequency within 5.5 standard errors: 625 outcomes, false alarms 2e-5."""
    d, n = law(), 200_000
    x = d.sample(n, torch.Generator().manual_seed(0))
    assert x.dtype is torch.int64 and x.shape == (n, 4)
    each, log_p = d.outcome(0, d.outcomes)
    assert torch.allclose(d.log_prob(each), log_p)
    p = torch.exp(log_p)
    assert float(p.sum()) == pytest.approx(1.0, abs=1e-12)
    place = torch.tensor([125, 25, 5, 1])
    seen = torch.bincount(x @ place, minlength=625)[each @ place] / n
    assert bool(((seen - p).abs() < 5.5 * torch.sqrt(p / n) + 8 / n).all())


def test_gradient_of_log_prob_holds_where_tokens_are_left_out():
    p = torch.tensor([[0.5, 0.0, 0.5], [1.0, 0.0, 0.0]], requires_grad=True)
    wb.Tokens(p).log_prob(torch.tensor([[0, 0]])).sum().backward()
    assert torch.equal(p.grad, torch.tensor([[1.0, -1.0, -1.0], [0.0, -1.0, -1.0]]))


def test_templates_give_the_forms_that_they_name():
    v = language_model("bpe_1").vocabulary
    d = wb.template(v, ["indentation", "capitals", "name", "hex", "= the"], 9, 2.0)
    forms = (r"[ \n]+", r"[A-Z]+", r" ?[A-Z][a-z']*", r"[a-f]+", " the")
    for row, form in zip(d.probs, forms, strict=True):
        texts = [v.tokens[i] for i in torch.nonzero(row).squeeze(1)]
        assert texts and len(texts) <= 9
        assert all(re.fullmatch(form, text) for text in texts)
    with pytest.raises(wb.BadInput, match="no token of the vocabulary has the form"):
        wb.template(v, ["[0-9]"])


def target(seed=3, power=3.0):
    """A small problem with a rare token, and its truth by brute force."""
    d, model = law(seed=seed, power=power), small()
    x, log_p = d.outcome(0, d.outcomes)
    mass = torch.zeros(5).index_add(0, model(x).argmax(1), torch.exp(log_p))
    token = int(torch.where(mass > 0, mass, 2.0).argmin())
    return wb.Problem(d, model, wb.Argmax(token, "wins"), "rare"), math.log10(mass[token])


def test_enumeration_is_exact():
    problem, log10_p = target()
    for batch in (4096, 17):
        found = wb.Enumeration(batch=batch)(problem, 10_000)
        assert found.log10_p == pytest.approx(log10_p, abs=1e-10)


def test_monte_carlo_just_works():
    """20,000 draws, 5 standard errors: a false alarm in 2e-6."""
    problem, log10_p = target(power=1.0)
    found = wb.MonteCarlo()(problem, 20_000, 1)
    assert found.log_err < 0.2
    assert abs(found.log10_p - log10_p) < 5 * found.log10_err


def test_a_card_holds_a_token_problem(tmp_path):
    problem = wb.load(token_names()[0])
    again = wb.Problem.load(problem.save(tmp_path))
    x = problem.distribution.sample(50, torch.Generator().manual_seed(0))
    assert torch.equal(again.margin(x), problem.margin(x))
    assert torch.equal(again.distribution.log_prob(x), problem.distribution.log_prob(x))
    assert again.model.vocabulary == problem.model.vocabulary
    assert again.truth.log10_p == problem.truth.log10_p
    card = json.loads((tmp_path / f"{problem.name}.json").read_text())
    card["model"]["nodes"][0]["width"] = 32
    (tmp_path / f"{problem.name}.json").write_text(json.dumps(card))
    with pytest.raises(wb.BadInput, match="do not fit the transformer's sizes"):
        wb.Problem.load(tmp_path)


def test_estimators_of_numbers_refuse_tokens():
    problem, _ = target()
    serve = {"monte_carlo", "gld", "qld", "enumeration", "subset"}
    serve |= {"itgis", "mhis", "cross_entropy", "leaves", "main_effects"}
    for cls in ALL:
        if cls.name in serve:
            cls.needs.check(problem)
        else:
            with pytest.raises(wb.Unsupported, match=r"'tokens'.* is needed.*; try instead"):
                cls()(problem, 100)


def test_estimators_of_tokens_refuse_numbers():
    for cls in (wb.ITGIS, wb.MHIS, wb.CrossEntropy):
        with pytest.raises(wb.Unsupported, match=r"an IndependentTokens distribution is needed"):
            cls()(wb.load("A_d10_1e-3"), 100)


def test_language_models_are_small_and_hash_checked():
    for name in language_models():
        model = language_model(name)
        assert 56_000 <= sum(p.numel() for p in model.parameters()) <= 120_000
        text = model.vocabulary.encode("and god said, let there be light")
        assert model(torch.tensor([text])).shape == (1, model.shape.alphabet)
    with pytest.raises(wb.BadInput, match="use one of bpe_1, char_1"):
        language_model("gpt")


def test_family_t_spans_the_decades():
    problems = [wb.load(name) for name in token_names()]
    assert len(problems) >= 60
    digits = [-p.truth.log10_p for p in problems]
    assert min(digits) < 3.5 and max(digits) > 11.5
    assert {id(p.model) for p in problems} == {id(language_model(n)) for n in language_models()}
    assert all(p.truth.se_log10 == 0 and p.truth.provenance for p in problems)


@pytest.mark.slow
def test_a_truth_of_family_t_by_the_slow_way():
    """All sequences of the smallest law whole, without sharing prefixes."""
    laws = {n.rsplit("_", 1)[0].removeprefix("T_") for n in token_names()}
    smallest = min(laws, key=lambda n: token_law(n)[1].outcomes)
    problem = wb.load(next(n for n in token_names() if n.startswith(f"T_{smallest}_")))
    d = problem.distribution
    total = 0.0
    for start in range(0, d.outcomes, 50_000):
        x, log_p = d.outcome(start, 50_000)
        total += float(torch.exp(log_p[problem.margin(x) > 0]).sum())
    assert math.log10(total) == pytest.approx(problem.truth.log10_p, abs=1e-9)
