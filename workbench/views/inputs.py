"""The picture of a problem's inputs, where there is one to draw."""

from workbench.problem import Problem
from workbench.views import pictures, token_pictures


def picture(problem: Problem, seed: int) -> str:
    """D and draws of it, as HTML: digits as images, tokens as text; else "".

    Raises:
        WorkbenchError: where M or D cannot be evaluated.
    """
    if pictures.shows_digits(problem):
        return pictures.digits(problem, seed)
    if token_pictures.shows_tokens(problem):
        return token_pictures.tokens(problem, seed)
    return ""
