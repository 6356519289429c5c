"""Sentences of the laboratory of gliders."""

from workbench.views.gliders_session import GlidersSession


def densities(session: GlidersSession) -> str:
    """How far the presumption is off by now (HTML)."""
    film = session.film
    if film is None:
        return "Not begun."
    seen, presumed = film.densities[-1], session.presumed(film.generation)[-1]
    if film.generation == 0:
        return f"Generation 0: {100 * seen:.2f}% of the cells live, each independently."
    return (
        f"Generation {film.generation:,}: {100 * seen:.2f}% of the cells live. Independent cells "
        f"foretell {100 * presumed:.2f}%, {_ratio(presumed, seen)}."
    )


def _ratio(presumed: float, seen: float) -> str:
    if seen == 0.0 or presumed == 0.0:
        return "and there are none" if presumed > 0.0 else "which is too few" if seen else "too"
    ratio = presumed / seen
    if abs(ratio - 1.0) < 0.005:
        return "within half a percent"
    return f"{max(ratio, 1 / ratio):.3g} times too {'many' if ratio > 1 else 'few'}"
