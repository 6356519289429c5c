"""Count the truths of family T: all sequences of every law, a forward pass of each.

    python data/exact_tokens.py            about 4 CPU minutes; writes tokens/truths.json

Sequences with a common prefix share its computation. Of every law and decade of P from 1e-3 to
1e-12, the token that most sequences lead to becomes a target, if more than one does.
"""

import json
import math
import platform
import time
from pathlib import Path

import torch

from workbench.catalogue.counting import counted
from workbench.catalogue.counting import targets as chosen
from workbench.catalogue.language_models import language_model
from workbench.distributions import template

FILE = Path(__file__).resolve().parent / "tokens" / "truths.json"
CHARACTERS = {
    "letter": (["letter"] * 4, 26, 3.0),
    "any": (["any"] * 4, 36, 3.0),
    "gap": (["letter", "letter", "= ", "letter", "letter", "letter"], 14, 3.0),
    "line": (["mark", "=\n", "letter", "letter", "letter", "letter"], 14, 4.0),
}
PIECES = {
    "word": (["word"] * 6, 12, 3.0),
    "any": (["any"] * 6, 12, 3.0),
    "hex": (["hex"] * 6, 12, 3.0),
    "letter": (["letter"] * 6, 12, 3.0),
    "name": (["=\n", *["name", "capitals"] * 3], 12, 3.0),
    "indent": (["indentation", "capitals", "capitals", "mark", "indentation", "name", "word"],
               12, 3.0),
}  # fmt: skip
LAWS = {
    **{f"bpe_{name}": ("bpe_1", *law) for name, law in PIECES.items()},
    **{f"char1_{name}": ("char_1", *law) for name, law in CHARACTERS.items()},
    **{f"char2_{name}": ("char_2", *law) for name, law in CHARACTERS.items()},
}


def main() -> None:
    torch.set_num_threads(1)
    laws, targets = {}, {}
    begun = time.process_time()
    for name, (model_name, forms, most, power) in LAWS.items():
        model = language_model(model_name)
        assert model.vocabulary is not None
        law = template(model.vocabulary, forms, most, power)
        start = time.process_time()
        mass, leaves = counted(model, law)
        seconds = time.process_time() - start
        laws[name] = {"model": model_name, "forms": forms, "most": most, "power": power}
        decades = chosen(mass, leaves)
        for decade, token in decades.items():
            targets[f"T_{name}_1e{decade}"] = {
                "law": name,
                "token": token,
                "log10_p": math.log10(mass[token]),
                "leaves": int(leaves[token]),
            }
        print(
            f"{name}: {law.outcomes:,} sequences, {seconds:.0f} CPU-s, "
            f"{int((leaves > 0).sum())} tokens, {len(decades)} targets, mass {mass.sum():.12f}",
            flush=True,
        )
        provenance = {
            "made": time.strftime("%Y-%m-%d"),
            "command": "python data/exact_tokens.py",
            "cpu_seconds": round(time.process_time() - begun),
            "torch": torch.__version__,
            "machine": platform.machine(),
        }
        stored = {"laws": laws, "provenance": provenance, "targets": targets}
        FILE.write_text(json.dumps(stored, indent=1) + "\n")
    print(len(targets), "targets")


if __name__ == "__main__":
    main()
