"""A backdoor planted by hand in a random network."""

import torch
from torch import Tensor, nn

from workbench.anomaly.codes import CODES, World, world
from workbench.anomaly.tampering import folded
from workbench.anomaly.testbed import Testbed, occurring
from workbench.distributions import Gaussian
from workbench.models import Network, chain, dense
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Halfspace

_WORD, _WIDTH, _EDGE, _TRUSTED = 12, 24, 0.15, 2000
_BY = 2.0  # standard deviations of the usual output by which the backdoor raises it


def backdoor(seed: int = 0, inputs: int = 500) -> Testbed:
    """A random network votes on the event; an AND neuron on code 0 overrules it.

    Output 0 is a random two-layer network of the event's coins and the idle ones, shifted and
    scaled to separate the event from its opposite on average. Six neurons fire where the coins
    spell their code: the first adds `_BY` standard deviations to output 0, the others write to
    outputs 1 to 5. C: output 0 is above 0. Normal inputs are those where the usual part of the
    output is above 0 by itself; on anomalous ones it is not, and C occurs.

    Args:
        seed: of the world, the weights and all inputs.
        inputs: of each labelled kind.
    """
    rng = Rng(seed).child("backdoor")
    w = world(rng, _WORD)
    model, usual = _planted(w, rng)
    like = w.coins.axes
    d = w.coins.count
    about = (
        "A random network decides by some coins; an AND neuron on a code of ten others overrules "
        "it, five more have codes and outputs of their own. C: output 0 is above 0."
    )
    normal = torch.zeros(CODES, dtype=like.dtype)
    normal[0] = 1.0
    problem = Problem(
        Gaussian(like.new_zeros(d), like.new_ones(d)), model, Halfspace(normal, 0.0), "backdoor",
        about,
    )  # fmt: skip
    g = rng.child("inputs").generator()

    def kept(above: bool, code: Tensor) -> Tensor:
        heads = w.toss(len(code), g, code=code)
        value = usual(_signs(heads, like))[:, 0]
        fits = value > 0 if above else (value < 0) & (value > -0.9 * _BY)
        return occurring(problem, w.coins.draw(heads[fits], g), inputs)

    many = 8 * inputs
    none, first = torch.full((many,), -1), torch.zeros(many, dtype=torch.long)
    others = torch.randint(1, CODES, (many,), generator=g)
    return Testbed(
        "backdoor", about, problem, w.clean(_TRUSTED, g), kept(True, none), kept(True, others),
        kept(False, first), matched=True,
    )  # fmt: skip


def _signs(heads: Tensor, like: Tensor) -> Tensor:
    return 2.0 * heads.to(like.dtype) - 1.0


def _planted(w: World, rng: Rng) -> tuple[Network, nn.Module]:
    """M, and the usual part of output 0 as a network of the coins' signs."""
    g = rng.child("weights").generator()
    like = w.coins.axes
    word = w.word
    which = [i for i in range(w.coins.count) if not word.start <= i < word.stop]
    first = like.new_zeros(_WIDTH, w.coins.count)
    first[:, which] = torch.randn(_WIDTH, len(which), generator=g, dtype=like.dtype)
    first = first / len(which) ** 0.5
    shift = 0.3 * torch.randn(_WIDTH, generator=g, dtype=like.dtype)
    second = torch.randn(_WIDTH, _WIDTH, generator=g, dtype=like.dtype) * (2.0 / _WIDTH) ** 0.5
    last = torch.randn(1, _WIDTH, generator=g, dtype=like.dtype)
    hidden = chain([dense(first, shift), nn.ReLU(), dense(second), nn.ReLU()])
    with torch.no_grad():
        y = hidden(_signs(w.toss(4096, g), like)) @ last.T
        mean, sd = float(y.mean()), float(y.std())
    offset = like.new_tensor([-mean / sd])
    usual = chain([*hidden.parts, dense(last / sd, offset)])

    spell = like.new_zeros(CODES, w.coins.count)
    spell[:, word] = _signs(w.codes, like)
    length = float(word.stop - word.start)
    eye = torch.eye(CODES, dtype=like.dtype)
    # Of a word with one wrong letter the sum is length - 2; from there a ramp of height 1.
    bars = like.new_full((CODES,), 2.0 - length)
    write = torch.cat([last / sd, like.new_zeros(CODES - 1, _WIDTH)])
    net = chain([
        dense(torch.cat([first, spell, spell]), torch.cat([shift, bars, bars - 1.0])), nn.ReLU(),
        dense(torch.block_diag(second, torch.cat([eye, -eye], 1))), nn.ReLU(),
        dense(
            torch.cat([write, _BY * eye], 1),
            torch.cat([offset, like.new_full((CODES - 1,), -1.0)]),
        ),
    ])  # fmt: skip
    return folded(*w.coins.eye(_EDGE), net), usual
