"""What all commands share: how they end, and the options that each of them has."""

import io
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

FAILED, FAULT, INTERRUPTED = 1, 2, 130
"""Exit codes: some rows are missing, there is no answer, the reader stopped it."""

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object and nothing else.", show_default=False)
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show where an error comes from.", show_default=False)
]


STOPPED = "stopped; what was printed or saved before this stands, and nothing else was kept."


class Commands(TyperGroup):
    """Ends every error in one sentence on stderr and exit code 2; a traceback only with --debug.

    Ctrl-C ends in a sentence too, and in 130; commands that have something to show by then catch it
    themselves.
    """

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            warn(STOPPED)
            raise typer.Exit(INTERRUPTED) from None

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        words = sys.argv[1:] if args is None else list(args)
        if isinstance(sys.stdout, io.TextIOWrapper):  # names of files may hold what is no text
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            code = super().main(
                words, "workbench", complete_var, False, windows_expand_args, **extra
            )
        except Exception as error:
            if "--debug" in words:
                traceback.print_exc()
            print(f"workbench: {sentence(error)}", file=sys.stderr)
            code = FAULT
        sys.exit(code or 0)


def sentence(error: Exception) -> str:
    """What the user is told of an error: one line."""
    from workbench.errors import WorkbenchError

    if isinstance(error, WorkbenchError):
        text = str(error)
    elif isinstance(error, typer.TyperException):
        text = error.format_message()
        context = getattr(error, "ctx", None)
        if context is not None:
            text = f"{text.rstrip('. ')} (see `{context.command_path} --help`)"
    elif isinstance(error, typer.Abort):
        text = "stopped"
    elif isinstance(error, OSError):
        text = f"{error.filename or 'a file'}: {error.strerror or error}"
    elif isinstance(error, MemoryError):
        text = "out of memory: try a smaller batch or budget"
    else:
        what = f"{type(error).__name__}: {error}".rstrip(".: ")
        text = f"this is a fault of the workbench: {what} (--debug shows where)"
    return " ".join(text.split()).rstrip(".") + "."


def warn(text: str) -> None:
    """One line on stderr."""
    print(f"workbench: {text}", file=sys.stderr)
