"""What folders hold."""

import os
from pathlib import Path

from opengait_meshgait.common.errors import UserError


def folders(path: str | Path) -> list[os.DirEntry]:
    """The folders in a folder, sorted by name, without hidden ones.

    Raises:
        UserError: it cannot be listed.
    """
    return [entry for entry in entries(path) if entry.is_dir()]


def entries(path: str | Path) -> list[os.DirEntry]:
    """What a folder holds, sorted by name, without hidden files.

    Raises:
        UserError: it cannot be listed.
    """
    try:
        with os.scandir(path) as found:
            return sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"Cannot list {path}: {error.strerror}.") from error


def pickle_kind(name: str) -> str | None:
    """What a pickle of this name in a sequence's folder holds: ``weight``, ``smpl``, ``joint``, ``sil`` or None."""
    return next((part for part in ("weight", "smpl", "joint", "sil") if part in name.lower()), None)
