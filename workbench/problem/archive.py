"""A card and its tensors as one zip, to save and to open."""

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from workbench.errors import BadInput
from workbench.numbers import several

MAX_BYTES = 64 << 20
"""The most that may be packed in one."""
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}\.(json|yaml|yml|safetensors)")


def packed(files: Mapping[str, bytes]) -> bytes:
    """The bytes of a zip of these files, the same whenever it is made."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)  # of 1980, as any entry without a date
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def unpacked(data: bytes, folder: Path) -> None:
    """Unpack a zip of a card (JSON or YAML) and its tensors, as `packed` makes it, into a folder.

    The two may lie in one folder of the archive. Nothing else may be in it: no path that leaves it,
    no link, no more than 64 MiB unpacked. Nothing is unpickled or run.

    Raises:
        BadInput: for each way in which it can be something else.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, ValueError, OSError, struct.error) as error:
        raise BadInput(
            f"this is no zip file ({error}): `problem.save('mine.zip')` writes one"
        ) from None
    folders = {entry.filename.rpartition("/")[0] for entry in entries}
    if len(entries) != 2 or len(folders) != 1:
        raise BadInput(
            f"the zip holds {several(len(entries), 'file')} in {several(len(folders), 'folder')}; "
            "a card and its safetensors file in one folder are needed"
        )
    room = MAX_BYTES
    for entry in entries:
        name = entry.filename.rpartition("/")[2]
        if not _FILE.fullmatch(name) or stat.S_ISLNK(entry.external_attr >> 16):
            raise BadInput(f"{name[:80]!r} in the zip is no card and no safetensors file")
        content = _content(archive, entry, room)
        room -= len(content)
        (folder / name).write_bytes(content)


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
