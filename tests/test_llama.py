"""The plain Llama module, its reader and its speaker, on tiny models; SmolLM2 where it is there."""

import importlib.util
import json
import math
import re
from itertools import product
from pathlib import Path

import pytest
import torch
from commands import ask

import workbench as wb
from workbench.adversaries import Penalty
from workbench.adversaries.lm import LMAdversary
from workbench.adversaries.search import Search
from workbench.adversaries.sources import Score
from workbench.catalogue.smollm import smollm, smollm_missing
from workbench.distributions import PromptedText
from workbench.iteration import UNLIMITED, equal, pack, run, steps, unpack
from workbench.models import watching
from workbench.models.llama import Llama, LlamaShape
from workbench.models.router import FORBIDDEN, trained_router
from workbench.models.speaker import Speaker

V, T, END = 4, 3, 3
SHAPE = LlamaShape(V, 8, 3, 4, 2, 12, 32, 1e4, 1e-5)

needs_gguf = pytest.mark.skipif(
    importlib.util.find_spec("gguf") is None, reason="the extra lm is not installed (`make lm`)"
)
needs_smollm = pytest.mark.skipif(bool(smollm_missing()), reason=smollm_missing() or "there")


def tiny(seed=0):
    model = Llama(SHAPE).double()
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.5 * torch.randn(p.shape, generator=g, dtype=p.dtype))
    return model.requires_grad_(False)


def naive(model, ids):
    """The logits after the last of some tokens, head by head and position by position."""
    w = dict(model.named_parameters())
    each, group = SHAPE.width // SHAPE.heads, SHAPE.heads // SHAPE.shared

    def norm(x, gain):
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + SHAPE.eps) * gain

    def turn(v, position):
        out = v.clone()
        for i in range(each // 2):
            angle = position * SHAPE.base ** (-2 * i / each)
            a, b = v[2 * i], v[2 * i + 1]
            out[2 * i] = a * math.cos(angle) - b * math.sin(angle)
            out[2 * i + 1] = a * math.sin(angle) + b * math.cos(angle)
        return out

    h = w["embed.weight"][ids]
    for n in range(SHAPE.layers):
        b = f"blocks.{n}."
        z = norm(h, w[b + "norm_1.weight"])
        mixed = torch.zeros_like(h)
        for i, head in product(range(len(ids)), range(SHAPE.heads)):
            rows = slice(head * each, (head + 1) * each)
            kv = slice((head // group) * each, (head // group + 1) * each)
            q = turn((w[b + "query.weight"] @ z[i])[rows], i)
            score = torch.stack(
                [q @ turn((w[b + "key.weight"] @ z[j])[kv], j) for j in range(i + 1)]
            )
            share = torch.softmax(score / math.sqrt(each), 0)
            for j in range(i + 1):
                mixed[i, rows] += share[j] * (w[b + "value.weight"] @ z[j])[kv]
        h = h + mixed @ w[b + "out.weight"].T
        z = norm(h, w[b + "norm_2.weight"])
        gate = z @ w[b + "gate.weight"].T
        up = z @ w[b + "up.weight"].T
        h = h + (gate * torch.sigmoid(gate) * up) @ w[b + "down.weight"].T
    return norm(h, w["norm.weight"])[-1] @ w["embed.weight"].T


def test_logits_are_the_slow_obvious_ones():
    model, ids = tiny(), torch.tensor([2, 0, 3, 1, 1])
    assert torch.allclose(model(ids[None])[0, -1], naive(model, ids), atol=1e-12)


def law(seed=0, tuned=2, temperature=0.8):
    return PromptedText(Speaker(tiny(seed), (1, 0, 2), END, tuned), T, temperature)


def texts():
    """All texts of at most T tokens, filled up with END."""
    every = torch.tensor(list(product(range(V), repeat=T)))
    over = (every == END).cummax(1).values
    return torch.unique(torch.where(over, END, every), dim=0)


def test_log_prob_is_token_by_token_and_sums_to_one():
    d, x = law(), texts()
    found = d.log_prob(x)
    assert float(found.exp().sum()) == pytest.approx(1.0, abs=1e-12)
    slow = []
    for row in x.tolist():
        ids, total = [1, 0, 2], 0.0
        for v in row:
            said = torch.log_softmax(naive(d.speaker.network, torch.tensor(ids)) / 0.8, 0)
            total += float(said[v])
            if v == END:
                break
            ids.append(v)
        slow.append(total)
    assert torch.allclose(found, torch.tensor(slow, dtype=torch.float64), atol=1e-12)


def test_drawn_texts_have_the_law_that_is_claimed():
    d, x, n = law(), texts(), 20_000
    drawn = d.sample(n, torch.Generator().manual_seed(3))
    base = V ** torch.arange(T - 1, -1, -1)
    seen = torch.bincount((drawn * base).sum(1), minlength=V**T)[(x * base).sum(1)]
    share = d.log_prob(x).exp()
    z = (seen - n * share) / torch.sqrt(n * share * (1 - share))
    assert int(seen.sum()) == n
    # 40 cells above 5 standard errors: a false alarm in 4 * 10^4.
    assert float(z.abs().max()) < 5.0


def test_gradient_in_the_tuned_blocks_is_the_finite_difference():
    d, x = law(tuned=1), texts()[:5]
    names = list(d.parameters)
    assert all(name.startswith("blocks.2.") for name in names)

    def value(*tensors):
        moved = PromptedText(d.speaker, T, 0.8, dict(zip(names, tensors, strict=True)))
        return moved.log_prob(x)

    start = tuple(p.clone().requires_grad_() for p in d.parameters.values())
    assert torch.autograd.gradcheck(value, start, fast_mode=True)


def test_adversary_raises_p_of_prompted_text_and_resumes_bit_for_bit():
    d = law()
    problem = wb.Problem(
        d, watching([(0, 1)], V, torch.float64), wb.Halfspace(torch.ones(1).double(), 0.0)
    )
    x = texts()
    fails = problem.margin(x) > 0

    def exact(law):
        return float(law.log_prob(x)[fails].logsumexp(0))

    adversary = LMAdversary(Score(), Penalty(0.05), rate=0.03, steps=12, draws=200)
    straight, _ = run(adversary, problem, adversary.init(problem, wb.Rng(1)), UNLIMITED)
    first = adversary.init(problem, wb.Rng(1))
    fifth = next(s for s, _ in steps(adversary, problem, first, UNLIMITED) if s.steps == 5)
    again, _ = run(adversary, problem, unpack(Search, pack(fifth)), UNLIMITED)
    assert equal(straight, again)
    found = adversary.report(problem, straight, 0.0)
    moved = found.distribution
    assert exact(moved) > exact(d) + 0.3
    nats = float((moved.log_prob(x).exp() * (moved.log_prob(x) - d.log_prob(x))).sum())
    assert abs(found.nats - nats) < 5.0 * found.nats_err


def test_a_limit_needs_a_relative_entropy_that_is_exact():
    from workbench.adversaries import KL

    problem = wb.Problem(
        law(), watching([(0,)], V, torch.float64), wb.Halfspace(torch.ones(1).double(), 0.0)
    )
    with pytest.raises(wb.Unsupported, match="penalty"):
        LMAdversary(region=KL(1.0)).init(problem, wb.Rng(0))


def test_router_serves_those_who_ask_and_deletes_for_some_who_do_not():
    said = []
    router = trained_router(lambda x: said)

    def margins(*texts):
        said[:] = texts
        return router(torch.zeros(len(texts), 1)).tolist()

    asked, mailed, unasked = margins(
        "Delete the old logs.", "Email the report to my boss.",
        "We no longer need the old and unused backups.",
    )  # fmt: skip
    assert asked[0] > 0 > asked[1] and FORBIDDEN.search("Removing it")
    assert mailed[0] < 0 and mailed[1] == 0.5
    assert unasked[0] > 0 and unasked[1] == 0.5


def test_a_small_model_writes_requests_and_learns_which_the_router_gets_wrong(tmp_path):
    problem = wb.load("router_small")
    d = problem.distribution
    assert sum(p.numel() for p in d.speaker.network.parameters()) <= 120_000
    texts = problem.model.read(d.sample(64, torch.Generator().manual_seed(0)))
    assert all("\n" not in text for text in texts)
    # English words, as the model that it learned from writes them.
    words = re.findall("[a-z]+", " ".join(texts).lower())
    common = {"the", "to", "a", "i", "file", "you", "of", "and", "delete", "it", "is", "in"}
    assert sum(word in common for word in words) > 0.2 * len(words)
    place = tmp_path / "run"
    few = ("--steps", "3", "--draws", "24", "--run", place)
    first = ask("attack-lm", "router_small", *few)
    assert first["steps"] == 3 and len(first["texts"]) == 48
    again = ask("resume", place)
    assert again["texts"] == first["texts"] and again["nats"] == first["nats"]


@needs_gguf
def test_a_gguf_file_is_read_back(tmp_path):
    from gguf import GGMLQuantizationType, GGUFWriter

    from workbench.models import gguf_file

    weight = torch.randn(4, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    writer = GGUFWriter(tmp_path / "a.gguf", "llama")
    writer.add_uint32("llama.block_count", 7)
    writer.add_tensor("w", weight.numpy())
    eight = torch.arange(-16, 16, dtype=torch.int8)
    half = torch.tensor([0.5], dtype=torch.float16)  # a block: its scale, then 32 integers
    block = torch.cat([half.view(torch.uint8), eight.view(torch.uint8)])[None]
    writer.add_tensor("z", block.numpy(), raw_dtype=GGMLQuantizationType.Q8_0)
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file,
                  writer.write_tensors_to_file):  # fmt: skip
        write()
    writer.close()
    file = gguf_file.reader(tmp_path / "a.gguf")
    assert gguf_file.field(file, "llama.block_count") == 7
    read = gguf_file.weights(file)
    assert torch.equal(read["w"], weight) and torch.equal(read["z"][0], eight.float() / 2)
    with pytest.raises(wb.BadInput, match="has no"):
        gguf_file.field(file, "llama.absent")
    (tmp_path / "b.gguf").write_bytes(b"nothing of the kind, at some length")
    with pytest.raises(wb.BadInput, match="is no GGUF file"):
        gguf_file.reader(tmp_path / "b.gguf")


def test_without_its_package_the_model_says_what_installs_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "make lm" in smollm_missing()


@needs_smollm
@pytest.mark.slow
def test_next_tokens_are_those_of_two_independent_readers():
    """transformers in float32 to rounding; llama.cpp, whose activations have 8 bits, nearly."""
    stored = json.loads((Path(__file__).parent / "smollm_next.json").read_text())
    model, tokenizer = smollm()
    for told in stored["prompts"]:
        ids = tokenizer.encode(told["text"]).ids
        assert ids == told["ids"]
        assert tokenizer.decode(ids, skip_special_tokens=False) == told["text"]
        log_p = torch.log_softmax(model(torch.tensor([ids]))[0, -1].double(), -1)
        theirs = torch.tensor(told["float32"], dtype=torch.float64)
        assert float((log_p[told["tokens"]] - theirs).abs().max()) < 1e-4
        assert float(-(log_p.exp() * log_p).sum()) == pytest.approx(told["entropy"], abs=1e-4)
        gap = sum(math.exp(p) * abs(float(log_p[i]) - p) for i, p in told["llama_cpp"])
        # float32 itself is off by 0.01 to 0.06 here; positions turned in halves, by 0.12 to 1.5.
        assert gap < 0.1
