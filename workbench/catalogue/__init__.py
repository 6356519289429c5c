"""Named problems, read from the data that ships with the package."""

import difflib
import os
from pathlib import Path

from workbench.catalogue.algzoo import algzoo_names, algzoo_problem
from workbench.catalogue.cycles import cycle_names, cycle_problem
from workbench.catalogue.folder import data_folder
from workbench.catalogue.language_models import language_model, language_models
from workbench.catalogue.residues import residue_names, residue_problem
from workbench.catalogue.router import ROUTER, SMALL, router_problem, small_router_problem
from workbench.catalogue.short_texts import (
    planted,
    short_text,
    short_text_names,
    short_text_problem,
    short_text_symbols,
)
from workbench.catalogue.tokens import token_law, token_laws, token_names, token_problem
from workbench.errors import BadInput
from workbench.problem import Problem
from workbench.problem.codec import SUFFIXES

__all__ = [
    "algzoo_names", "algzoo_problem", "cycle_names", "cycle_problem",
    "data_folder", "every", "language_model",
    "language_models", "load", "names", "planted",
    "prompted_names", "residue_names", "residue_problem", "short_text",
    "short_text_names", "short_text_problem", "short_text_symbols", "token_law", "token_laws",
    "tiny_names", "tiny_size", "token_names", "token_problem",
]  # fmt: skip


def names() -> list[str]:
    """Names of all problems of numbers; those of tokens are `token_names`."""
    return sorted(p.stem for p in (data_folder() / "problems").glob("*.json"))


def every() -> list[str]:
    """Names of all problems of which the data ship with the package."""
    return [
        *names(), *token_names(), *short_text_names(), *prompted_names(), *residue_names(),
        *tiny_names(),
    ]  # fmt: skip


def prompted_names() -> list[str]:
    """Names of the problems whose D is a language model with a prompt and ships with the package;
    `router`, which writes by SmolLM2, needs `make lm`."""
    return [SMALL]


def tiny_names() -> list[str]:
    """Names of the problems of family algzoo: tiny networks with small tasks."""
    return algzoo_names() + cycle_names()


def tiny_size(name: str) -> int:
    """Number of weights of the network of a problem of family algzoo."""
    return sum(p.numel() for p in load(name).model.parameters())


def load(name_or_path: str | Path) -> Problem:
    """A problem by its catalogue name, or by the path of its card.

    Raises:
        BadInput: where there is neither.

    >>> load("A_d10_1e-6").truth.method
    'exact: Phi of the reliability index'
    """
    if not isinstance(name_or_path, str | Path):
        raise BadInput(f"a problem is loaded by its name or its card's path, got {name_or_path!r}")
    if isinstance(name_or_path, str) and name_or_path in names():
        return Problem.load(data_folder() / "problems" / f"{name_or_path}.json")
    if name_or_path in token_names():
        return token_problem(str(name_or_path))
    if name_or_path in algzoo_names():
        return algzoo_problem(str(name_or_path))
    if name_or_path in cycle_names():
        return cycle_problem(str(name_or_path))
    if name_or_path in short_text_names():
        return short_text_problem(str(name_or_path))
    if name_or_path in residue_names():
        return residue_problem(str(name_or_path))
    if name_or_path == ROUTER:
        return router_problem()
    if name_or_path == SMALL:
        return small_router_problem()
    given = str(name_or_path)
    if given and os.path.exists(given):  # false too where no file can be called so
        return Problem.load(given)
    raise _unknown(given)


def _unknown(asked: str) -> BadInput:
    """The error for what is neither a problem's name nor a card's path, with what may be meant."""
    path = Path(asked)
    if path.suffix in (*SUFFIXES, ".zip", ".safetensors") or "/" in asked:
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        near = [str(path.parent / n) for n in difflib.get_close_matches(path.name, beside, n=3)]
        hint = "`problem.save('mine.zip')` and `workbench new` write one"
        hint = f"did you mean {', '.join(near)}" if near else hint
        return BadInput(f"there is no card {asked!r}: {hint}")
    known = {name.lower(): name for name in every()}
    alike = difflib.get_close_matches(asked.lower(), known, n=3, cutoff=0.7)
    holding = [name for name in known if asked and asked.lower() in name]
    near = [known[name] for name in dict.fromkeys([*alike, *holding])]
    hint = f"did you mean {', '.join(near[:4])}" if near else "`workbench list problems` names them"
    return BadInput(f"no problem and no card is called {asked[:200]!r}: {hint}")
