"""A whole raw dataset, in parallel, resumed where an earlier run was stopped."""

import json
import os
import pickle
import shutil
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from tqdm import tqdm

from opengait_meshgait import __version__
from opengait_meshgait.common.errors import UserError, list_names
from opengait_meshgait.common.files import list_folder, write_json
from opengait_meshgait.common.jobs import in_processes
from opengait_meshgait.common.output import UNFINISHED, open_output
from opengait_meshgait.prepare.journal import Journal, Record
from opengait_meshgait.prepare.raw import FINDERS, RawSequence
from opengait_meshgait.prepare.sequence import SILHOUETTES, Reading, prepare_sequence
from opengait_meshgait.prepare.summary import summarize

if TYPE_CHECKING:
    from opengait_meshgait.body.model import BodyModel

RECORD, JOURNAL, SHEET = "prepare.json", "sequences.jsonl", "worst.png"
_AT_ONCE = 16  # sequences a job: fewer messages between processes


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is prepared, and how.

    Attributes:
        dataset: ``gait3d``, ``oumvlp`` or ``generic``.
        root: the raw dataset.
        bodies: the folder of its bodies, where it is not the usual one.
        silhouettes_only: leave bodies alone.
        reading: how sequences are read.
        body: file of the body that is compared with silhouettes; None is the stand-in.
    """

    dataset: str
    root: Path
    bodies: Path | None = None
    silhouettes_only: bool = False
    reading: Reading = Reading()
    body: Path | None = None


def prepare(preparation: Preparation, out: str | Path, workers: int | None = None) -> Record:
    """Prepare a dataset, or what is still missing of it.

    Written are ``id/type/view/`` with pickles of silhouettes and, where there are bodies, of these and their validity
    weights; ``sequences.jsonl`` with the :class:`Account` of each sequence; ``prepare.json`` with the sum of them;
    ``worst.png`` with the frames whose bodies fit worst. The bytes do not depend on ``workers``, nor on whether the
    run was ever stopped.

    Args:
        preparation: what and how.
        out: the prepared dataset's folder.
        workers: processes; None for one a CPU core.

    Returns:
        What ``prepare.json`` holds. Sequences that could not be used are in its ``problems``.

    Raises:
        UserError: nothing is found, or ``out`` cannot be written or holds something else.
    """
    out = Path(out)
    workers = os.cpu_count() or 1 if workers is None else workers
    if workers < 1:
        raise UserError(f"workers is {workers}: give at least 1.")
    raw = FINDERS[preparation.dataset](preparation.root, preparation.bodies, not preparation.silhouettes_only)
    if not raw.sequences:
        raise UserError(
            f"No sequence found: looked for {raw.layout}. {preparation.root} holds: "
            f"{list_names(entry.name for entry in list_folder(preparation.root))}."
        )
    with_bodies = any(sequence.bodies for sequence in raw.sequences)
    record = _describe(preparation, with_bodies)
    open_output(out, RECORD, record, ("version", "body", "options"), "a dataset")
    journal = Journal(out / JOURNAL)
    done = {name: account for name, account in journal.read().items() if (out / name / SILHOUETTES).is_file()}
    journal.replace(done.values())
    missing = [sequence for sequence in raw.sequences if sequence.name not in done]
    problems: dict[str, str] = {}
    try:
        results = _prepare_all(missing, preparation, out, workers, with_bodies)
        with closing(results), tqdm(total=len(raw.sequences), initial=len(done), unit=" sequences") as bar:
            for name, account, problem in results:
                bar.update()
                if account is None:
                    problems[name] = problem
                else:
                    journal.append(account)
                    done[name] = account
        accounts = [done[sequence.name] for sequence in raw.sequences if sequence.name in done]
        record |= summarize(accounts, problems, raw.without_silhouettes)
        record["complete"] = preparation.reading.drop_bad or not problems
        _finish(record, accounts, preparation.body, out)
    except OSError as error:
        raise UserError(
            f"Cannot write to {out}: {error.strerror}. What is written stays: run again to resume."
        ) from error
    finally:
        shutil.rmtree(out / UNFINISHED, ignore_errors=True)
    return record


def _finish(record: Record, accounts: list[Record], body: Path | None, out: Path) -> None:
    Journal(out / JOURNAL).replace(accounts)
    if record["iou"]:
        # Not above, as in _describe.
        from opengait_meshgait.prepare.worst import draw_worst

        draw_worst(accounts, out, body, out / SHEET)
    write_json(out / RECORD, record)


def _describe(preparation: Preparation, with_bodies: bool) -> Record:
    body = None
    if with_bodies:
        # Not above: it loads torch, which silhouettes alone do without.
        from opengait_meshgait.body.files import load_body

        model = load_body(preparation.body)
        body = {"name": model.name, "fingerprint": model.fingerprint}
    options = asdict(preparation.reading) | {
        "dataset": preparation.dataset,
        "root": str(preparation.root.resolve()),
        "bodies": preparation.bodies and str(preparation.bodies.resolve()),
        "silhouettes_only": preparation.silhouettes_only,
    }
    # As it will be read again.
    return json.loads(json.dumps({"version": __version__, "complete": False, "body": body, "options": options}))


Result = tuple[str, Record | None, str | None]
"""A sequence's name, and either its account or what is wrong with it."""


def _prepare_all(
    sequences: list[RawSequence], preparation: Preparation, out: Path, workers: int, with_bodies: bool
) -> Generator[Result, None, None]:
    settings = preparation.reading, preparation.body, with_bodies, out
    if workers == 1:
        _start(*settings, threads=None)
        return (result for sequence in sequences for result in _work([sequence]))
    size = max(1, min(_AT_ONCE, len(sequences) // (16 * workers)))
    jobs = [(sequences[first : first + size],) for first in range(0, len(sequences), size)]
    done = in_processes(_work, jobs, min(workers, len(jobs)), _start, *settings)
    return (result for results in done for result in results)


_reading: Reading
_body: "BodyModel | None"
_out: Path


def _start(reading: Reading, body: Path | None, with_bodies: bool, out: Path, threads: int | None = 1) -> None:
    """Make a process ready; its frames are small, and more than one thread would only wait."""
    global _reading, _body, _out
    _reading, _body, _out = reading, None, out
    if threads:
        cv2.setNumThreads(threads)
    if with_bodies:
        import torch

        from opengait_meshgait.body.files import load_body

        if threads:
            torch.set_num_threads(threads)
        _body = load_body(body)


def _work(sequences: Iterable[RawSequence]) -> list[Result]:
    results: list[Result] = []
    for sequence in sequences:
        try:
            files, account = prepare_sequence(sequence, _reading, _body)
        except UserError as error:
            results.append((sequence.name, None, str(error)))
            continue
        _write(sequence, files)
        results.append((sequence.name, account.as_json(), None))
    return results


def _write(sequence: RawSequence, files: dict[str, np.ndarray]) -> None:
    """The sequence's folder, whole or not at all."""
    unfinished = _out / UNFINISHED / sequence.name.replace("/", "-")
    folder = _out / sequence.name
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        for name, array in files.items():
            (unfinished / name).write_bytes(pickle.dumps(np.ascontiguousarray(array), protocol=4))
        if folder.exists():
            shutil.rmtree(folder)
        elif not folder.parent.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished.replace(folder)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
