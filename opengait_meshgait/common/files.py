"""Files and folders: written whole or not at all, read without running code."""

import csv
import glob
import json
import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from io import FileIO
from pathlib import Path
from typing import IO, Any

from opengait_meshgait.common.errors import UserError

# What NumPy 1 and 2 write into the pickle of an array or a NumPy scalar.
_NUMPY_GLOBALS = {
    (f"numpy.{package}.{module}", name)
    for package in ("core", "_core")
    for module, name in (("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numeric", "_frombuffer"))
} | {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}
UNPICKLABLE = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ImportError,
    MemoryError,
    OverflowError,
)
"""What the reading of a damaged pickle may end in."""
Unpickler = Callable[[IO[bytes]], Any]
"""Opens a file for its ``load()``."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary name beside ``path``, renamed to it when the block ends without an error.

    A kill leaves the old file or the new one, never half of it; what it leaves under a temporary name, the next who
    writes that file removes.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, glob.escape(path.name))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove what processes that are no more have left half written in ``folder``, of files that fit ``pattern``."""
    for temporary in folder.glob(f".{pattern}.*.tmp"):
        process = temporary.name.split(".")[-2]
        if process.isdigit() and not _is_alive(int(process)):
            temporary.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def write_json(path: str | Path, content: Any) -> None:
    """Write ``content`` as indented JSON, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_csv(path: str | Path, rows: Iterable[Sequence[str]]) -> None:
    """Write rows of a CSV file, atomically."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}.") from error


def read_bytes(path: str | Path) -> bytes:
    """What is in a file, in half of ``Path.read_bytes``'s time: datasets have a file for each frame."""
    with FileIO(path) as file:
        return file.readall()


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that builds NumPy arrays and plain Python values, and refuses every other class."""

    def find_class(self, module: str, name: str) -> Any:
        return find_array_class(module, name)


@cache
def find_array_class(module: str, name: str) -> Any:
    """What a pickle of NumPy arrays may ask for.

    Raises:
        UnpicklingError: it asks for something else.
    """
    if (module, name) in _NUMPY_GLOBALS:
        return getattr(import_module(module), name)
    if (module, name) in {("__builtin__", "bytes"), ("builtins", "bytes")}:
        return _no_bytes
    raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only arrays and plain values are allowed")


def _no_bytes() -> bytes:
    """What protocols 0 to 2 call for the bytes of an array without elements."""
    return b""


def read_pickle(path: str | Path, unpickler: type[pickle.Unpickler] = ArrayUnpickler, **options: Any) -> Any:
    """Read a pickle of NumPy arrays without running any code it may carry.

    Args:
        path: the file.
        unpickler: an :class:`ArrayUnpickler`, or one that allows a little more.
        options: passed on to the unpickler (``encoding="latin1"`` reads pickles of Python 2).

    Raises:
        UserError: the file is missing, empty, truncated, not a pickle, or asks for more than arrays.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                raise UserError(f"{path} is empty (0 bytes). Make it again.")
            return unpickler(file, **options).load()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except UNPICKLABLE as error:
        raise UserError(
            f"Cannot load {path} as a pickle of NumPy arrays: {error or type(error).__name__}. "
            "The file may be truncated or of another kind; make it again."
        ) from error


def subfolders(path: str | Path) -> list[os.DirEntry]:
    """The folders among :func:`list_folder`."""
    return [entry for entry in list_folder(path) if entry.is_dir()]


def list_folder(path: str | Path) -> list[os.DirEntry]:
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
