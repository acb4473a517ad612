"""A folder that a command fills, and resumes filling after a stop."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_json, write_json

UNFINISHED = ".unfinished"
"""What is not whole yet lies in a folder of this name, which no reader of datasets looks into."""

Change = tuple[str, Any, Any]
"""A key, what it was and what it is now."""


def open_output(
    out: Path,
    name: str,
    record: dict[str, Any],
    keys: Sequence[str],
    what: str,
    explain: Callable[[Change], Change] = lambda change: change,
) -> None:
    """Make sure that ``out`` is free, or holds a part of the same thing.

    Args:
        out: the folder; it is made.
        name: of the JSON file in it that says what it holds.
        record: what that file is to say.
        keys: the entries of ``record`` that must be equal to resume.
        what: is made there, in the plural, for messages.
        explain: makes a change plainer.

    Raises:
        UserError: it cannot be written, or holds other files, or things made with other ``keys``.
    """
    path = out / name
    try:
        if out.exists() and not out.is_dir():
            raise UserError(f"{out} is a file. Give a folder, or a name that is still free.")
        if not path.exists():
            if out.is_dir() and any(out.iterdir()):
                raise UserError(f"{out} holds files but no {name} of {what}. Give an empty folder or a new name.")
            write_json(path, record)
    except OSError as error:
        raise UserError(f"Cannot write to {out}: {error.strerror}. Give another folder.") from error
    found = read_json(path)
    for key in keys:
        before, now = found.get(key), record[key]
        if before == now:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            key, before, now = next((k, before.get(k), now.get(k)) for k in now | before if before.get(k) != now.get(k))
        key, before, now = explain((key, before, now))
        raise UserError(
            f"{out} already holds {what} made with {key} {before}, and now {key} is {now}. "
            "Give another folder, or the same options to resume there."
        )


def write_folder(out: Path, name: str | Path, files: Mapping[str, bytes]) -> None:
    """Write the folder ``name`` below ``out``, whole or not at all; it replaces what is there."""
    unfinished = out / UNFINISHED / str(name).replace("/", "-")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for file, content in files.items():
        (unfinished / file).write_bytes(content)
    shutil.rmtree(out / name, ignore_errors=True)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    unfinished.replace(out / name)
