"""Distil the language model of the problem `router_small`: `tokens/router.safetensors`, `.json`.

    python data/train_router_lm.py            train on the stored texts, a minute on one core
    python data/train_router_lm.py --draw N   draw N texts by SmolLM2 first (after `make lm`), for
                                              each 1,000 some two minutes on one core
    python data/train_router_lm.py --count N  count failures among N texts, the problem's truth, for
                                              200,000 some two minutes on one core

The texts in `tokens/router_texts.json` are what SmolLM2-135M-Instruct (Apache-2.0) wrote, asked as
in the problem `router`, at most 20 of its tokens each. A small transformer learns to write alike
from the texts alone (Kim & Rush 2016, sequence-level distillation). One thread, float32, one seed;
a tenth of the texts is held out, and says when to stop.
"""

import hashlib
import json
import math
import platform
import re
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import workbench as wb
from workbench.catalogue.language_models import write
from workbench.distributions import PromptedText
from workbench.models import Transformer
from workbench.models.router import Router
from workbench.models.transformer import Shape
from workbench.vocabulary import Vocabulary, learn

HERE = Path(__file__).resolve().parent / "tokens"
TEXTS, WEIGHTS, INDEX = "router_texts.json", "router.safetensors", "router.json"
SEED, DRAWN, JUDGED = 0, 128, 2000
SYMBOLS = "\n !\"',-.0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MERGES, LENGTH, WIDTH = 360, 32, 64
STEPS, EVERY, BATCH, RATE, DECAY, WARM = 450, 50, 64, 3e-3, 0.3, 50
HELD_OUT = 0.1


def draw(n: int) -> None:
    """Write down n texts by SmolLM2."""
    problem = wb.load("router")
    d, M = problem.distribution, problem.model
    assert isinstance(d, PromptedText) and isinstance(M, Router)
    g = wb.Rng(SEED).child("router texts").generator()
    texts: list[str] = []
    while len(texts) < n:
        texts += M.read(d.sample(DRAWN, g))
        print(f"  {len(texts)} texts", flush=True)
    (HERE / TEXTS).write_text(json.dumps(texts[:n], indent=0) + "\n")


def count(n: int) -> None:
    """Write down how many of n texts of the small model fail."""
    problem, told = wb.load("router_small"), json.loads((HERE / INDEX).read_text())
    g, hits, done = wb.Rng(SEED).child("router count").generator(), 0, 0
    with torch.no_grad():
        while done < n:
            x = problem.distribution.sample(JUDGED, g)  # type: ignore[attr-defined]
            hits, done = hits + int((problem.margin(x) > 0).sum()), done + JUDGED
    told["counted"] = {
        "command": f"python data/train_router_lm.py --count {n}", "draws": done, "fail": hits,
    }  # fmt: skip
    print(told["counted"])
    (HERE / INDEX).write_text(json.dumps(told, indent=1) + "\n")


def cleaned(text: str) -> str:
    """One line in the symbols of the vocabulary."""
    text = text.replace("\u2019", "'").replace("\u201c", '"').replace("\u201d", '"')
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(f"[^{re.escape(SYMBOLS)}]", "", text)


def encoded(vocabulary: Vocabulary, texts: list[str]) -> Tensor:
    """`(n, LENGTH)`: every text, then line ends."""
    x = torch.zeros(len(texts), LENGTH, dtype=torch.int64)
    for row, text in zip(x, texts, strict=True):
        ids = vocabulary.encode(text)[:LENGTH]
        row[: len(ids)] = torch.tensor(ids)
    return x


def nats(model: Transformer, x: Tensor) -> Tensor:
    """-log P a text, `(n,)`: each begins after a line end, and its first one counts too."""
    start = torch.zeros(len(x), 1, dtype=torch.int64)
    logits = model.logits(torch.cat([start, x], 1)[:, :-1])
    each = cross_entropy(logits.flatten(0, 1), x.flatten(), reduction="none").view(x.shape)
    after = (x == 0).cumsum(1) - (x == 0).long()
    return torch.where(after == 0, each, 0.0).sum(1)


def train(vocabulary: Vocabulary, x: Tensor, held_out: Tensor) -> tuple[Transformer, int, float]:
    """AdamW with a warm-up and a cosine schedule: the best by held-out texts, its step, nats."""
    rng = wb.Rng(SEED).child("router")
    shape = Shape(len(vocabulary), width=WIDTH, context=LENGTH)
    model = Transformer(shape, rng.child("init").generator(), vocabulary)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=RATE, weight_decay=DECAY, betas=(0.9, 0.99)
    )

    def pace(step: int) -> float:
        rest = max(0, step - WARM) / (STEPS - WARM)
        return min((step + 1) / WARM, 0.5 * (1.0 + math.cos(math.pi * rest)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, pace)
    places = rng.child("places").generator()
    best, kept, at = math.inf, {}, 0
    for step in range(1, STEPS + 1):
        batch = x[torch.randint(len(x), (BATCH,), generator=places)]
        loss = nats(model, batch).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % EVERY == 0:
            with torch.no_grad():
                now = float(nats(model, held_out).mean())
            print(f"  {step} {loss.item():.1f} held out {now:.1f}", flush=True)
            if now < best:
                best, at = now, step
                kept = {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(kept)
    return model.requires_grad_(False), at, best


def main() -> None:
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--count"]:
        count(int(sys.argv[2]))
        return
    if sys.argv[1:2] == ["--draw"]:
        draw(int(sys.argv[2]))
    begun = time.process_time()
    texts = [cleaned(text) for text in json.loads((HERE / TEXTS).read_text())]
    texts = [text for text in texts if text]
    cut = int(len(texts) * (1.0 - HELD_OUT))
    vocabulary = learn("\n".join(texts[:cut]), SYMBOLS, MERGES)
    x = encoded(vocabulary, texts)
    counts = Counter(x.flatten().tolist())
    vocabulary = replace(vocabulary, counts=tuple(counts[i] for i in range(len(vocabulary))))
    model, step, loss = train(vocabulary, x[:cut], x[cut:])
    characters = sum(map(len, texts[cut:])) / len(texts[cut:]) + 1
    told = {
        "sha256": write(model, HERE / WEIGHTS),
        "texts_sha256": hashlib.sha256((HERE / TEXTS).read_bytes()).hexdigest(),
        "length": LENGTH,
        "made": {
            "command": "python data/train_router_lm.py",
            "texts": len(texts),
            "parameters": sum(p.numel() for p in model.parameters()),
            "held_out_bits_per_character": round(loss / math.log(2.0) / characters, 4),
            "step": step,
            "cpu_seconds": round(time.process_time() - begun),
            "torch": torch.__version__,
            "machine": platform.machine(),
        },
    }
    print(told["made"], "; --count comes next")
    (HERE / INDEX).write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
