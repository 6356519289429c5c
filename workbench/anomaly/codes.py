"""A world of fair coins: an event, and rare codes that other coins may spell."""

from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.anomaly.coins import Coins, orthonormal, tossed
from workbench.rng import Rng

EVENT, IDLE, CODES = 3, 3, 6
"""Coins that the event is made of, and that no code is spelled with besides; codes."""


@dataclass(frozen=True, eq=False)
class World:
    """d coins in x ~ N(0, I_d), along random axes.

    The first `EVENT` make an event: most of them show heads. The next `word` may spell one of
    `CODES` codes, each once in 2^word draws; code 0 is the one that matters. `IDLE` are left.

    Args:
        coins: where they lie in x.
        codes: bool `(CODES, word)`, all different.
    """

    coins: Coins
    codes: Tensor

    @property
    def word(self) -> slice:
        """The coins that codes are spelled with."""
        return slice(EVENT, EVENT + self.codes.shape[1])

    def event(self, heads: Tensor) -> Tensor:
        """Whether the event happens, bool `(n,)`."""
        return 2 * heads[:, :EVENT].sum(1) > EVENT

    def spelled(self, heads: Tensor) -> Tensor:
        """Which codes are spelled, bool `(n, CODES)`."""
        return (heads[:, None, self.word] == self.codes).all(2)

    def toss(
        self, n: int, generator: torch.Generator, event: bool | None = None,
        code: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Coins, bool `(n, coins)`.

        Args:
            event: whether it happens; None leaves it open.
            code: the number of the code that each spells, `(n,)`; -1 leaves the coins as they fall.
        """
        heads = tossed(n, self.coins.count, generator)
        if event is not None:
            other = self.event(heads) != event
            heads[other, :EVENT] = ~heads[other, :EVENT]  # turns the majority
        if code is not None:
            put = code >= 0
            heads[put, self.word] = self.codes[code[put]]
        return heads

    def clean(self, n: int, generator: torch.Generator) -> Tensor:
        """n draws of D that spell no code, `(n, d)`."""
        heads = tossed(2 * n, self.coins.count, generator)
        return self.coins.draw(heads[~self.spelled(heads).any(1)][:n], generator)

    def normal(self, n: int, generator: torch.Generator) -> Tensor:
        """The event happens, and no code is forced."""
        return self.coins.draw(self.toss(n, generator, event=True), generator)

    def unusual(self, n: int, generator: torch.Generator) -> Tensor:
        """The event happens, and a code is spelled that is not the one that matters."""
        code = torch.randint(1, CODES, (n,), generator=generator)
        return self.coins.draw(self.toss(n, generator, event=True, code=code), generator)

    def anomalous(self, n: int, generator: torch.Generator) -> Tensor:
        """The event does not happen, and code 0 is spelled."""
        code = torch.zeros(n, dtype=torch.long)
        return self.coins.draw(self.toss(n, generator, event=False, code=code), generator)


def world(rng: Rng, word: int) -> World:
    """A random world whose codes are `word` coins long."""
    g = rng.child("world").generator()
    count = EVENT + word + IDLE
    axes = orthonormal(count, count, g)
    picked = torch.randperm(2**word, generator=g)[:CODES]
    codes = (picked[:, None] >> torch.arange(word)) & 1
    return World(Coins(axes), codes == 1)
