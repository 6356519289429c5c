"""Poses R_reporters: a direct translator and a human simulator part.

    python data/part_reporters.py       trains, poses, samples the truth: about a minute

The recipe is `workbench.anomaly.reporters` with seed 0; the card keeps the networks as they were
trained. The truth is the inverse-variance mean of plain draws and importance sampling.
"""

import math
from dataclasses import replace
from pathlib import Path

import torch

import workbench as wb
from workbench.anomaly.reporters import reporters

HERE = Path(__file__).resolve().parent
SEED, PLAIN, WEIGHED = 0, 10_000_000, 300_000


def main() -> None:
    torch.set_num_threads(1)
    problem = replace(reporters(SEED).problem, name="R_reporters")
    with torch.no_grad():
        found = [(e, e(problem, n, SEED)) for e, n in
                 ((wb.MonteCarlo(), PLAIN), (wb.Importance(), WEIGHED))]  # fmt: skip
    weight = [1.0 / e.log10_err**2 for _, e in found]
    mean = sum(w * e.log10_p for w, (_, e) in zip(weight, found, strict=True)) / sum(weight)
    chi2 = sum(w * (e.log10_p - mean) ** 2 for w, (_, e) in zip(weight, found, strict=True))
    assert chi2 < 16.0, f"the samplers differ: {found}"
    told = [
        {"method": m.name, "log10_p": e.log10_p, "se_log10": e.log10_err, "forwards": n}
        for (m, e), n in zip(found, (PLAIN, WEIGHED), strict=True)
    ]
    truth = wb.Truth(
        mean, math.sqrt(max(1.0, chi2) / sum(weight)),
        "inverse-variance mean of plain Monte Carlo and importance sampling",
        {"command": "python data/part_reporters.py", "seed": SEED, "chi2": chi2, "estimates": told},
    )  # fmt: skip
    posed = replace(problem, truth=truth)
    print(posed, truth.log10_p, truth.se_log10, chi2, posed.save(HERE / "problems").name)


if __name__ == "__main__":
    main()
