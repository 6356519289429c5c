"""Trains the tiny recurrent networks of the family `algzoo` and writes data/algzoo.safetensors.

Each reads n numbers, drawn from N(0, 1), one a step, and is to point at the one of a given rank:
the largest (`argmax`), the second largest (`second`) or the middle one (`argmedian`); or to say
the median (`median`). A network has h ReLUs, k outputs (n, or 1 for the median) and no biases:
h + h^2 + k h weights. The tasks, and the sizes of all but `argmax`, are those of a public
collection (Alignment Research Center, AlgZoo, 2026); the weights are ours.

    python data/train_algzoo.py            # about fifteen minutes on one core
    python data/train_algzoo.py median     # this task alone; what is there of others is kept
"""

import hashlib
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import workbench as wb
from workbench.catalogue.algzoo import WITHIN
from workbench.math.order import middle, position
from workbench.models import RNN, dense

HERE = Path(__file__).parent
RANKS = {"argmax": lambda n: 0, "second": lambda n: 1, "argmedian": lambda n: n // 2}
MEDIAN = "median"
SIZES = {
    "argmax": [(h, n) for n in (2, 3, 5, 10) for h in (2, 3, 4)],
    "second": [
        (h, n)
        for n in (2, 3, 4, 5, 6, 8, 10)
        for h in (2, 3, 4, 5, 6, 8)
        if h + h * h + n * h <= 100
    ]
    + [(16, 10)],
    "argmedian": [(h, n) for n in (3, 5, 7, 11) for h in (2, 4, 8) if h + h * h + n * h <= 100],
    "median": [(h, n) for n in (2, 3, 5, 10) for h in (2, 4, 8)],
}
"""Hidden units and length of each network."""

SEEDS, STEPS, BATCH, HELD_OUT = 3, 4000, 512, 1 << 16
POINTS, NETS = 1 << 16, 8  # of the truths
RATE, DECAY = 0.02, 0.01  # of Adam; what is left of it at the end


def train(rank: int | None, n: int, sizes: list[int]) -> dict[int, tuple[dict[str, Tensor], float]]:
    """The best of `SEEDS` networks of each size, and its accuracy on fresh sequences.

    Without a rank they say the median, and it is minus the mean squared error.

    All of them are trained at once, in arrays as wide as the widest; what a narrower one has
    beyond its width is held at 0.
    """
    generator = torch.Generator().manual_seed(9_000 + n if rank is None else 1000 * rank + n)
    wide = torch.tensor([h for h in sizes for _ in range(SEEDS)])
    k, most = len(wide), max(sizes)
    there = (torch.arange(most) < wide[:, None]).float()
    root = wide.float().sqrt()

    def start(*shape: int) -> Tensor:
        return torch.rand(k, *shape, generator=generator) * 2.0 - 1.0

    masks = {
        "read": there[:, :, None],
        "recur": there[:, :, None] * there[:, None, :],
        "say": there[:, None, :],
    }
    shapes = {"read": (most, 1), "recur": (most, most), "say": (1 if rank is None else n, most)}
    weights = {
        name: (start(*shapes[name]) / root[:, None, None] * mask).requires_grad_()
        for name, mask in masks.items()
    }
    optimiser = torch.optim.Adam(list(weights.values()), lr=RATE)
    for step in range(STEPS):
        x = torch.randn(BATCH, n, generator=generator)
        logits = forward(weights, x)
        if rank is None:
            loss = (logits[..., 0] - middle(x)).square().sum()
        else:
            target = position(x, rank).expand(k, -1)
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), target.flatten(), reduction="sum"
            )
        optimiser.zero_grad()
        (loss / BATCH).backward()
        rate = min(1.0, (step + 1) / 200) * DECAY ** (step / STEPS)
        for group in optimiser.param_groups:
            group["lr"] = RATE * rate
        optimiser.step()
        with torch.no_grad():
            for name, mask in masks.items():
                weights[name].mul_(mask)
    with torch.no_grad():
        x = torch.randn(HELD_OUT, n, generator=generator)
        said = forward(weights, x)
        if rank is None:
            right = -(said[..., 0] - middle(x)).square().double().mean(-1)
        else:
            right = (said.argmax(-1) == position(x, rank)).double().mean(-1)
    best = {}
    for i, h in enumerate(sizes):
        j = i * SEEDS + int(right[i * SEEDS : (i + 1) * SEEDS].argmax())
        best[h] = (
            {
                "read": weights["read"][j, :h].detach().clone(),
                "recur": weights["recur"][j, :h, :h].detach().clone(),
                "say": weights["say"][j, :, :h].detach().clone(),
            },
            float(right[j]),
        )
    return best


def forward(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """Logits of all networks on all sequences, `(k, batch, n)`."""
    read = weights["read"].transpose(1, 2)
    h = torch.relu(x[:, :1] @ read)
    for t in range(1, x.shape[1]):
        h = torch.relu(torch.baddbmm(x[:, t : t + 1] @ read, h, weights["recur"].transpose(1, 2)))
    return h @ weights["say"].transpose(1, 2)


def main(tasks: list[str]) -> None:
    """Trains these tasks, or all."""
    torch.set_num_threads(1)
    path = HERE / "algzoo.safetensors"
    tensors: dict[str, Tensor] = load_file(path) if tasks else {}
    for task in tasks or SIZES:
        for n in sorted({n for _, n in SIZES[task]}):
            rank = None if task == MEDIAN else RANKS[task](n)
            small = [h for h, m in SIZES[task] if m == n and h <= 8]
            large = [h for h, m in SIZES[task] if m == n and h > 8]
            for group in (small, large):
                if group:
                    for h, (weights, accuracy) in train(rank, n, group).items():
                        print(f"{task} h={h} n={n}: {accuracy:.4f}", flush=True)
                        for name, value in weights.items():
                            tensors[f"{task}.{h}.{n}.{name}"] = value.contiguous()
    finish(tensors, tasks)


def finish(tensors: dict[str, Tensor], tasks: list[str]) -> None:
    """Writes the weights, and the index with what is known of each; of other tasks as it stands."""
    path = HERE / "algzoo.safetensors"
    save_file(tensors, path)
    there = json.loads((HERE / "algzoo.json").read_text())["problems"] if tasks else {}
    problems = {}
    for task, sizes in SIZES.items():
        for h, n in sizes:
            name = f"algzoo_{task}_h{h}_n{n}"
            told: dict = {"task": task, "h": h, "n": n}
            if task != MEDIAN:
                told["rank"] = RANKS[task](n)
            kept = tasks and task not in tasks
            problems[name] = there[name] if kept else told | known(tensors, told)
    index = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "made": {"command": "python data/train_algzoo.py", "torch": torch.__version__},
        "problems": problems,
    }
    (HERE / "algzoo.json").write_text(json.dumps(index, indent=1) + "\n")


def known(tensors: dict[str, Tensor], told: dict) -> dict:
    """The truth of one problem."""
    h, n, task = told["h"], told["n"], told["task"]
    maps = (dense(tensors[f"{task}.{h}.{n}.{part}"].double()) for part in ("read", "recur", "say"))
    one = torch.ones(n, dtype=torch.float64)
    spec = wb.Median(WITHIN) if task == MEDIAN else wb.Points(told["rank"])
    problem = wb.Problem(wb.Gaussian(0.0 * one, one), RNN(*maps, n), spec)
    found = wb.LastInput(points=POINTS, nets=NETS)(problem, 1 << 40, 2026)
    exact = n == 2 and task != MEDIAN
    method = "exact: two half-planes" if exact else f"last_input, {NETS} nets of {POINTS} points"
    return {"log10_p": found.log10_p, "se_log10": found.log10_err, "method": method}


if __name__ == "__main__":
    main(sys.argv[1:])
