"""Named child generators from one seed.

Streams are counter-based: a stream is its seed and its path of names, so saving one is saving
those, and block 17 of a sampler draws the same numbers whether or not blocks 0 to 16 ran in this
process. That is what makes a resumed run equal the straight one bit for bit.
"""

import hashlib
from dataclasses import dataclass
from numbers import Integral

import torch

from workbench.errors import BadInput


@dataclass(frozen=True)
class Rng:
    """A node in the tree of random streams.

    >>> Rng(0).child("moves", 3) == Rng(0).child("moves").child(3)
    True
    >>> import torch
    >>> a, b = Rng(0).child("x").generator(), Rng(0).child("x").generator()
    >>> bool(torch.equal(torch.rand(3, generator=a), torch.rand(3, generator=b)))
    True
    """

    seed: int
    path: tuple[str, ...] = ()

    def child(self, *names: str | int) -> "Rng":
        """The stream below this one under `names`."""
        return Rng(self.seed, self.path + tuple(str(n) for n in names))

    def generator(self, device: str | torch.device | None = None) -> torch.Generator:
        """A fresh generator at the start of this stream; equal streams give equal numbers.

        Args:
            device: where the numbers are made, the default device if None. Streams of two devices
                differ.
        """
        device = torch.get_default_device() if device is None else device
        digest = hashlib.sha256("/".join((str(self.seed), *self.path)).encode()).digest()
        return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little"))

    def save(self) -> str:
        """One line of text that `load` turns back into this stream."""
        return "/".join((str(self.seed), *self.path))

    @staticmethod
    def load(text: str) -> "Rng":
        """Inverse of `save`. Raises `BadInput` where the text is no saved stream."""
        seed, *path = text.split("/")
        try:
            return Rng(int(seed), tuple(path))
        except ValueError:
            raise BadInput(
                f"a saved random stream reads 'seed/name/...', got {text[:40]!r}"
            ) from None


def as_rng(rng: "Rng | int") -> Rng:
    """An `Rng` from itself or from an integer seed. Raises `BadInput` for anything else."""
    if isinstance(rng, Rng):
        return rng
    if isinstance(rng, bool) or not isinstance(rng, int | Integral):
        raise BadInput(f"a seed is a whole number, got {rng!r}")
    return Rng(int(rng))
