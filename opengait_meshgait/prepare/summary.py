"""What the preparation of a dataset came to, in numbers and in words."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from opengait_meshgait.prepare.distribution import distribution
from opengait_meshgait.prepare.journal import Record

_SHOWN = 5
_DROPPED = {
    "too_little": "hardly show anybody",
    "no_centre": "have no centre that OpenGait could use",
    "unreadable": "cannot be read",
}


def summarize(accounts: list[Record], problems: Mapping[str, str], without_silhouettes: list[str]) -> Record:
    """Sum up.

    Args:
        accounts: of the prepared sequences.
        problems: why others were left out, by name.
        without_silhouettes: bodies of sequences that have no silhouettes.

    Returns:
        Plain values: ``sequences``, ``frames``, ``bodies`` and ``iou`` counted, ``disagreeing`` and ``problems`` by
        sequence.
    """
    total = {
        key: sum(account[key] for account in accounts)
        for key, value in (accounts[0] if accounts else {}).items()
        if isinstance(value, int)
    }
    summary: Record = {
        "sequences": {
            "found": len(accounts) + len(problems),
            "prepared": len(accounts),
            "left_out": len(problems),
        },
        "frames": {key: total.get(key, 0) for key in ("frames", "kept", *_DROPPED)},
        "bodies": {
            key: total.get(key, 0)
            for key in ("bodies", "without_body", "without_silhouette", "unreadable_bodies", "masked")
        },
        "iou": None,
        "disagreeing": {a["sequence"]: a["disagrees"] for a in accounts if a["disagrees"]},
        "without_any_body": [a["sequence"] for a in accounts if a["without_body"] == a["kept"]],
        "without_silhouettes": sorted(without_silhouettes),
        "problems": dict(sorted(problems.items())),
    }
    ious = overlaps(accounts)
    if len(ious):
        low, median, high = np.percentile(ious, [5, 50, 95]).round(3).tolist()
        summary["iou"] = {"mean": round(float(ious.mean()), 3), "p5": low, "median": median, "p95": high}
    return summary


def overlaps(accounts: Iterable[Record]) -> np.ndarray:
    """The IoU of every frame whose body was compared, float64 [number]."""
    return np.array([iou for account in accounts for iou in account["ious"] or [] if iou is not None], float)


def describe_summary(summary: Record, accounts: Iterable[Record]) -> str:
    """The summary for people, several lines.

    Args:
        summary: of :func:`summarize`.
        accounts: of the prepared sequences.
    """
    sequences, frames, bodies = summary["sequences"], summary["frames"], summary["bodies"]
    lines = [
        f"{sequences['prepared']} of {sequences['found']} sequences prepared, {frames['kept']} of {frames['frames']} "
        "frames kept."
    ]
    lines += [f"  {frames[key]} frames dropped: they {why}." for key, why in _DROPPED.items() if frames[key]]
    if bodies["bodies"]:
        lines.append(
            f"{bodies['bodies']} bodies; {bodies['without_body']} frames have none, {bodies['without_silhouette']} "
            f"bodies have no silhouette, {bodies['unreadable_bodies']} cannot be read."
        )
    if summary["iou"]:
        lines.append(distribution(overlaps(accounts)))
        lines.append(f"{bodies['masked']} bodies overlap their silhouette too little and get weight 0.")
    lines += _some("sequences have no body at all", summary["without_any_body"] if bodies["bodies"] else [])
    lines += _some("sequences of bodies have no silhouettes", summary["without_silhouettes"])
    lines += _some("sequences whose bodies disagree with their silhouettes", summary["disagreeing"])
    lines += _some("sequences left out", summary["problems"])
    return "\n".join(lines)


def _some(what: str, names: Mapping[str, Any] | list[str]) -> list[str]:
    """A heading and the first few of some sequences, with their reasons."""
    if not names:
        return []
    shown = list(names)[:_SHOWN]
    lines = [f"  {name}: {names[name]}" if isinstance(names, Mapping) else f"  {name}" for name in shown]
    more = [f"  and {len(names) - _SHOWN} more, in prepare.json"] if len(names) > _SHOWN else []
    return [f"{len(names)} {what}:", *lines, *more]
