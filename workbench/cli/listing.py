"""`workbench list` and `workbench schema`."""

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from workbench import numbers
from workbench.cli import settings
from workbench.cli.frame import AsJson, Debug
from workbench.cli.plain import print_json
from workbench.cli.tables import grid, say
from workbench.errors import BadInput


def listing(
    group: Annotated[
        str | None,
        typer.Argument(
            metavar="GROUP",
            help="estimators, families, problems, distributions, models, specs, propagators "
            "or tails.",
        ),
    ] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """List what there is: one group, or all."""
    if group is not None and group not in GROUPS:
        raise BadInput(f"no group is called {group!r}: use one of {', '.join(GROUPS)}")
    chosen = {name: GROUPS[name]() for name in ([group] if group else GROUPS)}
    if as_json:
        print_json(chosen)
        return
    width = max(len(item["name"]) for items in chosen.values() for item in items)
    for i, (name, items) in enumerate(chosen.items()):
        if len(chosen) > 1:
            say(("" if i == 0 else "\n") + name.upper())
        say(grid([_line(item) for item in items], width))


def schema(as_json: AsJson = False, debug: Debug = False) -> None:
    """Print the JSON Schema of the problem card."""
    from workbench.problem import Card

    if as_json:
        print_json(Card.model_json_schema())
        return
    import json

    typer.echo(json.dumps(Card.model_json_schema(), indent=2))


def about(thing: type) -> str:
    """The first sentence of a class's docstring."""
    text = inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0]
    return " ".join(text.split())


def _plain_classes(classes: Iterable[type]) -> list[dict[str, Any]]:
    found = []
    for cls in classes:
        item: dict[str, Any] = {"name": cls.name, "about": about(cls)}  # type: ignore[attr-defined]
        found.append(item)
    return found


def _with_settings(cls: Any) -> dict[str, Any]:
    rows = [
        {"name": key, "type": settings.type_name(kind), "default": default}
        for key, (kind, default) in settings.fields_of(cls).items()
    ]
    return {"name": cls.name, "about": about(cls), "settings": rows}


def _estimators() -> list[dict[str, Any]]:
    from workbench.estimators import ALL

    return [
        {
            **_with_settings(cls),
            "kind": cls.kind,
            "grad": cls.grad,
            "needs": {
                "distribution": [c.__name__ for c in cls.needs.distribution],
                "spec": [c.__name__ for c in cls.needs.spec],
                "readable": cls.needs.readable,
            },
        }
        for cls in ALL
    ]


def _families() -> list[dict[str, Any]]:
    from workbench.adversaries.families import ALL

    return [_with_settings(cls) for cls in ALL]


def _problems() -> list[dict[str, Any]]:
    from workbench import catalogue

    found = []
    for name in catalogue.every():
        problem = catalogue.load(name)
        truth = problem.truth
        known = truth and {
            "log10_p": truth.log10_p,
            "se_log10": truth.se_log10,
            "method": truth.method,
        }
        found.append({"name": problem.name, "about": problem.about, "truth": known})
    return found


def _distributions() -> list[dict[str, Any]]:
    from workbench.distributions import ALL

    return _plain_classes(ALL)


def _models() -> list[dict[str, Any]]:
    from workbench.models import MODELS

    return [{"name": name, "about": text} for name, text in MODELS.items()]


def _specs() -> list[dict[str, Any]]:
    from workbench.specs import ALL

    return _plain_classes(ALL)


def _propagators() -> list[dict[str, Any]]:
    from workbench.propagation import ALL

    return [_with_settings(cls) for cls in ALL]


def _tails() -> list[dict[str, Any]]:
    from workbench.tails import ALL

    return [_with_settings(cls) for cls in ALL]


GROUPS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "estimators": _estimators,
    "families": _families,
    "problems": _problems,
    "distributions": _distributions,
    "models": _models,
    "specs": _specs,
    "propagators": _propagators,
    "tails": _tails,
}


def _line(item: dict[str, Any]) -> tuple[str, ...]:
    """Name and description; a problem's P between them, an estimator's settings on lines below."""
    text = item["about"]
    if "truth" in item:
        truth = item["truth"]
        return item["name"], numbers.power(truth["log10_p"] if truth else None), text
    if "kind" in item:
        text += f"\n{item['kind']}" + (
            "" if item["grad"] == "none" else f", {item['grad']} gradient"
        )
    if item.get("settings"):
        text += "\n" + ", ".join(f"{s['name']}={s['default']}" for s in item["settings"])
    return item["name"], text
