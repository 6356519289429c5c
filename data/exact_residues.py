"""Count the truths of the problems `R_*`: text known by the residue of the number that it spells.

    python data/exact_residues.py              about 10 CPU seconds; writes tokens/residues.json

A text of 16 symbols by the model of `train_short_text.py`, a symbol a digit in base 27, given that
its number is 4 modulo q; C: it holds, or ends in, a word. The mass of every (beginning of the word
that was read, last two symbols, residue) is carried symbol by symbol, all q residues of it, without
the workbench's oracles: no factor of q is known to it and nothing is presumed.
"""

import json
import math
import platform
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

from workbench.models import ShortContext

HERE = Path(__file__).resolve().parent / "tokens"
RESIDUE = 4
PROBLEMS = {
    "R_zap_10007_1e-7": {"word": "zap", "where": "anywhere", "modulus": 10007},
    "R_zap_10008_1e-7": {"word": "zap", "where": "anywhere", "modulus": 10008},
    "R_druid_10007_1e-7": {"word": "druid", "where": "at the end", "modulus": 10007},
    "R_druid_10008_1e-6": {"word": "druid", "where": "at the end", "modulus": 10008},
}


def after(read: str, symbol: str, word: str, where: str) -> str:
    """The longest beginning of the word that the text ends in; the word itself stays, once read,
    where it may stand anywhere."""
    if where == "anywhere" and read == word:
        return word
    text = read + symbol
    return next(text[k:] for k in range(len(text) + 1) if word.startswith(text[k:]))


def masses(table: torch.Tensor, told: dict, problem: dict) -> tuple[float, float]:
    """P of the word and the residue, and P of the residue.

    Args:
        table: `(V, V, V)`, p(v | a, b).
    """
    q, word, symbols = problem["modulus"], problem["word"], told["symbols"]
    v_all, states = len(symbols), [word[:k] for k in range(len(word) + 1)]
    start = [symbols.index(c) for c in told["prompt"]]
    at = {("", start[1]): torch.zeros(v_all, q, dtype=torch.float64)}
    at["", start[1]][start[0], 0] = 1.0  # {(beginning, last symbol): (the one before, residue)}
    for _ in range(told["length"]):
        new: dict[tuple[str, int], torch.Tensor] = {}
        for (read, b), mass in at.items():
            for v in range(v_all):
                key = after(read, symbols[v], word, problem["where"]), v
                row = table[:, b, v] @ mass  # over the symbol before b
                moved = torch.zeros(q, dtype=torch.float64)
                moved.index_add_(0, (torch.arange(q) * v_all + v) % q, row)
                if key not in new:
                    new[key] = torch.zeros(v_all, q, dtype=torch.float64)
                new[key][b] += moved
        at = new
    both = sum(float(m[:, RESIDUE].sum()) for (read, _), m in at.items() if read == states[-1])
    return both, sum(float(m[:, RESIDUE].sum()) for m in at.values())


def main() -> None:
    torch.set_num_threads(1)
    begun = time.process_time()
    told = json.loads((HERE / "short_text.json").read_text())
    model = ShortContext(
        len(told["symbols"]), told["context"], told["width"], told["hidden"], dtype=torch.float64
    )
    model.load_state_dict(load_file(HERE / "short_text.safetensors"))
    v = model.alphabet
    table = torch.softmax(model(model.contexts), -1).detach().reshape(v, v, v)
    problems = {}
    for name, problem in PROBLEMS.items():
        both, alone = masses(table, told, problem)
        log10_p = math.log10(both / alone)
        problems[name] = {**problem, "residue": RESIDUE, "log10_p": log10_p}
        print(name, log10_p, math.log10(alone), flush=True)
    stored = {
        "text": told["sha256"],
        "made": {
            "command": "python data/exact_residues.py",
            "cpu_seconds": round(time.process_time() - begun),
            "torch": torch.__version__,
            "machine": platform.machine(),
        },
        "problems": problems,
    }
    (HERE / "residues.json").write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
