"""`workbench new`."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli import files
from workbench.cli.frame import AsJson, Debug
from workbench.cli.plain import print_json
from workbench.cli.tables import say
from workbench.errors import BadInput


def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is not there yet.")],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write a script and a commented card to start your own problem from; both run at once."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is there already and not empty: choose another name")
    from workbench.experiments import starter
    from workbench.problem.codec import save_commented

    name = folder.resolve().name
    card = save_commented(replace(starter.problem(), name=name), folder)
    script = folder / "problem.py"
    text = Path(starter.__file__).read_text()
    files.write(script, text.replace(f'"{starter.NAME}"', json.dumps(name)).encode())
    if as_json:
        print_json({"script": str(script), "card": str(card)})
        return
    mine, run, read = (shlex.quote(str(path)) for path in (folder / f"{name}.zip", script, card))
    say(f"{script}: your network, D and C go where it says 1 to 4.")
    say(f"`python {run}` runs it, and saves {mine}, which every command takes.")
    say(f"{card}: the same as a card, to change by hand.")
    say(f"`workbench estimate {read}` reads it.")
