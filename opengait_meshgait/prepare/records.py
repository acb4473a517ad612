"""What became of the sequences of a dataset: records, written as they are done, their sum, and both in words."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from opengait_meshgait.common.errors import list_names
from opengait_meshgait.common.files import atomic_path

Record = dict[str, Any]

_SHOWN = 5
_DROPPED = {
    "too_little": "hardly show anybody",
    "no_centre": "have no centre that OpenGait could use",
    "unreadable": "cannot be read",
}
_BINS = 10
_LONGEST = 40  # characters of a bar


def read_records(path: Path) -> dict[str, Record]:
    """The records in a file of JSON lines, by their ``sequence``. A line that a kill tore counts as not written."""
    records = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        records[record["sequence"]] = record
    return records


def append_record(path: Path, record: Record) -> None:
    """Add a record to the file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(_json_line(record))


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write all records anew, sorted by sequence."""
    with atomic_path(path) as temporary:
        ordered = sorted(records, key=lambda record: record["sequence"])
        temporary.write_text("".join(map(_json_line, ordered)), encoding="utf-8")


def _json_line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def summarize(
    records: list[Record], problems: Mapping[str, str], without_silhouettes: list[str], passed_over: list[str]
) -> Record:
    """Sum up.

    Args:
        records: of the prepared sequences.
        problems: why others were left out, by name.
        without_silhouettes: bodies of sequences that have no silhouettes.
        passed_over: folders that are not called as the layout has it.

    Returns:
        Plain values: ``sequences``, ``frames``, ``bodies`` and ``iou`` counted, ``read`` and ``unread`` by what and how
        often, ``disagreeing`` and ``problems`` by sequence.
    """
    total = {
        key: sum(record[key] for record in records)
        for key, value in (records[0] if records else {}).items()
        if isinstance(value, int)
    }
    summary: Record = {
        "sequences": {
            "found": len(records) + len(problems),
            "prepared": len(records),
            "left_out": len(problems),
        },
        "frames": {key: total.get(key, 0) for key in ("frames", "kept", *_DROPPED, "several_parts")},
        "bodies": {
            key: total.get(key, 0)
            for key in ("bodies", "without_body", "without_silhouette", "unreadable_bodies", "masked")
        },
        "iou": None,
        "read": dict(sorted(Counter(record["source"] for record in records if record["source"]).items())),
        "unread": dict(sorted(Counter(name for record in records for name in record["unread"]).items())),
        "disagreeing": {a["sequence"]: a["disagrees"] for a in records if a["disagrees"]},
        "without_any_body": [a["sequence"] for a in records if a["without_body"] == a["kept"]],
        "without_silhouettes": without_silhouettes,
        "passed_over": passed_over,
        "problems": dict(sorted(problems.items())),
    }
    ious = _overlaps(records)
    if len(ious):
        low, median, high = np.percentile(ious, [5, 50, 95]).round(3).tolist()
        summary["iou"] = {"mean": round(float(ious.mean()), 3), "p5": low, "median": median, "p95": high}
    return summary


def _overlaps(records: Iterable[Record]) -> np.ndarray:
    """The IoU of every frame whose body was compared, float64 [number]."""
    return np.array([iou for record in records for iou in record["ious"] or [] if iou is not None], float)


def describe_summary(summary: Record, records: Iterable[Record]) -> str:
    """What :func:`summarize` found of these records, for people, several lines."""
    sequences, frames, bodies = summary["sequences"], summary["frames"], summary["bodies"]
    lines = [
        f"{sequences['prepared']} of {sequences['found']} sequences prepared, {frames['kept']} of {frames['frames']} "
        "frames kept."
    ]
    lines += [f"  {frames[key]} frames dropped: they {why}." for key, why in _DROPPED.items() if frames[key]]
    if frames["several_parts"]:
        lines.append(
            f"  {frames['several_parts']} frames hold several parts, specks or people, which change the height or "
            "place of the person; --largest keeps the largest part of each picture."
        )
    if bodies["bodies"]:
        lines.append(
            f"{bodies['bodies']} bodies; {bodies['without_body']} frames have none, {bodies['without_silhouette']} "
            f"bodies have no silhouette, {bodies['unreadable_bodies']} cannot be read."
        )
        lines += [f"  read in {number} sequences: {source}." for source, number in summary["read"].items()]
    if summary["unread"]:
        lines.append(
            f"{sum(summary['unread'].values())} files were not read, for each frame has a file of its own: "
            f"{list_names(summary['unread'])}."
        )
    if summary["iou"]:
        lines.append(iou_histogram(_overlaps(records)))
        lines.append(f"{bodies['masked']} bodies overlap their silhouette too little and get weight 0.")
    lines += _some("sequences have no body at all", summary["without_any_body"] if bodies["bodies"] else [])
    lines += _some("folders were passed over, for the layout has no such names", summary["passed_over"])
    lines += _some("sequences of bodies have no silhouettes", summary["without_silhouettes"])
    lines += _some("sequences whose bodies disagree with their silhouettes", summary["disagreeing"])
    lines += _some("sequences left out", summary["problems"])
    return "\n".join(lines)


def iou_histogram(ious: np.ndarray) -> str:
    """A histogram by tenths with bars and counts, the mean and the 5th, 50th and 95th percentile.

    Args:
        ious: of all frames that have a body, float [N] in 0 … 1; with none, one line says so.
    """
    ious = np.asarray(ious, float)
    if not len(ious):
        return "IoU of bodies and silhouettes: no frame has a body."
    # A value on a bin's edge belongs above it, also where 0.7 * 10 rounds to less than 7; 1 belongs to the last bin.
    counts = np.bincount(np.clip(np.floor(ious * _BINS + 1e-6).astype(int), 0, _BINS - 1), minlength=_BINS)
    width = len(f"{counts.max():,}")
    lines = [f"IoU of bodies and silhouettes, {len(ious):,} frames:"]
    for index, count in enumerate(counts):
        bar = "#" * int(np.ceil(_LONGEST * count / counts.max()))
        lines.append(f"  {index / _BINS:.1f}-{(index + 1) / _BINS:.1f}  {count:>{width},}  {bar}".rstrip())
    low, middle, high = np.percentile(ious, [5, 50, 95])
    lines.append(f"  mean {ious.mean():.3f}, 5 % below {low:.3f}, half below {middle:.3f}, 95 % below {high:.3f}")
    return "\n".join(lines)


def _some(what: str, names: Mapping[str, Any] | list[str]) -> list[str]:
    """A heading and the first few of some sequences, with their reasons."""
    if not names:
        return []
    shown = list(names)[:_SHOWN]
    lines = [f"  {name}: {names[name]}" if isinstance(names, Mapping) else f"  {name}" for name in shown]
    more = [f"  and {len(names) - _SHOWN} more, in prepare.json"] if len(names) > _SHOWN else []
    return [f"{len(names)} {what}:", *lines, *more]
