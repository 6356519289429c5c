"""Which terms of a Gram-Charlier expansion make the joint cumulants of functions of neurons.

For neurons X of means, variances and cumulants kappa_v and Gaussians Z of the same means and
variances, the joint cumulant of g_1(X_1)^p_1, .., g_d(X_d)^p_d is a sum of diagrams, sets of blocks
v (vectors of d orders) that connect the d neurons:

    prod_v kappa_v / v!  x  prod_i E[d^k_i g_i(Z_i)^p_i],     k = sum of the blocks.

A block costs |v| - 1, less 1 if all its orders are even: in a random network of width n it is of
order n^(-cost / 2) (arXiv 2605.05179, eq. 14). Kept are the diagrams up to a total cost.
"""

import math
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import permutations, product

Vector = tuple[int, ...]


@dataclass(frozen=True)
class Diagram:
    """Blocks, their derivatives k, and the number they are multiplied by."""

    blocks: tuple[Vector, ...]
    orders: Vector
    factor: float


def cost(block: Vector) -> int:
    """Twice the power of 1 / width that a block is of."""
    return sum(block) - 1 - all(k % 2 == 0 for k in block)


def symmetries(powers: Vector) -> list[Vector]:
    """The orders of the neurons that leave their powers alone."""
    axes = range(len(powers))
    return [s for s in permutations(axes) if all(powers[i] == powers[j] for i, j in enumerate(s))]


@cache
def diagrams(powers: Vector, budget: int, degree: int) -> tuple[Diagram, ...]:
    """One diagram of every class under `symmetries`, its factor times the size of the class.

    Averaged over `symmetries`, they sum to the joint cumulant.

    Args:
        powers: p_i >= 1 of every neuron.
        budget: the greatest total cost.
        degree: the order of the highest cumulants that are known.
    """
    d = len(powers)
    every = [v for v in product(range(degree + 1), repeat=d) if 2 <= sum(v) <= degree]
    # Means and variances are those of the Gaussians.
    blocks = [v for v in every if max(v) < sum(v) or sum(v) > 2]
    found = [c for c in _within(blocks, budget) if _connects(c, d)]
    classes = Counter(min(_renamed(c, s) for s in symmetries(powers)) for c in found)
    return tuple(_diagram(blocks, d, size) for blocks, size in sorted(classes.items()))


def _within(blocks: list[Vector], budget: int) -> list[tuple[Vector, ...]]:
    """All multisets of blocks, in the order of `blocks`, that cost at most `budget`."""
    found: list[tuple[Vector, ...]] = [()]
    for i, block in enumerate(blocks):
        left = budget - cost(block)
        if left >= 0:
            found += [(block, *rest) for rest in _within(blocks[i:], left)]
    return found


def _connects(blocks: tuple[Vector, ...], d: int) -> bool:
    reached, grown = {0}, True
    while grown:
        grown = False
        for block in blocks:
            touched = {i for i, k in enumerate(block) if k}
            if touched & reached and not touched <= reached:
                reached, grown = reached | touched, True
    return len(reached) == d


def _renamed(blocks: tuple[Vector, ...], order: Vector) -> tuple[Vector, ...]:
    return tuple(sorted(tuple(b[i] for i in order) for b in blocks))


def _diagram(blocks: tuple[Vector, ...], d: int, size: int) -> Diagram:
    ways = math.prod(math.factorial(m) for m in Counter(blocks).values())
    ways *= math.prod(math.factorial(k) for b in blocks for k in b)
    orders = tuple(sum(b[i] for b in blocks) for i in range(d))
    return Diagram(blocks, orders, size / ways)
