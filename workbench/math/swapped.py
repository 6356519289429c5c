"""A module called with other weights than its own."""

import threading
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

_ONE = threading.RLock()


def called_with(module: nn.Module, tensors: Mapping[str, Tensor], inputs: tuple[Any, ...]) -> Any:
    """The module's value at other weights; its gradient is theirs.

    `torch.func.functional_call` puts the weights into the module itself for as long as the call
    takes. One thread at a time does so: a screen that draws from D0 while a search steps D would
    else draw from either.

    Args:
        module: shared by whoever has other weights for it.
        tensors: by name; what is not named is the module's own.
        inputs: of its forward pass.
    """
    with _ONE:
        return functional_call(module, dict(tensors), inputs)


def own_weights(module: nn.Module) -> dict[str, Tensor]:
    """The module's own weights by name, never those of a call under way in another thread."""
    with _ONE:
        return dict(module.named_parameters())
