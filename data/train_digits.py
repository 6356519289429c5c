"""Train the digits network and write the catalogue problem `digits`.

    python data/train_digits.py            train, compare with what is stored, write the same bytes
    python data/train_digits.py --truth    also compute the ground truth afresh (about two minutes)

Writes `digits.safetensors` (scikit-learn's images as they came, labels, which are held out) and
`problems/digits.json` with its tensors. Needs scikit-learn, from the `test` extra; everything is
computed by one thread in float64 from one seed, and the weights are then rounded to float32.
"""

import argparse
import math
import platform
import sys
from dataclasses import asdict, replace
from pathlib import Path

import sklearn
import torch
from safetensors.torch import save
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn.functional import cross_entropy

import workbench as wb
from workbench.iteration import Progress
from workbench.models import Network, mlp

HERE = Path(__file__).resolve().parent
SEED = 0
WIDTHS = (64, 64, 64, 10)
EPOCHS, BATCH, RATE, DECAY = 60, 64, 2e-3, 0.05
HELD_OUT = 450
POINT, SIGMA = 33, 0.1
"""Which held-out image D lies around, and the standard deviation of its noise."""
SUBSET, FORWARDS, DRAWS = wb.Subset(particles=20_000), 40_000_000, 2_000_000
SAME = 1e-4
"""Networks whose weights differ by less are one network: linear algebra rounds by machine."""


def images() -> dict[str, Tensor]:
    """All 1,797 images (0 to 16), their labels, and 1 where an image is held out for testing."""
    pixels, labels = load_digits(return_X_y=True)
    test = train_test_split(
        range(len(labels)), test_size=HELD_OUT, random_state=SEED, stratify=labels
    )[1]
    held_out = torch.zeros(len(labels), dtype=torch.uint8)
    held_out[test] = 1
    return {
        "images": torch.tensor(pixels).to(torch.uint8),
        "labels": torch.tensor(labels).to(torch.uint8),
        "held_out": held_out,
    }


def split(data: dict[str, Tensor], held_out: bool) -> tuple[Tensor, Tensor]:
    """Pixels / 16 and labels of the training or of the held-out images."""
    rows = (data["held_out"] == 1) == held_out
    return data["images"][rows].double() / 16.0, data["labels"][rows].long()


def train(x: Tensor, y: Tensor) -> Network:
    """Cross-entropy by AdamW with a cosine schedule; weights exact in float32."""
    rng = wb.Rng(SEED).child("digits")
    net = mlp(WIDTHS, rng.child("init").generator())
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    order = rng.child("order").generator()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x), generator=order).split(BATCH):
            optimizer.zero_grad()
            cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
        schedule.step()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(p.float())
    return net.requires_grad_(False)


def accuracy(net: torch.nn.Module, x: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        return float((net(x).argmax(1) == y).double().mean())


def pose(net: Network, x: Tensor, y: Tensor) -> wb.Problem:
    """The problem around held-out image POINT."""
    label = int(y[POINT])
    assert int(net(x[POINT : POINT + 1]).argmax()) == label, "choose a point that is classified"
    about = (
        f"A digit classifier (64-64-64-10 ReLU, held-out accuracy {accuracy(net, x, y):.1%}) on a "
        f"held-out image of a {label} with Gaussian pixel noise of standard deviation {SIGMA}; "
        f"a catastrophe is that class {label} is no longer predicted."
    )
    noise = wb.Gaussian(x[POINT].clone(), torch.full_like(x[POINT], SIGMA))
    return wb.Problem(noise, net, wb.Argmax(label), name="digits", about=about)


def measure(problem: wb.Problem) -> wb.Truth:
    """A ground truth from two independent methods: their inverse-variance mean."""
    chains = SUBSET(problem, FORWARDS, SEED, _progress)
    assert chains.log10_err is not None
    weighted, gradient = importance(problem, DRAWS)
    answers = [(chains.log10_p, chains.log10_err), weighted]
    precision = [1.0 / se**2 for _, se in answers]
    log10_p = sum(w * v for w, (v, _) in zip(precision, answers, strict=True)) / sum(precision)
    methods = (
        f"subset simulation, {chains.info['repeats']} independent repeats",
        f"importance sampling, {DRAWS:,} draws around the rivals' design points",
    )
    provenance = {
        "command": "python data/train_digits.py --truth",
        "seed": SEED,
        "estimates": [
            {"method": how, "log10_p": value, "se_log10": se}
            for how, (value, se) in zip(methods, answers, strict=True)
        ],
        "chi2": sum(w * (v - log10_p) ** 2 for w, (v, _) in zip(precision, answers, strict=True)),
        "dof": 1,
        "subset": {**asdict(SUBSET), "budget": FORWARDS, "forwards": chains.cost.forwards},
        "gradient": "d log P / d(mean of the noise z) = E[z | event], from the importance sample",
        "versions": {
            "python": platform.python_version(),
            "scikit-learn": sklearn.__version__,
            "torch": torch.__version__.partition("+")[0],
            "workbench": wb.__version__,
        },
    }
    method = (
        "inverse-variance mean of independent estimates: subset simulation, importance sampling "
        "around the rivals' design points"
    )
    se = sum(precision) ** -0.5
    return wb.Truth(log10_p, se, method, provenance, {"noise_mean": gradient})


def importance(problem: wb.Problem, draws: int) -> tuple[tuple[float, float], Tensor]:
    """log10 P and its standard error by importance sampling, and E[z | event].

    Noise z is drawn from a mixture of unit Gaussians around the design points and weighted by the
    ratio of densities, which is unbiased whatever the points are.
    """
    points = design_points(problem)
    half_squares = 0.5 * points.square().sum(1)
    share = 0.9 * torch.softmax(-half_squares, 0) + 0.1 / len(points)
    total, squares, moment, block = 0.0, 0.0, torch.zeros_like(points[0]), 100_000
    for i in range(draws // block):
        g = wb.Rng(SEED).child("digits", "importance", i).generator()
        z = points[torch.multinomial(share, block, replacement=True, generator=g)]
        z = z + torch.randn(z.shape, generator=g, dtype=z.dtype)
        ratio = torch.exp(-torch.logsumexp(share.log() + z @ points.T - half_squares, dim=1))
        with torch.no_grad():
            weight = torch.where(problem.margin_of_noise(z) > 0, ratio, 0.0)
        total += float(weight.sum())
        squares += float(weight.square().sum())
        moment += weight @ z
    n = draws // block * block
    relative = math.sqrt(squares / total**2 - 1.0 / n)
    return (math.log10(total / n), relative / math.log(10.0)), moment / total


def design_points(problem: wb.Problem) -> Tensor:
    """For every rival class, noise near the origin that lifts its logit to the label's.

    Steps half-way to the nearest root of the linearised gap (the recursion of Hasofer and Lind).
    """
    assert isinstance(problem.spec, wb.Argmax) and isinstance(problem.distribution, wb.Gaussian)
    label, points = problem.spec.label, []
    for rival in (k for k in range(problem.outputs) if k != label):
        z = torch.zeros(problem.distribution.noise_dim, dtype=torch.float64)
        for _ in range(100):
            z.requires_grad_(True)
            y = problem.model(problem.distribution.push(z[None]))[0]
            gap = y[rival] - y[label]
            (slope,) = torch.autograd.grad(gap, z)
            z = z.detach()
            root = (slope @ z - gap.detach()) / slope.square().sum() * slope
            z = 0.5 * (z + root)
        points.append(z)
    return torch.stack(points)


def difference(a: torch.nn.Module, b: torch.nn.Module) -> float:
    """The largest difference of a weight, infinite where the shapes differ."""
    pairs = list(zip(a.parameters(), b.parameters(), strict=False))
    if [p.shape for p in a.parameters()] != [p.shape for p in b.parameters()]:
        return float("inf")
    return max(float((p - q).detach().abs().max()) for p, q in pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--truth", action="store_true", help="compute the ground truth afresh")
    parser.add_argument("--into", type=Path, default=HERE, help="folder to write to")
    options = parser.parse_args()
    torch.set_num_threads(1)

    data = images()
    net = train(*split(data, held_out=False))
    x, y = split(data, held_out=True)
    print(f"test accuracy {accuracy(net, x, y):.4f} on {len(x)} held-out images")
    problem = pose(net, x, y)

    stored = HERE / "problems" / "digits.json"
    if options.truth:
        truth = measure(problem)
    elif stored.exists():
        kept = wb.load(stored)
        gap = difference(net, kept.model)
        same_question = kept.about == problem.about
        print(f"largest difference from a stored weight: {gap:.2g}")
        if gap > SAME or not same_question or kept.truth is None:
            _say("the stored truth belongs to another network or question: run with --truth\n")
            return 1
        truth = kept.truth
    else:
        _say("there is no stored truth: run with --truth\n")
        return 1
    print(f"log10 P = {truth.log10_p:.4f} +- {truth.se_log10:.4f}")

    (options.into / "problems").mkdir(parents=True, exist_ok=True)
    (options.into / "digits.safetensors").write_bytes(save(data))
    card = replace(problem, truth=truth).save(options.into / "problems")
    print(f"wrote {card}")
    return 0


def _progress(look: Progress) -> None:
    if sys.stderr.isatty():
        _say(f"subset: {look.fraction:.0%}\r")


def _say(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
