"""All sequences of a folder or a file become one file of embeddings."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.inference.embeddings import write_embeddings
from opengait_meshgait.inference.model import GaitModel
from opengait_meshgait.inference.sources import Source, find_sources

# Sequences that are read while those before them are embedded: enough of them to make batches of like lengths.
_WINDOW = 64
_READERS = 4


@dataclass(frozen=True)
class Embedded:
    """What was done.

    Attributes:
        sequences: how many.
        people: how many labels they have.
        seconds: reading, embedding and writing.
    """

    sequences: int
    people: int
    seconds: float


def embed_to_file(model: GaitModel, source: str | Path, out: str | Path, quiet: bool = False) -> Embedded:
    """Embed all sequences.

    Args:
        model: as loaded.
        source: see :func:`~opengait_meshgait.inference.sources.find_sources`.
        out: ``.npz``; whole or absent, whatever happens.
        quiet: no progress bar.

    Raises:
        UserError: there are no sequences, one of them cannot be used, or ``out`` cannot be written.
    """
    began = time.monotonic()
    sources = find_sources(source)
    texts = {key: [getattr(one, key[:-1]) for one in sources] for key in ("names", "labels", "types", "views")}
    with tqdm(total=len(sources), desc="embedding", unit="seq", disable=True if quiet else None) as bar:
        blocks = _blocks(model, sources, bar)
        try:
            write_embeddings(
                out, blocks, (len(sources), *model.embedding_shape), texts, model.fingerprint, model.metric
            )
        except OSError as error:
            raise UserError(f"Cannot write {out}: {error.strerror}.") from error
    return Embedded(len(sources), len(set(texts["labels"])), time.monotonic() - began)


def _blocks(model: GaitModel, sources: Sequence[Source], bar: tqdm) -> Iterator[np.ndarray]:
    """Embeddings [m, c, p], one window of sequences after the other, in their order."""
    windows = [sources[first : first + _WINDOW] for first in range(0, len(sources), _WINDOW)]
    with ThreadPoolExecutor(_READERS) as pool:
        ahead = None
        for window, following in zip(windows, [*windows[1:], []]):
            reading = ahead or [pool.submit(one.read) for one in window]
            ahead = [pool.submit(one.read) for one in following]
            try:
                yield model.embed([future.result() for future in reading], [one.name for one in window])
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            bar.update(len(window))
