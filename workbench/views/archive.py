"""A problem as one file, to save and to open."""

import io
import re
import stat
import struct
import tempfile
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

from workbench.errors import BadInput
from workbench.problem import Problem

MAX_BYTES = 64 << 20
"""The most that may be packed in a file that a visitor opens."""
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}\.(json|yaml|yml|safetensors)")


def card_archive(problem: Problem, name: str) -> io.BytesIO:
    """The problem under this name, as a zip of its card and tensors."""
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(buffer, "w") as archive:
        replace(problem, name=name).save(folder)
        for file in sorted(Path(folder).iterdir()):
            archive.write(file, file.name)
    buffer.seek(0)
    return buffer


def opened(data: bytes) -> Problem:
    """The problem in a zip of a card (JSON or YAML) and its tensors, as `card_archive` makes it.

    The two may lie in one folder of the archive. Nothing else may be in it: no path that leaves it,
    no link, no more than 64 MiB unpacked. Nothing is unpickled or run.

    Raises:
        BadInput: for each way in which it can be something else.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, ValueError, OSError, struct.error) as error:
        raise BadInput(f"this is no zip file ({error}): save one with Save card") from None
    folders = {entry.filename.rpartition("/")[0] for entry in entries}
    if len(entries) != 2 or len(folders) != 1:
        raise BadInput(
            f"the zip holds {len(entries)} files in {len(folders)} folders; a card and its "
            "safetensors file in one folder are needed"
        )
    with tempfile.TemporaryDirectory() as place:
        room = MAX_BYTES
        for entry in entries:
            name = entry.filename.rpartition("/")[2]
            if not _FILE.fullmatch(name) or stat.S_ISLNK(entry.external_attr >> 16):
                raise BadInput(f"{name[:80]!r} in the zip is no card and no safetensors file")
            content = _content(archive, entry, room)
            room -= len(content)
            (Path(place) / name).write_bytes(content)
        return Problem.load(place)


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, room: int) -> bytes:
    """What is packed under a name; it is never trusted to be as long as it says."""
    try:
        with archive.open(entry) as file:
            content = file.read(room + 1)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError,
            ValueError) as error:  # fmt: skip
        raise BadInput(f"{entry.filename[:80]!r} cannot be unpacked: {error}") from None
    if len(content) > room:
        raise BadInput(f"the zip unpacks to more than {MAX_BYTES >> 20} MiB")
    return content
