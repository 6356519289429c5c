"""The words of the field, each explained under the pointer."""

from html import escape

from workbench.glossary import TERMS


def line() -> str:
    """All of them in one line of HTML."""
    said = " · ".join(
        f"<span class='wb-term' tabindex='0' title='{escape(about)}'>{escape(term)}</span>"
        for term, about in TERMS.items()
    )
    return (
        "<style>.wb-term { text-decoration: underline dotted; cursor: help; }</style>"
        f"<span class='small'>Glossary: {said}</span>"
    )
