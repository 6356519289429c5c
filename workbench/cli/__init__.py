"""The command line: `workbench COMMAND`, on every one of which `--json` prints one JSON object."""

from workbench.cli.app import app, main

__all__ = ["app", "main"]
