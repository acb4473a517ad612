"""Walkers on disk, in OpenGait's layout: ``id/type/view/{0-sils,1-smpls}.pkl``."""

import os
import pickle
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from opengait_meshgait import __version__
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_json, write_json
from opengait_meshgait.walkers.gait import FRAMES_PER_SECOND
from opengait_meshgait.walkers.options import WalkerSet
from opengait_meshgait.walkers.partition import make_partition, sequence_name, view_folder
from opengait_meshgait.walkers.person import WalkName
from opengait_meshgait.walkers.sequence import render_walk

FILES = ("0-sils.pkl", "1-smpls.pkl")
_UNFINISHED = ".unfinished"  # beside the people's folders, so that no reader takes half a sequence for a whole one


def write_walkers(options: WalkerSet, out: str | Path, workers: int | None = None, command: str = "") -> dict[str, Any]:
    """Write a dataset, or what is still missing of it.

    The bytes depend on ``options`` alone, not on the number of workers, nor on whether the run was ever stopped.

    Args:
        options: which walkers.
        out: the dataset's folder.
        workers: processes; 1 works in this one, None takes one a CPU core.
        command: that asked for it, for ``dataset.json``.

    Returns:
        What ``dataset.json`` holds.

    Raises:
        UserError: ``out`` cannot be written, or holds something else than a part of this dataset.
    """
    out = Path(out)
    workers = os.cpu_count() or 1 if workers is None else workers
    if workers < 1:
        raise UserError(f"workers is {workers}: give at least 1.")
    record = _describe(options, load_body(), command)
    _claim(out, record)
    missing = [walk for walk in options.walks() if not all(_complete(out, walk, view) for view in options.views)]
    total = len(options.walks()) * len(options.views) * options.frames
    done = total - len(missing) * len(options.views) * options.frames
    with tqdm(total=total, initial=done, unit=" frames", desc=f"walkers in {out}") as bar:
        for _ in _write_all(options, out, missing, min(workers, len(missing))):
            bar.update(len(options.views) * options.frames)
    shutil.rmtree(out / _UNFINISHED, ignore_errors=True)
    write_json(out / "partition.json", make_partition(options))
    record["complete"] = True
    write_json(out / "dataset.json", record)
    return record


def _describe(options: WalkerSet, body: BodyModel, command: str) -> dict[str, Any]:
    walks = options.walks()
    sequences = len(walks) * len(options.views)
    return {
        "dataset": "Walkers: synthetic people with ground-truth bodies, in OpenGait's layout",
        "complete": False,
        "version": __version__,
        "command": command,
        "body": {"name": body.name, "fingerprint": body.fingerprint, "licence": body.licence},
        "options": asdict(options) | {"views": list(options.views), "train": options.num_train},
        "frames_per_second": FRAMES_PER_SECOND,
        "counts": {
            "ids": options.ids,
            "walks": len(walks),
            "sequences": sequences,
            "frames": sequences * options.frames,
        },
        "files": {
            FILES[0]: "silhouettes, uint8 [frames, 64, 64]",
            FILES[
                1
            ]: "float32 [frames, 85]: weak-perspective camera (s, tx, ty), axis-angle of 24 joints with the root "
            "in camera orientation (x right, y down, z away), 10 betas",
        },
    }


def _claim(out: Path, record: dict[str, Any]) -> None:
    """Make sure that ``out`` is free, or holds a part of the same dataset."""
    path = out / "dataset.json"
    try:
        if out.exists() and not out.is_dir():
            raise UserError(f"{out} is a file. Give a folder, or a name that is still free.")
        if not path.exists():
            if out.is_dir() and any(out.iterdir()):
                raise UserError(
                    f"{out} holds files but no dataset.json of walkers. Give an empty folder or a new name."
                )
            write_json(path, record)
    except OSError as error:
        raise UserError(f"Cannot write to {out}: {error.strerror}. Give another folder.") from error
    found = read_json(path)
    for key in ("version", "body", "options"):
        before, now = found.get(key), record[key]
        if before == now:
            continue
        if isinstance(before, dict):
            key, before, now = next((k, before.get(k), now[k]) for k in now if before.get(k) != now[k])
        raise UserError(
            f"{out} already holds walkers made with {key} {before}, and now {key} is {now}. "
            "Give another folder, or the same options to go on there."
        )


def _complete(out: Path, walk: WalkName, view: int) -> bool:
    return all((_folder(out, walk, view) / name).is_file() for name in FILES)


def _folder(out: Path, walk: WalkName, view: int) -> Path:
    return out / walk.label / walk.type / view_folder(view)


def _write_all(options: WalkerSet, out: Path, walks: list[WalkName], workers: int) -> Iterator[None]:
    """Write the walks; yields once for each."""
    if workers <= 1:
        with _one_thread():
            body = load_body()
            for walk in walks:
                yield _write_walk(body, options, out, walk)
        return
    # Spawned, not forked: a forked copy of torch's thread pool can hang.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker)
    try:
        futures = [pool.submit(_work, options, out, walk) for walk in walks]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise UserError(
            "A worker process died, perhaps for want of memory. Run again with fewer --workers; what is written stays."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Frames are small: more threads only wait for each other, and the order of a sum could depend on their number."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


_worker_body: BodyModel | None = None


def _start_worker() -> None:
    global _worker_body
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _worker_body = load_body()


def _work(options: WalkerSet, out: Path, walk: WalkName) -> None:
    _write_walk(_worker_body, options, out, walk)


def _write_walk(body: BodyModel, options: WalkerSet, out: Path, walk: WalkName) -> None:
    """Write those views of a walk that are not there yet, each folder whole or not at all."""
    rendered = render_walk(body, walk, options.views, options.frames, options.seed, options.noise)
    for view, arrays in rendered.items():
        if _complete(out, walk, view):
            continue
        unfinished = out / _UNFINISHED / sequence_name(walk, view)
        unfinished.mkdir(parents=True, exist_ok=True)
        for name, array in zip(FILES, arrays):
            (unfinished / name).write_bytes(pickle.dumps(np.ascontiguousarray(array), protocol=4))
        folder = _folder(out, walk, view)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished.replace(folder)
