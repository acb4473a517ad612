"""A whole raw dataset, in parallel, resumed where an earlier run was stopped."""

import json
import pickle
import shutil
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from opengait_meshgait import __version__
from opengait_meshgait.common.containers import ARRAY_FILES
from opengait_meshgait.common.errors import UserError, list_names
from opengait_meshgait.common.files import list_folder, write_json
from opengait_meshgait.common.jobs import UNFINISHED, count_workers, open_output, run_jobs, write_folder
from opengait_meshgait.prepare.bodies import body_files
from opengait_meshgait.prepare.raw import RawSequence, find_raw
from opengait_meshgait.prepare.records import Record, append_record, read_records, summarize, write_records
from opengait_meshgait.prepare.sequence import SILS_FILE, Preparation, prepare_sequence

if TYPE_CHECKING:
    from opengait_meshgait.body.model import BodyModel

SUMMARY, RECORDS, SHEET = "prepare.json", "sequences.jsonl", "worst.png"
_WITHOUT = "Take --silhouettes-only or --bodies none if there are to be none."
_AT_ONCE = 16  # sequences a job, at most


def prepare(preparation: Preparation, out: str | Path, workers: int | None = None) -> Record:
    """Prepare a dataset, or what is still missing of it.

    Written are ``id/type/view/`` with pickles of silhouettes and, where there are bodies, of these and their validity
    weights; ``sequences.jsonl`` with a record of each sequence
    (:class:`~opengait_meshgait.prepare.sequence.SequenceRecord`); ``prepare.json`` with the sum of them; ``worst.png``
    with the frames whose bodies fit worst. The bytes do not depend on ``workers``, nor on whether the run was ever
    stopped.

    Args:
        preparation: what and how.
        out: the prepared dataset's folder.
        workers: processes; None for one a CPU core.

    Returns:
        What ``prepare.json`` holds. Sequences that could not be used are in its ``problems``.

    Raises:
        UserError: nothing is found, or ``out`` cannot be written, holds something else or would be taken for raw data.
    """
    out = Path(out)
    if preparation.dataset == "generic" and out.resolve().is_relative_to(preparation.root.resolve()):
        raise UserError(
            f"The output {out} lies in the root {preparation.root}, where every folder is a raw sequence. Give one "
            "beside it."
        )
    workers = count_workers(workers)
    raw = find_raw(preparation.dataset, preparation.root, preparation.bodies, not preparation.silhouettes_only)
    with_bodies = any(sequence.bodies for sequence in raw.sequences)
    if with_bodies and not any(body_files(sequence.bodies, sequence.silhouettes) for sequence in raw.sequences):
        place = preparation.bodies or preparation.root
        raise UserError(
            f"Not one of {len(raw.sequences)} sequences has a file of bodies: looked for {', '.join(ARRAY_FILES)} in "
            f"{raw.sequences[0].bodies} and its like. {place} holds: "
            f"{list_names(entry.name for entry in list_folder(place))}. {_WITHOUT}"
        )
    summary = _describe(preparation, with_bodies)
    open_output(out, SUMMARY, summary, ("version", "body", "options"), "a dataset")
    done = {name: record for name, record in read_records(out / RECORDS).items() if (out / name / SILS_FILE).is_file()}
    write_records(out / RECORDS, done.values())
    missing = [sequence for sequence in raw.sequences if sequence.name not in done]
    # Several sequences a job: fewer messages between processes.
    size = 1 if workers == 1 else max(1, min(_AT_ONCE, len(missing) // (16 * workers)))
    jobs = [(missing[first : first + size],) for first in range(0, len(missing), size)]
    problems: dict[str, str] = {}
    try:
        results = run_jobs(_prepare, jobs, workers, _start, preparation, with_bodies, out)
        with closing(results), tqdm(total=len(raw.sequences), initial=len(done), unit=" sequences") as bar:
            for name, record, problem in chain.from_iterable(results):
                bar.update()
                if record is None:
                    problems[name] = problem
                else:
                    append_record(out / RECORDS, record)
                    done[name] = record
        records = [done[sequence.name] for sequence in raw.sequences if sequence.name in done]
        write_records(out / RECORDS, records)
        summary |= summarize(records, problems, raw.without_silhouettes, raw.passed_over)
        summary["complete"] = preparation.drop_bad or not problems
        if summary["iou"]:
            # Not above, as in _describe.
            from opengait_meshgait.prepare.contact_sheet import draw_worst

            draw_worst(records, out, preparation.body, out / SHEET)
        write_json(out / SUMMARY, summary)
        if with_bodies and records and len(summary["without_any_body"]) == len(records):
            raise UserError(
                f"Not one of {summary['frames']['kept']} frames has a body: "
                f"{list_names(summary['read'], 3) if summary['read'] else 'no body was found in any file'}. {_WITHOUT}"
            )
    except OSError as error:
        raise UserError(
            f"Cannot write to {out}: {error.strerror}. What is written stays: run again to resume."
        ) from error
    finally:
        shutil.rmtree(out / UNFINISHED, ignore_errors=True)
    return summary


def _describe(preparation: Preparation, with_bodies: bool) -> Record:
    body = None
    if with_bodies:
        # Not above: it loads torch, which silhouettes alone do without.
        from opengait_meshgait.body.files import load_body

        model = load_body(preparation.body)
        body = {"name": model.name, "fingerprint": model.fingerprint}
    options = asdict(preparation) | {
        "root": str(preparation.root.resolve()),
        "bodies": preparation.bodies and str(preparation.bodies.resolve()),
    }
    options["trackers"] = [tracker.name for tracker in preparation.trackers]
    if len(preparation.trackers) == 1:
        options["keys"] = asdict(preparation.trackers[0].keys)
    del options["body"]  # its fingerprint says more than its path
    # As it will be read again.
    return json.loads(json.dumps({"version": __version__, "complete": False, "body": body, "options": options}))


_preparation: Preparation
_body: "BodyModel | None"
_out: Path


def _start(preparation: Preparation, with_bodies: bool, out: Path) -> None:
    """Make a process ready."""
    global _preparation, _body, _out
    _preparation, _body, _out = preparation, None, out
    if with_bodies:
        from opengait_meshgait.body.files import load_body

        _body = load_body(preparation.body)


def _prepare(sequences: Iterable[RawSequence]) -> list[tuple[str, Record | None, str | None]]:
    """Of each sequence its name, and either its record or what is wrong with it."""
    results: list[tuple[str, Record | None, str | None]] = []
    for sequence in sequences:
        try:
            files, record = prepare_sequence(sequence, _preparation, _body)
        except UserError as error:
            results.append((sequence.name, None, str(error)))
            continue
        contents = {name: pickle.dumps(np.ascontiguousarray(array), protocol=4) for name, array in files.items()}
        write_folder(_out, sequence.name, contents)
        results.append((sequence.name, asdict(record), None))
    return results
