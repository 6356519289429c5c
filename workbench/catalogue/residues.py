"""Problems of text that can be recognised and not drawn: it spells a number of a given residue."""

import json
from functools import lru_cache
from typing import Any

import torch

from workbench.catalogue.folder import data_folder
from workbench.catalogue.short_texts import planted, short_text, short_text_symbols
from workbench.distributions import Conditional
from workbench.errors import BadInput
from workbench.models import Residue, ending, watching
from workbench.problem import Problem, Truth


@lru_cache(maxsize=1)
def _index() -> dict[str, Any]:
    return json.loads((data_folder() / "tokens" / "residues.json").read_text())


def residue_names() -> list[str]:
    """Names of the problems of family R."""
    return sorted(_index()["problems"])


def residue_problem(name: str) -> Problem:
    """A problem of family R: D `short_text` given a residue, M an automaton that looks for a word.

    A text of T symbols spells a number in base V; D holds the texts whose number is r modulo q.
    10007 is prime; 10008 = 8 * 9 * 139 shares the factor 9 with V = 27, so that the last symbol
    alone is r modulo 9.

    Raises:
        BadInput: where no problem of the family has this name.

    >>> residue_problem("R_zap_10007_1e-7").distribution.name
    'conditioned'
    """
    told = _index()["problems"].get(name)
    if told is None:
        raise BadInput(f"no problem of residues is called {name!r}")
    base, symbols = short_text(), short_text_symbols()
    word = [symbols.index(c) for c in told["word"]]
    if told["where"] == "anywhere":
        model = watching([word], base.alphabet, torch.float64, symbols)
    else:
        model = ending(word, base.alphabet, torch.float64, symbols)
    q, r = told["modulus"], told["residue"]
    d = Conditional(base, Residue(q, r, base.alphabet), planted(1))
    about = (
        f"{base.length} symbols of a language model, given that the number they spell is {r} "
        f"modulo {q}, hold {told['word']!r} {told['where']}."
    )
    method = "exact: a sum over symbols read and all residues"
    truth = Truth(told["log10_p"], 0.0, method, _index()["made"])
    return Problem(d, model, planted(1), name, about, truth)
