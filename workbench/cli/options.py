"""Options that several commands have, each told once."""

from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli import settings
from workbench.errors import BadInput


def whole(flag: str, metavar: str, told: str) -> Any:
    """An option that is a whole number; 1e5 is one."""
    return typer.Option(flag, metavar=metavar, parser=settings.whole, help=told)


def real(flag: str, metavar: str, told: str) -> Any:
    """An option that is a number."""
    return typer.Option(flag, metavar=metavar, parser=settings.real, help=told)


def refuse_both(device: str | None, folder: Path | None, kept: str = "--run") -> None:
    """Raises `BadInput` where a run is to be kept in a folder, and made on another device."""
    if device is not None and folder is not None:
        raise BadInput(f"a run in a folder is of the processor: leave out {kept} or --device")


def assigned(what: str) -> Any:
    """The settings of an estimator, a family or a detector."""
    return typer.Option("--set", metavar="KEY=VALUE", help=f"A setting of the {what}; repeatable.")


ProblemName = Annotated[
    str, typer.Argument(metavar="PROBLEM", help="A catalogue name, or a card's or zip's path.")
]
Problems = Annotated[
    list[str],
    typer.Argument(metavar="PROBLEM...", help="Catalogue names, or cards' or zips' paths."),
]
Forwards = Annotated[
    int | None,
    whole("--budget", "FORWARDS", "Forward passes of M; 100,000 unless --seconds is given."),
]
Seconds = Annotated[float | None, real("--seconds", "S", "Seconds of wall clock.")]
Seeds = Annotated[int, whole("--seeds", "K", "Repeats, of seeds 0 to K - 1.")]
Seed = Annotated[int, whole("--seed", "K", "Of all random numbers.")]
Device = Annotated[
    str | None, typer.Option("--device", metavar="D", help="Where to compute, such as cuda.")
]
RunFolder = Annotated[
    Path | None,
    typer.Option("--run", metavar="DIR", help="Keep it in a new folder, to be resumed from."),
]
Every = Annotated[
    int,
    whole(
        "--every", "STEPS", "From checkpoint to checkpoint of --run; there is one every second too."
    ),
]
TrainedCard = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="A .zip for the card with M as it is trained."),
]
