"""A problem as one file to save."""

import io
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

from workbench.problem import Problem


def card_archive(problem: Problem, name: str) -> io.BytesIO:
    """The problem under this name, as a zip of its card and tensors."""
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(buffer, "w") as archive:
        replace(problem, name=name).save(folder)
        for file in sorted(Path(folder).iterdir()):
            archive.write(file, file.name)
    buffer.seek(0)
    return buffer
