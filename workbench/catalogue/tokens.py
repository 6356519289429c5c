"""Problems of rare tokens: which inputs make a small language model say t next, counted exactly."""

import json
from functools import lru_cache
from itertools import groupby
from typing import Any

from workbench.catalogue.folder import data_folder
from workbench.catalogue.language_models import language_model
from workbench.distributions import Tokens, template
from workbench.errors import BadInput
from workbench.problem import Problem, Truth
from workbench.specs import Argmax


@lru_cache(maxsize=1)
def _index() -> dict[str, Any]:
    return json.loads((data_folder() / "tokens" / "truths.json").read_text())


def token_names() -> list[str]:
    """Names of the problems of family T, `T_<law>_1e-<digits>`."""
    return sorted(_index()["targets"])


def token_laws() -> list[str]:
    """Names of the distributions of family T."""
    return sorted(_index()["laws"])


def token_law(name: str) -> tuple[str, Tokens]:
    """The name of the language model and the distribution of family T of that name.

    Raises:
        BadInput: where there is none.
    """
    laws = _index()["laws"]
    if name not in laws:
        raise BadInput(f"no token law is called {name!r}: use one of {', '.join(sorted(laws))}")
    told = laws[name]
    vocabulary = language_model(told["model"]).vocabulary
    assert vocabulary is not None
    return told["model"], template(vocabulary, told["forms"], told["most"], told["power"])


def token_problem(name: str) -> Problem:
    """A problem of family T: D of independent tokens, M a language model, C = {M says t next}.

    The margin is logit_t - max of the others. x is int64 `(n, T)`, token ids of M's vocabulary.

    >>> problem = token_problem("T_bpe_word_1e-6")
    >>> problem.distribution.name, problem.spec.event, problem.truth.se_log10
    ('tokens', 'wins', 0.0)
    """
    index = _index()
    if name not in index["targets"]:
        raise BadInput(f"no token problem is called {name!r}")
    told = index["targets"][name]
    model_name, law = token_law(told["law"])
    model = language_model(model_name)
    assert model.vocabulary is not None
    text = model.vocabulary.tokens[told["token"]]
    forms = [f.replace("\n", "⏎") for f in index["laws"][told["law"]]["forms"]]
    alike = [(form, len(list(same))) for form, same in groupby(forms)]
    told_forms = ", ".join(form if n == 1 else f"{n} × {form}" for form, n in alike)
    of = f"form {forms[0]}" if len(alike) == 1 else f"forms {told_forms}"
    about = (
        f"{len(forms)} independent tokens of the {of}; the language model {model_name} says "
        f"{text!r} next."
    )
    method = f"exact: {told['leaves']:,} of {law.outcomes:,} sequences, each of them evaluated"
    truth = Truth(told["log10_p"], 0.0, method, index["provenance"])
    return Problem(law, model, Argmax(told["token"], "wins"), name, about, truth)
