"""The workbench: how likely is a catastrophe C(x, M(x)) for x ~ D, from the weights of M.

>>> import workbench as wb
>>> problem = wb.load("A_d10_1e-12")
>>> round(wb.Moments()(problem).log10_p, 6)
-12.0
"""

# The public names and where they live stand in __init__.pyi, which type checkers read too: each is
# imported when first asked for, so that `workbench --help` does not wait for torch.
import difflib
from typing import Any

import lazy_loader

__version__ = "0.1.0"

_listed, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    """A public name, or the class of an estimator that stands in `estimators.ALL` alone."""
    try:
        return _listed(name)
    except AttributeError:
        if name[:1].isupper():
            from workbench.estimators import ALL

            for cls in ALL:
                if cls.__name__ == name:
                    return cls
            known = {*__all__, *(cls.__name__ for cls in ALL)}
            near = difflib.get_close_matches(name, known, n=3)
            if near:
                raise AttributeError(
                    f"workbench has no {name!r}: did you mean {', '.join(near)}?"
                ) from None
        raise
