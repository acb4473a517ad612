"""Whose walks recordings are: people by the names of files, or by a pattern in them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from opengait_meshgait.common.errors import UserError, list_names
from opengait_meshgait.walkers.recorded import RecordedMotion, load_recording

People = dict[str, list[tuple[Path, RecordedMotion]]]
"""By name, in its order, the recordings of each person in the order of theirs."""


def read_people(collections: Sequence[Iterable[str | Path]], person: str | None = None) -> People:
    """Read recordings, and find out who walks in which.

    Without a pattern a person is what the file says (the ``subject`` of an .npz), or its name up to the first ``_``,
    within one folder: in another, equal names may be somebody else's.

    Args:
        collections: files of each, for :func:`~opengait_meshgait.walkers.recorded.load_recording`. People of one name
            in two collections are two people, ``1/C07`` and ``2/C07``.
        person: a regular expression whose only group is the person, looked for in names of files without their ending;
            with a ``/`` in it, in their absolute paths.

    Raises:
        UserError: a file cannot be used; two are called alike; a person lies in two folders; the pattern is none, or
            does not find anybody in a file.
    """
    pattern = None if person is None else _compile(person)
    found: dict[str, dict[str, tuple[Path, RecordedMotion]]] = {}
    for number, paths in enumerate(collections, start=1):
        folders: dict[str, Path] = {}
        for path in map(Path, paths):
            motion = load_recording(path)
            name = motion.person if pattern is None else _find_person(path, pattern)
            if pattern is None and (folder := folders.setdefault(name, path.parent)) != path.parent:
                raise UserError(
                    f"{name} is in {folder} and in {path.parent}. If these are two people, give each folder a --motion "
                    "of its own; if they are one, say with --person what in the files' names the person is: "
                    "--person '^([^_]+)'."
                )
            name = f"{number}/{name}" if len(collections) > 1 else name
            walks = found.setdefault(name, {})
            if motion.name in walks:
                raise UserError(
                    f"{walks[motion.name][0]} and {path} would both be the walk {motion.name} of {name}. Give each "
                    "recording once, and rename one where two are called alike."
                )
            walks[motion.name] = path, replace(motion, person=name)
    return {name: [walk for _, walk in sorted(found[name].items())] for name in sorted(found)}


def list_people(recordings: Iterable[tuple[str, str]]) -> str:
    """Lines that say who walks in which files, from pairs of a person and a file's name."""
    files: dict[str, list[str]] = defaultdict(list)
    for person, file in recordings:
        files[person].append(file)
    lines = [f"  {person}: {list_names(names)}" for person, names in files.items()]
    return "\n".join([f"{len(files)} people in {sum(map(len, files.values()))} recordings:", *lines])


def _compile(person: str) -> re.Pattern:
    what = "give a regular expression with one group, the person: '(subject[0-9]+)'"
    try:
        pattern = re.compile(person)
    except re.error as error:
        raise UserError(f"--person '{person}': {error}; {what}.") from error
    if pattern.groups != 1:
        raise UserError(f"--person '{person}' has {pattern.groups} groups; {what}.")
    return pattern


def _find_person(path: Path, pattern: re.Pattern) -> str:
    text = path.absolute().with_suffix("").as_posix() if "/" in pattern.pattern else path.stem
    match = pattern.search(text)
    if not match or not match[1]:
        raise UserError(
            f"--person '{pattern.pattern}' finds nobody in {text}: it is looked for in names of files without their "
            "ending, and with a / in it in their paths. Change it, or leave the file out."
        )
    return match[1]
