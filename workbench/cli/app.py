"""The commands and their names."""

from typing import Annotated

import typer

from workbench.cli.anomaly import anomaly
from workbench.cli.attack import attack
from workbench.cli.attack_lm import attack_lm
from workbench.cli.bench import bench
from workbench.cli.coherence import coherence
from workbench.cli.compare import compare
from workbench.cli.estimate import estimate
from workbench.cli.frame import Commands
from workbench.cli.hush import hush
from workbench.cli.life import life
from workbench.cli.listing import listing, schema
from workbench.cli.new import new
from workbench.cli.notebooks import notebooks
from workbench.cli.report import report
from workbench.cli.runs import resume, runs
from workbench.cli.start import lab, serve
from workbench.cli.sweep import sweep
from workbench.cli.train import train
from workbench.cli.truth import truth

app = typer.Typer(
    name="workbench",
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from workbench import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print and exit.")
    ] = False,
) -> None:
    """How likely is a catastrophe C(x, M(x)) for x ~ D, from the weights of M."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command()(new)
app.command("list")(listing)
app.command()(estimate)
app.command()(compare)
app.command()(sweep)
app.command()(attack)
app.command("attack-lm")(attack_lm)
app.command()(coherence)
app.command()(truth)
app.command()(anomaly)
app.command()(life)
app.command()(train)
app.command()(hush)
app.command()(resume)
app.command()(runs)
app.command()(report)
app.command()(bench)
app.command()(notebooks)
app.command()(serve)
app.command()(lab)
app.command()(schema)


def main() -> None:
    """Entry point of `workbench`."""
    app()
