"""NumPy's files, npz and npy, read without running code."""

import io
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Container
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import UNPICKLABLE, ArrayUnpickler, Unpickler

_HEADERS = {b"\1": struct.Struct("<8xH"), b"\2": struct.Struct("<8xI"), b"\3": struct.Struct("<8xI")}  # by version


def read_npz(path: str | Path, wanted: Container[str] | None = None) -> dict[str, np.ndarray | None]:
    """Read an .npz of plain arrays.

    Args:
        path: the file.
        wanted: names of the entries to read, all when None. Others may be Python objects, which do not load: they
            come as None, for their names are enough to tell what the file is.

    Raises:
        ValueError: why it cannot be read; the caller adds what the file should have been.
    """
    try:
        # np.load would take a renamed .npy or pickle as well, and complain about something else.
        if not zipfile.is_zipfile(path):
            raise ValueError("it is not an npz archive, or is truncated")
        with np.load(path) as archive:
            return {key: archive[key] if wanted is None or key in wanted else None for key in archive}
    except (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(str(error)) from error


def read_npz_objects(path: str | Path, unpickler: Unpickler = ArrayUnpickler) -> dict[str, Any]:
    """Read an .npz whose entries may be Python objects, as ``np.savez(path, name=object)`` writes them.

    NumPy pickles such an entry; here it is read like every pickle: plain values and arrays, no code.

    Args:
        path: the file.
        unpickler: an :class:`ArrayUnpickler`, or one that allows a little more.

    Returns:
        The entries: arrays, and for an object the array of type ``object`` that NumPy put it into.

    Raises:
        UserError: the file is missing, no .npz, truncated, or asks for more than arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            return {name.removesuffix(".npy"): read_npy_objects(archive.read(name), unpickler) for name in names}
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from error
    except zipfile.BadZipFile as error:
        raise UserError(f"{path} is not an npz archive, or is truncated. Make it again.") from error
    except (*UNPICKLABLE, zlib.error, RuntimeError) as error:
        raise UserError(f"Cannot read {path}: {error or type(error).__name__}. Make it again.") from error


def read_npy_objects(content: bytes, unpickler: Unpickler = ArrayUnpickler) -> Any:
    """Read an .npy in the same way; a damaged one ends in one of :data:`UNPICKLABLE`."""
    length = _HEADERS.get(content[6:7])
    if length is None or len(content) < length.size:
        raise ValueError("it is no .npy, or its header is damaged")
    start = length.size + length.unpack_from(content)[0]
    shape, is_fortran, dtype = _read_header(content[:start])
    if dtype.hasobject:
        return unpickler(io.BytesIO(content[start:])).load()
    return np.ndarray(shape, dtype, content, start, order="F" if is_fortran else "C").copy("K")


@lru_cache(64)
def _read_header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type of an .npy's array. Files of one frame each have few different headers."""
    file = io.BytesIO(header)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
    try:
        return read(file)
    except (tokenize.TokenError, SyntaxError) as error:  # of a damaged header NumPy lets them pass
        raise ValueError(f"its header is damaged: {error}") from error
