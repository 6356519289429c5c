"""A problem of your own: change what is marked 1 to 4, run the file, and read what it prints.

It trains a small classifier, puts noise on one input that it reads rightly, and asks how likely
the noise makes it read another class. Then it saves the problem beside this file, as one zip that
every command, notebook and screen of the workbench takes by its path.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

import workbench as wb

NAME = "my_problem"
CLASSES, INPUTS = 3, 10


def data() -> tuple[Tensor, Tensor]:
    """1. What the model is trained on: inputs (n, d) and labels (n,). Put your own here."""
    noise = torch.Generator().manual_seed(0)
    centres = 3.0 * torch.randn(CLASSES, INPUTS, generator=noise, dtype=torch.float64)
    labels = torch.arange(600) % CLASSES
    clouds = torch.randn(len(labels), INPUTS, generator=noise, dtype=torch.float64)
    return centres[labels] + clouds, labels


def trained(x: Tensor, label: Tensor) -> nn.Module:
    """2. M: any module from (batch, d) to (batch, k), in float64. Put your own here.

    Estimators that read the weights know linear layers, convolutions, ReLU, GELU, tanh, average
    pooling, residual sums and a few more; samplers take any module at all.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(INPUTS, 32, dtype=torch.float64),
            nn.ReLU(),
            nn.Linear(32, 32, dtype=torch.float64),
            nn.ReLU(),
            nn.Linear(32, CLASSES, dtype=torch.float64),
        )
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(200):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), label).backward()
        optimiser.step()
    return model.eval()


def problem() -> wb.Problem:
    """The triple (D, M, C)."""
    x, label = data()
    model = trained(x, label)
    # 3. D, where inputs come from: here the first example with noise on every coordinate. A
    # Mixture, a Box or a Discrete law will do too; `workbench list distributions` names all.
    distribution = wb.Gaussian(mean=x[0], scale=torch.full((INPUTS,), 0.5, dtype=torch.float64))
    # 4. C, the catastrophe: positive margin. Here the model reads another class than the true one.
    # `workbench list specs` names all; &, | and ~ join them.
    spec = wb.Argmax(int(label[0]), "loses")
    about = (
        f"A classifier of {CLASSES} classes reads a noised example of class {int(label[0])} wrong."
    )
    return wb.Problem(distribution, model, spec, name=NAME, about=about)


def main() -> None:
    """Estimate, then save the problem."""
    mine = problem()
    print(mine)
    for estimator, budget in (
        (wb.Moments(), None),  # from the weights, in milliseconds
        (wb.Conditioned(), None),  # from the weights and some thousand forward passes
        (wb.Subset(), 100_000),  # a sampler that climbs to rare events, to check the others by
    ):
        print(f"{estimator.name:12}", estimator(mine, budget))
    print("saved as", mine.save(Path(__file__).parent / f"{NAME}.zip"))


if __name__ == "__main__":
    main()
