"""What a dataclass of settings is set to."""

from dataclasses import fields
from typing import Any, final


class Settings:
    """A frozen dataclass whose fields are settings."""

    @final
    def settings(self) -> dict[str, Any]:
        """The fields and their values."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
