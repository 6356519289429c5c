"""`workbench new`."""

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

    card = save_commented(starter.problem(), folder)
    script = folder / "problem.py"
    files.write(script, Path(starter.__file__).read_bytes())
    if as_json:
        print_json({"script": str(script), "card": str(card)})
        return
    say(f"{script}: your network, D and C go where it says 1 to 4. Run it with `python {script}`.")
    say(f"{card}: the same as a card. `workbench estimate {card}` reads it.")
