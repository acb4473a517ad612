"""Whatever Python programs keep arrays in: npz, npy, pickle, joblib, PyTorch and JSON, read without running code."""

import io
import math
import pickle
import warnings
import zlib
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import UNPICKLABLE, find_array_class, read_bytes, read_json
from opengait_meshgait.common.npz import read_npy_objects, read_npz_objects

ARRAY_FILES = (".npz", ".npy", ".pkl", ".pickle", ".joblib", ".pt", ".pth", ".smpl", ".json")
"""Of files that :func:`read_arrays` reads."""

_ZLIB = b"\x78"  # how a zlib stream begins, and no pickle does
_DICTIONARIES = {("collections", "OrderedDict"): OrderedDict, ("collections", "defaultdict"): defaultdict} | {
    (module, kind.__name__): kind for module in ("builtins", "__builtin__") for kind in (dict, list)
}

_JOBLIB = "joblib.numpy_pickle", "NumpyArrayWrapper"


def read_arrays(path: str | Path) -> Any:
    """Read a file of arrays.

    Args:
        path: ``.npz`` (or ``.smpl``, as smplcodec calls it), ``.npy``, ``.json``, ``.pt`` or ``.pth``; any other is a
            pickle, which may be joblib's, also compressed with zlib as by ``joblib.dump(…, compress=3)``.

    Returns:
        Arrays and plain values in dictionaries and lists. Tensors come as arrays, arrays of objects as lists.

    Raises:
        UserError: the file cannot be read, or asks for more than that.
    """
    ending = Path(path).suffix.lower()
    if ending == ".json":
        return read_json(path)
    try:
        if ending in (".npz", ".smpl"):
            return _plain(read_npz_objects(path, ContainerUnpickler), {})
        content = read_bytes(path)
        if not content:
            raise UserError(f"{path} is empty (0 bytes). Make it again.")
        return _plain(_READERS.get(ending, _read_pickle)(content), {})
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except (*UNPICKLABLE, RecursionError, zlib.error) as error:
        raise UserError(
            f"Cannot read {path}: {error or type(error).__name__}. The file may be truncated or of another kind; make "
            "it again."
        ) from error


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """``value`` in dictionaries, lists, arrays and plain values; ``done`` has what was met before, by its id."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic):
        return value
    if id(value) not in done:
        if isinstance(value, Mapping):
            plain = {key: _plain(item, done) for key, item in value.items()}
        elif isinstance(value, list | tuple | set | frozenset):
            plain = [_plain(item, done) for item in value]
        elif isinstance(value, np.ndarray):
            plain = _plain(value.tolist(), done)
        elif hasattr(value, "detach"):
            tensor = value.detach()
            plain = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
        else:
            raise ValueError(f"it holds a {type(value).__name__}, and only arrays and plain values are read")
        done[id(value)] = plain
    return done[id(value)]


class ContainerUnpickler(pickle.Unpickler):
    """Reads pickles of arrays, of tensors and of dictionaries of all kinds, and refuses every other class."""

    def __init__(self, file: IO[bytes]):
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        return _find_class(module, name)


class _JoblibArray:
    """What joblib pickles in place of an array: its shape and type. The numbers follow in the file."""

    shape: tuple[int, ...]
    order: str
    dtype: np.dtype
    numpy_array_alignment_bytes: int | None = None


# In Python, as joblib's own: the unpickler in C reads ahead, and would swallow the arrays in between.
class _JoblibUnpickler(pickle._Unpickler):
    """The same for joblib's files."""

    dispatch = pickle._Unpickler.dispatch.copy()

    def __init__(self, file: IO[bytes]):
        super().__init__(file, encoding="latin1")
        self._source = file

    def find_class(self, module: str, name: str) -> Any:
        return _JoblibArray if (module, name) == _JOBLIB else _find_class(module, name)

    def load_build(self) -> None:
        """Give an object its state; nothing else than these may get one."""
        built = self.stack[-2]  # type: ignore[attr-defined]
        if not isinstance(built, _JoblibArray | np.ndarray | np.dtype):
            raise pickle.UnpicklingError(f"it gives a {type(built).__name__} a state, and only arrays have one")
        super().load_build()  # type: ignore[misc]
        if isinstance(built, _JoblibArray):
            self.stack[-1] = self._joblib_array(built)  # type: ignore[attr-defined]

    dispatch[pickle.BUILD[0]] = load_build  # type: ignore[assignment]

    def _joblib_array(self, wrapper: _JoblibArray) -> Any:
        dtype, shape, file = np.dtype(wrapper.dtype), tuple(map(int, wrapper.shape)), self._source
        if dtype.hasobject:
            return _JoblibUnpickler(file).load()
        if wrapper.numpy_array_alignment_bytes is not None:
            file.read(int.from_bytes(file.read(1), "little"))
        count = math.prod(shape)
        array = np.frombuffer(file.read(count * dtype.itemsize), dtype, count) if count else np.empty(0, dtype)
        return array.reshape(shape[::-1]).T if wrapper.order == "F" else array.reshape(shape)


class _RebuildTensor:
    """How PyTorch makes a tensor of its numbers, as a pickle may call it. Without attributes that it could set."""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> Any:
        # Not above: few files need torch, and it takes a second to load.
        from torch._utils import _rebuild_tensor_v2

        return _rebuild_tensor_v2(*arguments)


class _LoadStorage:
    """How it reads these numbers, in the same way."""

    __slots__ = ()

    def __call__(self, content: bytes) -> Any:
        return _read_torch(content)


def _find_class(module: str, name: str) -> Any:
    if (module, name) in _DICTIONARIES:
        return _DICTIONARIES[module, name]
    if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
        return _RebuildTensor()
    if (module, name) == ("torch.storage", "_load_from_bytes"):
        return _LoadStorage()
    return find_array_class(module, name)


def _read_pickle(content: bytes) -> Any:
    content = zlib.decompress(content) if content.startswith(_ZLIB) else content
    unpickler = _JoblibUnpickler if _JOBLIB[0].encode() in content else ContainerUnpickler
    return unpickler(io.BytesIO(content)).load()


def _read_torch(content: bytes) -> Any:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what looks like other protocols, in damaged files
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever it raises on damaged files; its message advises to load them unsafely
        raise pickle.UnpicklingError("it is no file of PyTorch, or asks for more than tensors") from error


_READERS = {
    ".npy": lambda content: read_npy_objects(content, ContainerUnpickler),
    ".pt": _read_torch,
    ".pth": _read_torch,
}
