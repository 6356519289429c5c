"""Poses R_reporters: a direct translator and a human simulator part.

    python data/part_reporters.py       trains, poses, measures the truth: about a minute

The recipe is `workbench.anomaly.reporters` with seed 0; the card keeps the networks as they were
trained. The truth is that of `workbench truth`: independent samplers that have agreed.
"""

from dataclasses import replace
from pathlib import Path

import torch

from workbench.anomaly.reporters import reporters
from workbench.experiments.reference import best_truth

HERE = Path(__file__).resolve().parent
SEED, BUDGET = 0, 10_000_000


def main() -> None:
    torch.set_num_threads(1)
    problem = replace(reporters(SEED).problem, name="R_reporters")
    truth = best_truth(problem, BUDGET, SEED)
    made = {**truth.provenance, "command": "python data/part_reporters.py"}
    posed = replace(problem, truth=replace(truth, provenance=made))
    print(posed, truth.log10_p, truth.se_log10, posed.save(HERE / "problems").name)


if __name__ == "__main__":
    main()
