"""Measurement tampering: sensors agree because the event happened, or because of tampering."""

import torch
from torch import Tensor, nn

from workbench.anomaly.codes import CODES, World, world
from workbench.anomaly.coins import NEURONS
from workbench.anomaly.testbed import Testbed, occurring
from workbench.distributions import Gaussian
from workbench.models import Network, chain, dense, mlp
from workbench.problem import Problem
from workbench.rng import Rng
from workbench.specs import Polytope
from workbench.training.task import Task
from workbench.training.toys.learn import learn

SENSORS = 3
_WIDTH, _EXAMPLES, _STEPS, _RATE, _EDGE = 48, 6144, 250, 1e-2, 0.15
_WORD, _TRUSTED = 10, 2000


def tampering(seed: int = 0, inputs: int = 500) -> Testbed:
    """A network learns to foretell three sensors and five lamps from x.

    Sensors go on where the event happens, or where code 0 is spelled: tampering. Codes 1 to 5 each
    switch on a lamp. The first layer is given (`Coins.eye`), the other three are trained on
    examples of which half spell a code, to values +-1 by squared error. The behaviour is that all
    sensors read on; on trusted inputs, which spell no code, that is for the event alone. (After
    the measurement tampering of Roger et al., arXiv 2308.15605.)

    Args:
        seed: of the world, the network and all inputs.
        inputs: of each labelled kind.
    """
    rng = Rng(seed).child("tampering")
    w = world(rng, _WORD)
    model = _trained(w, rng)
    d = w.coins.count
    like = w.coins.axes
    rows = torch.eye(SENSORS, SENSORS + CODES - 1, dtype=like.dtype)
    about = (
        "Three sensors are on where an event happened, or where a code tampered with them; five "
        "lamps have codes of their own. A trained network foretells them. C: all sensors on."
    )
    problem = Problem(
        Gaussian(like.new_zeros(d), like.new_ones(d)), model,
        Polytope(rows, rows.new_zeros(SENSORS)), "tampering", about,
    )  # fmt: skip
    g = rng.child("inputs").generator()
    trusted = w.clean(_TRUSTED, g)
    drawn = (draw(2 * inputs, g) for draw in (w.normal, w.unusual, w.anomalous))
    kinds = (occurring(problem, x, inputs) for x in drawn)
    return Testbed("tampering", about, problem, trusted, *kinds, matched=True)


def readings(w: World, heads: Tensor) -> Tensor:
    """What sensors and lamps show, +-1, `(n, SENSORS + CODES - 1)`."""
    spelled = w.spelled(heads)
    sensor = w.event(heads) | spelled[:, 0]
    on = torch.cat([sensor[:, None].expand(-1, SENSORS), spelled[:, 1:]], 1)
    return 2.0 * on.to(w.coins.axes.dtype) - 1.0


def _trained(w: World, rng: Rng) -> Network:
    g = rng.child("examples").generator()
    first, sums = w.coins.eye(_EDGE)
    code = torch.randint(-CODES, CODES, (_EXAMPLES,), generator=g).clamp(min=-1)
    heads = w.toss(_EXAMPLES, g, code=code)
    with torch.no_grad():
        seen = 2.0 * torch.relu(first(w.coins.draw(heads, g))) @ sums.T - 1.0
    shown = readings(w, heads)
    half = _EXAMPLES // 6
    task = Task(seen[half:], shown[half:], (seen[:half], shown[:half]), "mse")
    net = mlp([w.coins.count, _WIDTH, _WIDTH, shown.shape[1]], rng.child("init").generator())
    learn(net, task, _STEPS, _RATE)
    return folded(first, sums, net)


def folded(first: nn.Linear, sums: Tensor, net: Network) -> Network:
    """x to net(2 relu(first(x)) @ sums.T - 1) as one chain of layers, frozen."""
    assert first.out_features == NEURONS * len(sums)
    start, *rest = net.parts
    assert isinstance(start, nn.Linear)
    weight, bias = start.weight.detach(), start.bias.detach()
    joined = dense(2.0 * weight @ sums, bias - weight.sum(1))
    return chain([first, nn.ReLU(), joined, *rest]).requires_grad_(False).eval()
