"""The presumption of independence for densities: every cell lives with the same chance, apart."""

from math import comb

from workbench.automata.rule import Elementary, Rule


def mean_field(rule: Rule, p: float) -> float:
    """The next density if cells were independent.

        life-like:   p' = Σ_n C(8, n) p^n (1 - p)^(8 - n) [(1 - p) 1(n born) + p 1(n survives)]
        elementary:  p' = Σ_{l, c, r} 1(lcr lives next) p^{l + c + r} (1 - p)^{3 - l - c - r}

    Exact for one generation from a random board; from then on neighbours are dependent.

    Source: Schulman & Seiden, J. Stat. Phys. 19 (1978) 293; Wolfram, Rev. Mod. Phys. 55 (1983) 601.

    Args:
        p: the density, in [0, 1].

    >>> from workbench.automata import parse
    >>> p = 0.3
    >>> round(mean_field(parse("B3/S23"), p) - p**3 * (1 - p)**5 * (84 * (1 - p) + 56 * p), 12)
    0.0
    """
    q = 1.0 - p
    if isinstance(rule, Elementary):
        ones = [k.bit_count() for k in range(8)]
        chances = (p**n * q ** (3 - n) for n, live in zip(ones, rule.table, strict=True) if live)
        return float(sum(chances))
    born, survives = rule.table
    chances = (comb(8, n) * p**n * q ** (8 - n) * (q * born[n] + p * survives[n]) for n in range(9))
    return float(sum(chances))
