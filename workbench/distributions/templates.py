"""Templates: independent tokens whose text has a given form at every position."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from workbench.distributions.tokens import Tokens
from workbench.errors import BadInput
from workbench.vocabulary import Vocabulary

FORMS: dict[str, str] = {
    "letter": r"[a-z]",
    "word": r" ?[a-z]{2,}",
    "capitals": r"[A-Z]+",
    "name": r" ?[A-Z][a-z']*",
    "hex": r"[a-f]{1,2}",
    "indentation": r"[ \n]+",
    "mark": r"[.,;:!?'\-]+",
    "any": r"[\s\S]+",
}
"""Regular expressions of the forms that `template` knows by name."""


def template(
    vocabulary: Vocabulary,
    forms: Sequence[str],
    most: int | None = None,
    power: float = 1.0,
) -> Tokens:
    """P(x_i = v) proportional to count(v)^power over the `most` commonest tokens of form i.

    Args:
        vocabulary: of the model; with counts, else every count is 1.
        forms: for every position a name of `FORMS`, a regular expression that the whole text of
            the token matches, or "=" and the text of the one token that always stands there.
        most: tokens a position, all by default.
        power: 0 for equal shares, 1 for those of the text; larger is more skewed.

    Raises:
        BadInput: where no token has a form.

    >>> v = Vocabulary("ab .", (), (60, 30, 100, 10))
    >>> [[round(p, 3) for p in row] for row in template(v, ["letter", "= "]).probs.tolist()]
    [[0.667, 0.333, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    """
    counts = torch.tensor(vocabulary.counts or (1,) * len(vocabulary), dtype=torch.float64)
    return Tokens(torch.stack([_row(vocabulary, counts, form, most, power) for form in forms]))


def _row(
    vocabulary: Vocabulary, counts: Tensor, form: str, most: int | None, power: float
) -> Tensor:
    pattern = re.escape(form[1:]) if form.startswith("=") else FORMS.get(form, form)
    try:
        fits = [re.fullmatch(pattern, text) is not None for text in vocabulary.tokens]
    except re.error as error:
        raise BadInput(f"the form {form!r} is no regular expression ({error})") from None
    weight = torch.where(torch.tensor(fits) & (counts > 0), counts.clamp(min=1) ** power, 0.0)
    if most is not None:
        rank = torch.argsort(torch.where(weight > 0, counts, 0.0), descending=True, stable=True)
        weight[rank[most:]] = 0.0
    if not bool(weight.any()):
        raise BadInput(f"no token of the vocabulary has the form {form!r}")
    return weight / weight.sum()
