"""Trains what judges the digits network, and poses the problems that are judged by it.

    python data/train_reporters.py            trains, poses, samples the truths: some minutes
    python data/train_reporters.py judged     family H alone; `fooled`, family F alone

Writes, beside their tensors, the cards `H_trusted` and `H_probe` (C from another network, on the
noisy seven of the problem `digits`) and `F_digits_1e-6`, `1e-8`, `1e-10` (the same seven, given
that a weak classifier is in doubt or fooled). One thread, float64, one seed; weights are rounded to
float32.
"""

import itertools
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

import workbench as wb
from workbench.estimators.ratio import parts_of
from workbench.graph import activations_of
from workbench.models import Network, mlp

HERE = Path(__file__).resolve().parent
COMMAND = "python data/train_reporters.py"
SEED, DIGIT, LAYER = 0, 7, 4
"""LAYER is the node of the network's graph that the probe reads: its second hidden activations."""
COPIES, NOISE, STEPS, RATE = 60, (0.05, 0.6), 1500, 3e-3
DRAWS, FORWARDS = 300_000, 1_000_000
MADE = {"command": COMMAND, "seed": SEED, "draws": DRAWS, "forwards": FORWARDS}
FOOLED = (("1e-6", 3.0), ("1e-8", 1.5), ("1e-10", 0.0))
"""By less than how many logits the weak classifier's seven may lead."""


def noised(held_out: bool) -> Tensor:
    """Sevens with Gaussian noise of many sizes, `(n, 64)`."""
    data = load((HERE / "digits.safetensors").read_bytes())
    rows = ((data["held_out"] == 1) == held_out) & (data["labels"] == DIGIT)
    x = (data["images"][rows].double() / 16.0).repeat(COPIES, 1)
    g = wb.Rng(SEED).child("noise", int(held_out)).generator()
    low, high = NOISE
    size = low + (high - low) * torch.rand(len(x), 1, generator=g, dtype=x.dtype)
    return x + size * torch.randn(x.shape, generator=g, dtype=x.dtype)


def fit(net: Network, seen: Tensor, target: Tensor, classes: bool = False) -> Network:
    """By full-batch Adam; weights exact in float32, frozen."""
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE, weight_decay=1e-4)
    for _ in range(STEPS):
        optimizer.zero_grad()
        out = net(seen)
        loss = (
            cross_entropy(out, target)
            if classes
            else binary_cross_entropy_with_logits(out[:, 0], target)
        )
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(p.float())
    return net.requires_grad_(False).eval()


def rates(net: Network, seen: Tensor, target: Tensor) -> dict[str, float]:
    """False alarms and misses, as a spec takes them."""
    fires = net(seen)[:, 0] > 0
    wrong = target > 0.5
    fooled, missed = fires[~wrong].double().mean(), (~fires)[wrong].double().mean()
    return {"false_alarms": float(fooled), "misses": float(missed)}


def judged(digits: wb.Problem) -> Iterator[wb.Problem]:
    """The trusted judge and the probe, both trained to tell when M no longer reads a seven."""
    with torch.no_grad():
        seen = {}
        for held_out in (False, True):
            x = noised(held_out)
            values = activations_of(digits.graph, x)
            lost = (values[-1].argmax(1) != DIGIT).double()
            seen[held_out] = (torch.cat([x, values[-1]], 1), values[LAYER], lost)
    g = wb.Rng(SEED).child("judges").generator()
    judge = fit(mlp([74, 12, 1], g), seen[False][0], seen[False][2])
    probe = fit(mlp([64, 1], g), seen[False][1], seen[False][2])
    of_judge, of_probe = (
        rates(net, seen[True][k], seen[True][2]) for k, net in enumerate((judge, probe))
    )
    n = len(seen[False][2])
    about = (
        "The noisy seven of the problem `digits`. Catastrophe: a weak network (74-12-1) that sees "
        "the image and the logits says that the seven is lost."
    )
    heard = (
        "The noisy seven of the problem `digits`. Catastrophe: a linear probe on the second hidden "
        "layer says that the seven is lost."
    )
    d, m = digits.distribution, digits.model
    trusted = wb.Trusted(judge, trained_on=n, **of_judge)
    reporter = wb.Probe(probe, layer=LAYER, trained_on=n, **of_probe)
    yield _measured(wb.Problem(d, m, trusted, "H_trusted", about))
    yield _measured(wb.Problem(d, m, reporter, "H_probe", heard))


def fooled(digits: wb.Problem) -> Iterator[wb.Problem]:
    """M under the images on which a weak classifier is deeply fooled."""
    data = load((HERE / "digits.safetensors").read_bytes())
    rows = torch.nonzero(data["held_out"] == 0).squeeze(1)[:600]
    g = wb.Rng(SEED).child("weak").generator()
    x, y = data["images"][rows].double() / 16.0, data["labels"][rows].long()
    weak = fit(mlp([64, 24, 10], g), x, y, classes=True)
    for name, by in FOOLED:
        law = wb.Conditional(digits.distribution, weak, wb.Argmax(DIGIT, "loses", -by))
        about = (
            "The noisy seven of the problem `digits`, given that a weak classifier (64-24-10, 600 "
            f"training images) lets its seven lead by less than {by} logits, about once in "
            f"{name.replace('-', '')} draws. Catastrophe: the digits network is fooled too."
        )
        yield _ratio(wb.Problem(law, digits.model, digits.spec, f"F_digits_{name}", about))


def _measured(problem: wb.Problem) -> wb.Problem:
    truth = _sampled(problem)
    return replace(problem, truth=replace(truth, provenance={**MADE, **truth.provenance}))


def _sampled(problem: wb.Problem) -> wb.Truth:
    """The inverse-variance mean of two samplers that share nothing, widened where they differ."""
    found = [
        (e, e(problem, n, SEED)) for e, n in ((wb.Importance(), DRAWS), (wb.Subset(), FORWARDS))
    ]
    told = [(e.log10_p, e.log10_err) for _, e in found if e.log10_err is not None]
    assert len(told) == 2, "both samplers must have seen the event"
    weight = [1.0 / err**2 for _, err in told]
    mean = sum(w * p for w, (p, _) in zip(weight, told, strict=True)) / sum(weight)
    chi2 = sum(w * (p - mean) ** 2 for w, (p, _) in zip(weight, told, strict=True))
    assert chi2 < 16.0, f"the samplers differ: {told}"
    estimates = [
        {"method": e.name, "log10_p": p, "se_log10": err, "forwards": a.cost.forwards}
        for (e, a), (p, err) in zip(found, told, strict=True)
    ]
    return wb.Truth(
        mean, (max(1.0, chi2) / sum(weight)) ** 0.5,
        "inverse-variance mean of importance sampling and subset simulation",
        {"chi2": chi2, "estimates": estimates},
    )  # fmt: skip


def _ratio(problem: wb.Problem) -> wb.Problem:
    """With its truth: two probabilities on the base."""
    above, below = (_sampled(part) for part in parts_of(problem))
    told = [
        {"event": what, "log10_p": t.log10_p, "se_log10": t.se_log10, **t.provenance}
        for what, t in (("r > 0 and s > 0", above), ("r > 0", below))
    ]
    truth = wb.Truth(
        above.log10_p - below.log10_p, math.hypot(above.se_log10, below.se_log10),
        "the ratio of two probabilities on the base, each by importance sampling and subset "
        "simulation", {**MADE, "estimates": told},
    )  # fmt: skip
    return replace(problem, truth=truth)


def main() -> None:
    torch.set_num_threads(1)
    digits = wb.load(HERE / "problems" / "digits.json")
    assert isinstance(digits.model, nn.Module)
    kinds = {"judged": judged, "fooled": fooled}
    for problem in itertools.chain(*(kinds[name](digits) for name in sys.argv[1:] or kinds)):
        truth = problem.truth
        assert truth is not None
        print(problem, truth.se_log10, problem.save(HERE / "problems").name, flush=True)
        print("  ", problem.about, flush=True)


if __name__ == "__main__":
    main()
