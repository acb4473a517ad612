"""Files of embeddings: ``.npz``, written as the model computes them and read from disk as they are needed."""

import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.inference.model import GaitModel
from opengait_meshgait.inference.silhouettes import InputSilhouettes, describe_frames
from opengait_meshgait.inference.sources import Source, find_sources

_TEXTS = ("names", "labels", "types", "views")
_ENTRIES = ("embeddings", *_TEXTS, "model", "metric")
_LOCAL_HEADER = 30  # bytes before a zip entry's name; the lengths of name and extra field are its last four
# Sequences that are read while those before them are embedded: enough of them to make batches of like lengths.
_WINDOW = 64
_READERS = 4


@dataclass(frozen=True)
class Embeddings:
    """The embeddings of n sequences by one model.

    Attributes:
        values: float32 [n, c, p]; of a file, mapped into memory.
        names: of the sequences, str [n].
        labels: people, str [n].
        types: walking conditions, str [n].
        views: views, str [n].
        model: the fingerprint of the model: only embeddings of one model can be compared.
        metric: ``euc`` or ``cos``, the distance of two embeddings by the model's config.
        source: the file, for messages.
    """

    values: np.ndarray
    names: np.ndarray
    labels: np.ndarray
    types: np.ndarray
    views: np.ndarray
    model: str
    metric: str
    source: str

    def __len__(self) -> int:
        return len(self.names)

    def take(self, places: np.ndarray) -> "Embeddings":
        """Some of the sequences, in memory."""
        return replace(self, values=self.values[places], **{name: getattr(self, name)[places] for name in _TEXTS})


@dataclass(frozen=True)
class Embedded:
    """What was done.

    Attributes:
        sequences: how many.
        people: how many labels they have.
        remarks: what became of their frames, where there is something to say.
        seconds: reading, embedding and writing.
    """

    sequences: int
    people: int
    remarks: list[str]
    seconds: float


def embed_to_file(
    model: GaitModel, source: str | Path, out: str | Path, quiet: bool = False, largest: bool = False
) -> Embedded:
    """Embed all sequences.

    Args:
        model: as loaded.
        source: see :func:`~opengait_meshgait.inference.sources.find_sources`.
        out: ``.npz``; whole or absent, whatever happens.
        quiet: no progress bar.
        largest: take of each raw picture the largest connected part alone.

    Raises:
        UserError: there are no sequences, one of them cannot be used, or ``out`` cannot be written.
    """
    began = time.monotonic()
    sources = find_sources(source)
    texts = {key: [getattr(one, key[:-1]) for one in sources] for key in ("names", "labels", "types", "views")}
    with tqdm(total=len(sources), desc="embedding", unit="seq", disable=True if quiet else None) as bar:
        frames: list[InputSilhouettes] = []
        blocks = _blocks(model, sources, largest, frames, bar)
        try:
            about = {"model": model.fingerprint, "metric": model.metric, "precision": model.precision}
            write_embeddings(out, blocks, (len(sources), *model.embedding_shape), texts, **about)
        except OSError as error:
            raise UserError(f"Cannot write {out}: {error.strerror}.") from error
    remarks = describe_frames(texts["names"], frames, largest, model.frames_limit)
    return Embedded(len(sources), len(set(texts["labels"])), remarks, time.monotonic() - began)


def write_embeddings(
    path: str | Path,
    blocks: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    texts: Mapping[str, Sequence[str]],
    model: str,
    metric: str,
    precision: str = "fp32",
) -> None:
    """Write a file of embeddings, atomically, and never hold more of them than a block.

    Args:
        path: ``.npz``.
        blocks: float32 [m, c, p], one after the other.
        shape: [n, c, p] of all blocks together.
        texts: ``names``, ``labels``, ``types`` and ``views``, n of each.
        model: fingerprint of the model.
        metric: ``euc`` or ``cos``.
        precision: in which they were computed, ``fp32``, ``bf16`` or ``fp16``.
    """
    header = {"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("embeddings.npy", "w", force_zip64=True) as entry:
            np.lib.format.write_array_header_1_0(entry, header)
            for block in blocks:
                entry.write(np.ascontiguousarray(block, "<f4").data)
        for name, value in {**texts, "model": model, "metric": metric, "precision": precision}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(value, np.str_), allow_pickle=False)


def read_embeddings(path: str | Path) -> Embeddings:
    """Open a file of embeddings; they stay on disk until they are used.

    Raises:
        UserError: it is missing or truncated, is another file, or holds no sequences.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            there = [name.removesuffix(".npy") for name in archive.namelist()]
            missing = [name for name in _ENTRIES if name not in there]
            if missing:
                raise UserError(
                    f"{path} is no file of embeddings: it lacks {', '.join(missing)}, and holds "
                    f"{', '.join(there[:8]) or 'nothing'}. Make it with `meshgait embed`."
                )
            values = _mapped(path, archive)
            texts = {name: _read(archive, name) for name in _ENTRIES[1:]}
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing. Make it with `meshgait embed`.") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read ({error}). Make it again with `meshgait embed`.") from error
    if values.ndim != 3 or values.dtype != np.float32 or any(len(texts[name]) != len(values) for name in _TEXTS):
        raise UserError(
            f"{path} holds embeddings {values.dtype} {list(values.shape)} and {len(texts['names'])} names; expected "
            "float32 [n, c, p], and n names. Make it again with `meshgait embed`."
        )
    if len(values) == 0:
        raise UserError(f"{path} holds no sequences.")
    model, metric = str(texts.pop("model")), str(texts.pop("metric"))
    return Embeddings(values, **texts, model=model, metric=metric, source=str(path))


def require_embeddings(given: Any, what: str) -> None:
    """Refuse what is no :class:`Embeddings`, such as a file's name or an array.

    Raises:
        UserError: what to write instead.
    """
    if not isinstance(given, Embeddings):
        raise UserError(
            f"Found {type(given).__name__} for the {what}; expected what read_embeddings gives: "
            "read_embeddings('E.npz')."
        )


def check_comparable(one: Embeddings, other: Embeddings) -> None:
    """Check that two files are of one model.

    Raises:
        UserError: they are not.
    """
    shapes = [list(each.values.shape[1:]) for each in (one, other)]
    if one.model == other.model and shapes[0] != shapes[1]:
        raise UserError(
            f"The embeddings of {one.source} have the shape {shapes[0]} and those of {other.source} {shapes[1]}: one "
            "of the files was changed. Embed both again."
        )
    if one.model != other.model:
        raise UserError(
            f"{one.source} and {other.source} are embeddings of different models ({one.model} and {other.model}), and "
            "their distances mean nothing. Embed both with one checkpoint."
        )


def shared_sequences(one: Embeddings, other: Embeddings) -> list[str]:
    """The names of the sequences that both files hold: alike in name and embedding."""
    few, many = sorted((one, other), key=len)
    places = {name: place for place, name in enumerate(few.names.tolist())}
    pairs = ((name, places[name], place) for place, name in enumerate(many.names.tolist()) if name in places)
    return [name for name, a, b in pairs if np.array_equal(few.values[a], many.values[b])]


def _blocks(
    model: GaitModel, sources: Sequence[Source], largest: bool, frames: list[InputSilhouettes], bar: tqdm
) -> Iterator[np.ndarray]:
    """Embeddings [m, c, p], one window of sequences after the other, in their order; ``frames`` gets what they hold
    but for the pictures."""
    windows = [sources[first : first + _WINDOW] for first in range(0, len(sources), _WINDOW)]
    with ThreadPoolExecutor(_READERS) as pool:
        ahead = None
        for window, following in zip(windows, [*windows[1:], []]):
            reading = ahead or [pool.submit(one.read, model.size, largest) for one in window]
            ahead = [pool.submit(one.read, model.size, largest) for one in following]
            try:
                found = [future.result() for future in reading]
                frames += [replace(one, pictures=one.pictures[:0]) for one in found]
                yield model.embed(found, [one.name for one in window])
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            bar.update(len(window))


def _read(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as entry:
        return np.lib.format.read_array(entry, allow_pickle=False)


def _mapped(path: Path, archive: zipfile.ZipFile) -> np.ndarray:
    """The embeddings as they lie in the archive; read as a whole where someone has compressed them."""
    info = archive.getinfo("embeddings.npy")
    if info.compress_type != zipfile.ZIP_STORED:
        return _read(archive, "embeddings")
    with path.open("rb") as file:
        file.seek(info.header_offset + _LOCAL_HEADER - 4)
        name, extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
        file.seek(name + extra, 1)
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = header(file)
        if 0 in shape or fortran:
            return _read(archive, "embeddings")
        return np.memmap(path, dtype, "r", file.tell(), shape)
