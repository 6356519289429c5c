"""Random first generations: every cell lives with the same chance, independently."""

import numpy as np
import torch

from workbench.automata.rule import Cells
from workbench.errors import BadInput
from workbench.rng import Rng, as_rng


def random_plane(rows: int, columns: int, density: float, rng: Rng | int = 0) -> Cells:
    """Booleans `(rows, columns)`. Raises `BadInput` for a density outside [0, 1]."""
    return _random((rows, columns), density, rng)


def random_line(columns: int, density: float, rng: Rng | int = 0) -> Cells:
    """Booleans `(columns,)`. Raises `BadInput` for a density outside [0, 1]."""
    return _random((columns,), density, rng)


def _random(shape: tuple[int, ...], density: float, rng: Rng | int) -> np.ndarray:
    if not 0.0 <= density <= 1.0:
        raise BadInput(f"a density lies between 0 and 1, got {density}")
    if min(shape) < 3:
        raise BadInput(f"a board has at least 3 cells a side, got {' x '.join(map(str, shape))}")
    generator = as_rng(rng).child("first generation").generator()
    return (torch.rand(shape, generator=generator) < density).numpy()
