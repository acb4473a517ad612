"""Walkers on disk: whole sequences only, and a run that resumes where it was stopped."""

import shutil
from collections.abc import Callable, Iterable
from functools import cache, partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tqdm import tqdm

from opengait_meshgait import __version__
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.common.files import write_json
from opengait_meshgait.common.jobs import UNFINISHED, Change, count_workers, open_output, run_jobs, write_folder
from opengait_meshgait.walkers.gait import FRAMES_PER_SECOND
from opengait_meshgait.walkers.layout import Gait3DLayout, Layout, OpenGaitLayout, OUMVLPLayout
from opengait_meshgait.walkers.options import WalkerSet, make_partition
from opengait_meshgait.walkers.person import WalkName
from opengait_meshgait.walkers.sequence import film_walk

_FRAMES_A_WORKER = 10_000  # with fewer, a process takes longer to start than it saves


def write_walkers(
    options: WalkerSet, out: str | Path, workers: int | None = None, command: str = "", raw: str | None = None
) -> dict[str, Any]:
    """Write a dataset, or what is still missing of it.

    The bytes depend on ``options`` and ``raw`` alone, not on the number of workers, nor on whether the run was ever
    stopped.

    Args:
        options: which walkers.
        out: the dataset's folder.
        workers: processes; 1 works in this one, None takes one a CPU core, but no more than the frames are worth.
        command: that asked for it, for ``dataset.json``.
        raw: the raw dataset in whose layout to write, ``gait3d`` or ``oumvlp``; None is OpenGait's, to train with.

    Returns:
        What ``dataset.json`` holds.

    Raises:
        UserError: ``raw`` is unknown, or ``out`` cannot be written, or holds something else than a part of this
            dataset.
    """
    out = Path(out)
    cores = count_workers(workers)
    layout = _choose_layout(options, raw)
    record = _describe(options, layout, load_body(), command)
    open_output(out, "dataset.json", record, ("version", "layout", "body", "options"), "walkers", _explain)
    missing = [
        walk
        for walk in options.walks()
        if not all(_complete(out, layout.folders(walk, view, options.length(walk))) for view in options.views)
    ]
    total = record["counts"]["frames"]
    done = total - len(options.views) * sum(map(options.length, missing))
    workers = min(cores, 1 + (total - done) // _FRAMES_A_WORKER) if workers is None else cores
    with tqdm(total=total, initial=done, unit=" frames", desc=f"walkers in {out}") as bar:
        jobs = [(options, layout, out, walk) for walk in missing]
        for frames in run_jobs(_write_walk, jobs, workers, _body):
            bar.update(frames)
    shutil.rmtree(out / UNFINISHED, ignore_errors=True)
    write_json(out / "partition.json", make_partition(options, layout.sequence_name))
    record["complete"] = True
    write_json(out / "dataset.json", record)
    return record


def _choose_layout(options: WalkerSet, raw: str | None) -> Layout:
    layouts: dict[str, Callable[[], Layout]] = {"gait3d": Gait3DLayout, "oumvlp": partial(OUMVLPLayout, options)}
    if raw not in (None, *layouts):
        raise UserError(f"Unknown raw layout '{raw}'. {did_you_mean(raw, layouts)}")
    return layouts[raw]() if raw else OpenGaitLayout()


def _describe(options: WalkerSet, layout: Layout, body: BodyModel, command: str) -> dict[str, Any]:
    walks = options.walks()
    sequences = len(walks) * len(options.views)
    return {
        "dataset": f"Walkers: synthetic people with ground-truth bodies, {layout.title}",
        "layout": layout.name,
        "complete": False,
        "version": __version__,
        "command": command,
        "body": {"name": body.name, "fingerprint": body.fingerprint, "licence": body.licence},
        "options": options.describe(),
        "frames_per_second": FRAMES_PER_SECOND,
        "counts": {
            "ids": options.ids,
            "walks": len(walks),
            "sequences": sequences,
            "frames": len(options.views) * sum(map(options.length, walks)),
        },
        "files": layout.files,
    } | layout.notes()


def _explain(difference: Change) -> Change:
    """Of two lists of recordings the first that are not the same, of two worlds the first such field."""
    key, before, now = difference
    if key in ("world", "damage") and isinstance(before, dict):
        field = next(name for name in now | before if before.get(name) != now.get(name))
        return _explain((field, before.get(field), now.get(field)))
    if key != "recordings":
        return difference
    pairs: Iterable[tuple[dict, dict]] = zip_longest(before or [], now or [], fillvalue={})
    first, second = next(pair for pair in pairs if pair[0] != pair[1])
    names = [recording.get("file", "none") for recording in (first, second)]
    changed = ", whose content has changed" if names[0] == names[1] else ""
    return f"recording {(first or second)['id']}/{(first or second)['type']}", names[0], names[1] + changed


def _complete(out: Path, folders: dict[Path, list[str]]) -> bool:
    """Whether all folders of a sequence are there, with all their files."""
    try:
        return all({*names} <= {path.name for path in (out / folder).iterdir()} for folder, names in folders.items())
    except (FileNotFoundError, NotADirectoryError):
        return False


@cache
def _body() -> BodyModel:
    """This process's."""
    return load_body()


def _write_walk(options: WalkerSet, layout: Layout, out: Path, walk: WalkName) -> int:
    """Write those views of a walk that are not there yet, each folder whole or not at all; frames in all views."""
    length, body = options.length(walk), _body()
    filmed = film_walk(body, walk, options)
    for view, (pictures, smpls) in filmed.items():
        folders = layout.folders(walk, view, length)
        if not _complete(out, folders):
            for (folder, names), contents in zip(folders.items(), layout.contents(body, pictures, smpls), strict=True):
                write_folder(out, folder, dict(zip(names, contents, strict=True)))
    return length * len(filmed)
