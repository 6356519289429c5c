"""Trains the tiny transformers of the family `cycle` and writes data/cycles.safetensors.

Each reads a function of {0, ..., n - 1} to itself as n tokens, all n^n of them equally likely, and
is to say how long its longest cycle is. A network is two layers of attention of width d, one head
each, without perceptrons and biases: 3 n d + 8 d^2 weights. Task and sizes are those of a public
collection (Alignment Research Center, AlgZoo, 2026); the weights are ours. Their accuracies are
counted, function by function.

    python data/train_cycles.py            # about five minutes on one core
"""

import hashlib
import json
import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

import workbench as wb
from workbench.catalogue.cycles import cycle_model
from workbench.distributions import Tokens
from workbench.math.cycles import longest_cycle
from workbench.specs import LongestCycle

HERE = Path(__file__).parent
WIDTHS, LENGTHS, LAYERS = (2, 3, 4), (3, 4, 5, 6), 2
SEEDS, STEPS, BATCH = 4, 3000, 512
RATE, DECAY = 0.03, 0.01  # of Adam, times 1/sqrt(d); what is left of it at the end


def everything(n: int) -> Tensor:
    """All functions, `(n^n, n)`."""
    digits = n ** torch.arange(n - 1, -1, -1)
    return torch.arange(n**n)[:, None] // digits % n


def train(n: int, d: int) -> tuple[dict[str, Tensor], float]:
    """The best of `SEEDS` networks, all trained at once, and its accuracy."""
    generator = torch.Generator().manual_seed(100 * n + d)

    def start(*shape: int, fan: int) -> Tensor:
        drawn = torch.randn(SEEDS, *shape, generator=generator) / math.sqrt(fan)
        return drawn.requires_grad_()

    weights = {"embed": start(n, d, fan=1), "place": start(n, d, fan=1)}
    for name in ("query", "key", "value", "out"):
        weights[name] = start(LAYERS, d, d, fan=d)
    weights["say"] = start(d, n, fan=d)
    functions = everything(n)
    answers = longest_cycle(functions) - 1
    rate = RATE / math.sqrt(d)
    optimiser = torch.optim.Adam(list(weights.values()), lr=rate)
    for step in range(STEPS):
        rows = torch.randint(len(functions), (min(BATCH, len(functions)),), generator=generator)
        logits = forward(weights, functions[rows])
        target = answers[rows].expand(SEEDS, -1)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
        optimiser.zero_grad()
        (SEEDS * loss).backward()
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 200) * DECAY ** (step / STEPS)
        optimiser.step()
    with torch.no_grad():
        right = (
            torch.cat([forward(weights, part).argmax(-1) for part in functions.split(8192)], 1)
            == answers
        )
    accuracy = right.double().mean(1)
    best = int(accuracy.argmax())
    return {k: w[best].detach().clone() for k, w in weights.items()}, float(accuracy[best])


def forward(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """Logits of all networks on all functions, `(s, batch, n)`: `AttentionOnly`, s at a time."""
    h = weights["embed"][:, x] + weights["place"][:, None]
    for i in range(LAYERS):
        q, k, v, o = (weights[name][:, None, i] for name in ("query", "key", "value", "out"))
        score = (h @ q) @ (h @ k).mT / math.sqrt(h.shape[-1])
        h = h + torch.softmax(score, -1) @ (h @ v) @ o
    return h[:, :, -1] @ weights["say"]


def main() -> None:
    torch.set_num_threads(1)
    tensors: dict[str, Tensor] = {}
    for n in LENGTHS:
        for d in WIDTHS:
            weights, accuracy = train(n, d)
            print(f"d={d} n={n}: {accuracy:.4f}", flush=True)
            tensors |= {f"{d}.{n}.{k}": w.contiguous() for k, w in weights.items()}
    path = HERE / "cycles.safetensors"
    save_file(tensors, path)
    problems = {}
    for n in LENGTHS:
        for d in WIDTHS:
            uniform = Tokens(torch.ones(n, n, dtype=torch.float64))
            problem = wb.Problem(uniform, cycle_model(tensors, d, n), LongestCycle())
            found = wb.Enumeration()(problem, n**n)
            told = {"d": d, "n": n, "hits": found.info["hits"]}
            problems[f"algzoo_cycle_h{d}_n{n}"] = told
    index = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "made": {"command": "python data/train_cycles.py", "torch": torch.__version__},
        "problems": problems,
    }
    (HERE / "cycles.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
