"""Pages that are made from the library itself: a method each, the commands, the public names."""

import ast
import csv
import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import yaml

import workbench
from workbench.estimators import ALL, Estimator
from workbench.glossary import TERMS
from workbench.types import Grad

HERE = Path(__file__).parents[1]
MADE = HERE / "made"
MEASURED = HERE / "measured.csv"
MEASURED_BY = (
    "workbench compare digits B_w32_h4_1e-5 B_w64_h4_1e-8 A_d10_1e-12 D_needle_1e-6 E_plane_1e-8 "
    "F_digits_1e-8 F_orthant_1e-8 G_free_1e-6 G_network_1e-6 G_glass_b10_1e-6 T_char1_any_1e-5 "
    "--budget 20000 --out docs/measured.csv"
)
"""The command that makes the table of measurements, on any machine."""
APART = ("anomaly", "automata")
"""Modules whose public names are their own and not those of `import workbench as wb`."""


def write() -> None:
    """All pages, below `docs/made`."""
    for folder in ("methods", "reference"):
        (MADE / folder).mkdir(parents=True, exist_ok=True)
    said = yaml.safe_load((HERE / "methods.yaml").read_text())
    runs = _measured()
    for cls in ALL:
        put(MADE / "methods" / f"{cls.name}.md", method(cls, said.get(cls.name, {}), runs))
    put(MADE / "methods" / "index.md", _index(said))
    put(MADE / "commands.md", commands())
    put(MADE / "words.md", words())
    for name, about, members in groups():
        put(MADE / "reference" / f"{name}.md", reference(name, about, members))
    listed = "\n".join(name for name, *_ in groups())
    put(
        MADE / "reference" / "index.md",
        "# The library\n\nThe public names of `import workbench as wb`, by where they live; "
        "and those of laboratories, which are imported from their modules.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n",
    )


def words() -> str:
    """The glossary."""
    entries = [f"{term}\n: {said}" for term, said in TERMS.items()]
    return "# Words\n\n" + "\n\n".join(entries) + "\n"


def method(cls: type[Estimator], said: dict[str, str], runs: list[dict[str, str]]) -> str:
    """The page of one estimator."""
    kind = cls.kind.value
    grad = "" if cls.grad is Grad.NONE else f", with a gradient ({cls.grad.value})"
    parts = [f"# {cls.name}", f"A `{kind}` estimator{grad}. {_needs(cls)}"]
    if "formula" in said:
        parts.append(f"```{{math}}\n{said['formula'].strip()}\n```")
    for title, key in (("What it costs", "cost"), ("When it fails", "fails")):
        if key in said:
            parts.append(f"## {title}\n\n{said[key]}")
    mine = [run for run in runs if run["estimator"] == cls.name and run["log10_p"]]
    if mine:
        parts.append(
            f"## Measured\n\n{_table(mine)}\n\nby `{MEASURED_BY}`; times are one machine's."
        )
    parts.append(
        f"## In the library\n\n```{{eval-rst}}\n.. autoclass:: workbench.{cls.__name__}\n```"
    )
    parts.append(f"On the command line: `workbench estimate digits --estimator {cls.name}`.")
    return "\n\n".join(parts)


def _needs(cls: type[Estimator]) -> str:
    needs = cls.needs
    wants = (
        [f"D with {'/'.join(c.__name__ for c in needs.distribution)}"] if needs.distribution else []
    )
    wants += [f"C that is {'/'.join(c.__name__ for c in needs.spec)}"] if needs.spec else []
    wants += ["M made of known operations"] if needs.readable else []
    return f"It needs {', '.join(wants)}." if wants else ""


def _index(said: dict[str, dict[str, str]]) -> str:
    fails = {cls.name: said.get(cls.name, {}).get("fails", "") for cls in ALL}
    lines = [
        f"| [`{cls.name}`]({cls.name}.md) | {cls.kind.value} | {fails[cls.name]} |" for cls in ALL
    ]
    tree = "\n".join(cls.name for cls in ALL)
    return (
        "# Methods\n\nOne page an estimator: its formula, what it costs, when it fails, what was "
        "measured.\n\n| method | kind | when it fails |\n|---|---|---|\n"
        + "\n".join(" ".join(line.split()) for line in lines)
        + f"\n\n```{{toctree}}\n:hidden:\n\n{tree}\n```\n"
    )


def _measured() -> list[dict[str, str]]:
    with MEASURED.open(newline="") as file:
        return list(csv.DictReader(file))


def _table(runs: list[dict[str, str]]) -> str:
    titles = ("problem", "truth", "log10 P", "error in digits", "forward passes", "seconds")
    lines = [
        (r["problem"], _number(r["truth"], 2), _number(r["log10_p"], 2),
         _number(r["error"], 2, sign=True) or r["reason"], _number(r["forwards"], 0),
         _number(r["seconds"], 3))
        for r in runs
    ]  # fmt: skip
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join(["| " + " | ".join(titles) + " |", "|---|--:|--:|--:|--:|--:|", *rows])


def _number(text: str, places: int, sign: bool = False) -> str:
    if not text:
        return ""
    return f"{float(text):{'+' if sign else ''},.{places}f}"


def commands() -> str:
    """What every command says of itself."""
    from typer.main import get_command

    from workbench.cli import app

    listed = get_command(app).commands  # type: ignore[attr-defined]
    parts = ["# Commands", "Every one takes `--json` and then prints one JSON object."]
    for name, command in listed.items():
        about = inspect.cleandoc(command.help or "")
        options = [_option(p) for p in command.params]
        parts += [f"## workbench {name}", about, "\n".join(o for o in options if o)]
    return "\n\n".join(parts)


def _option(parameter: Any) -> str:
    about = " ".join((getattr(parameter, "help", None) or "").split())
    option = parameter.param_type_name == "option"
    names = ", ".join(f"`{o}`" for o in (parameter.opts if option else [parameter.name.upper()]))
    return f"- {names}: {about}" if about else ""


def groups() -> list[tuple[str, str, list[str]]]:
    """(module, its first sentence, public names) as `workbench/__init__.pyi` has them, and those
    of `APART`."""
    stub = ast.parse(Path(workbench.__file__).with_suffix(".pyi").read_text())
    found: dict[str, list[str]] = {}
    for node in stub.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found.setdefault(node.module, []).extend(alias.name for alias in node.names)
    made = []
    for module in APART:
        found[module] = list(importlib.import_module(f"workbench.{module}").__all__)
    for module, members in found.items():
        doc = inspect.cleandoc(importlib.import_module(f"workbench.{module}").__doc__ or "")
        made.append((module, doc.split("\n\n")[0], members))
    return made


def reference(module: str, about: str, members: list[str]) -> str:
    """The page of one module: its public names."""
    parts = [f"# {module}", about]
    home = f"workbench.{module}" if module in APART else "workbench"
    for name in members:
        thing = getattr(importlib.import_module(home), name)
        if name in {cls.__name__ for cls in ALL}:
            parts.append(f"## {name}\n\nSee [`{thing.name}`](../methods/{thing.name}.md).")
            continue
        if isinstance(thing, Mapping | tuple):
            parts.append(f"## {name}\n\nOne of {', '.join(f'`{key}`' for key in thing)}.")
            continue
        if isinstance(thing, UnionType):
            parts.append(f"## {name}\n\n`{' or '.join(k.__name__ for k in get_args(thing))}`.")
            continue
        directive = (
            "automodule" if inspect.ismodule(thing)
            else "autoclass" if inspect.isclass(thing)
            else "autofunction"
        )  # fmt: skip
        options = "\n   :members:" if directive in ("automodule", "autoclass") else ""
        parts.append(f"## {name}\n\n```{{eval-rst}}\n.. {directive}:: {home}.{name}{options}\n```")
    return "\n\n".join(parts)


def put(path: Path, text: str) -> None:
    """Write a page, but not again: Sphinx then need not read it again."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
