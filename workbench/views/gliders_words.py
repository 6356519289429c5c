"""Sentences of the laboratory of gliders."""

from workbench.html import signed
from workbench.views.gliders_plots import NAMES
from workbench.views.gliders_session import FOUND, GlidersSession


def densities(session: GlidersSession) -> str:
    """How far every presumption is off by now (HTML)."""
    film = session.film
    if film is None:
        return "Not started yet."
    now, seen = film.generation, film.densities[-1]
    parts = [f"Generation {now:,}: {100 * seen:.2f}% of the cells are alive."]
    told = [
        f"{NAMES.get(name, name)} {_share(values[now])}"
        for name, values in session.curves.items()
        if 0 < now < len(values)
    ]
    if told:
        parts.append(f"Predicted from the first generation alone: {', '.join(told)}.")
    forecast = session.found(FOUND).get("forecast")
    if forecast is not None and now >= forecast.now:
        parts.append(
            f"Given the structures found at generation {forecast.now}: "
            f"{100 * forecast.density(now):.2f}% now, and {100 * forecast.limit:.2f}% in the end."
        )
    return " ".join(parts)


def _share(density: float) -> str:
    return "0%" if density < 5e-5 else f"{100 * density:.3g}%"


def found(session: GlidersSession) -> str:
    """What there is on the board (HTML)."""
    look = session.look
    if look is None:
        return ""
    generation = session.found(FOUND).get("generation", 0)
    if look.ground is not None:
        ground = look.ground
        return (
            f"Generation {generation:,}: {100 * look.share:.0f}% of the line is one background, "
            f"<code>{ground}</code>, period {len(ground.word)} in space and {ground.period} in "
            f"time, {100 * ground.density:.2f}% alive "
            f"(10<sup>{signed(ground.log10_ratio, 1)}</sup> times as frequent as with independent "
            "cells). What breaks it moves:"
        )
    if look.settled is None or not look.structures:
        return ""
    settled = look.settled
    lasting = sum(one.count for one in look.structures if one.fate.persists)
    ash = (
        f"; {100 * settled.ash:.2f} ± {100 * settled.ash_err:.2f}% of it is alive, against "
        f"{100 * settled.restless:.1f}% of the rest"
        if settled.share else ""
    )  # fmt: skip
    return (
        f"Generation {generation:,}: {lasting:,} structures that persist. "
        f"{100 * settled.share:.0f}% of the board has settled into them{ash}."
    )
