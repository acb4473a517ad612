"""What lies where in a dataset folder: ``root/id/type/view/*.pkl``, distinguished by name, and the partition JSON."""

import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.common.files import list_folder, pickle_kind, read_json, subfolders

SPLITS = {"train": "TRAIN_SET", "val": "VAL_SET", "test": "TEST_SET"}
_SHOWN = 5  # examples in a message

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SequenceInfo:
    """One sequence folder.

    Attributes:
        label: the person's id, as the folder is called.
        type: the walking condition (``nm-01``) or, in Gait3D, the camera.
        view: the view (``090``) or, in Gait3D, the sequence.
        sils_path: the pickle of silhouettes.
        bodies_path: the pickle of 85-number frames or of joints (:func:`holds_joints`), None where bodies are not asked
            for.
        weights_path: the pickle of the bodies' weights, None where there is none or bodies are not asked for.
    """

    label: str
    type: str
    view: str
    sils_path: str
    bodies_path: str | None
    weights_path: str | None

    @property
    def name(self) -> str:
        """``id-type-view``, as partitions name a sequence in ``PROBE_SET``."""
        return f"{self.label}-{self.type}-{self.view}"


def read_partition(path: str | Path, split: str) -> list[str]:
    """The ids of one split of a partition JSON, in the file's order.

    Args:
        path: JSON with lists of ids under ``TRAIN_SET``, ``TEST_SET`` and, optionally, ``VAL_SET``.
        split: ``train``, ``val`` or ``test``.

    Raises:
        UserError: the file is missing or no JSON, or the split is absent, empty or no list of strings.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    key = SPLITS[split]
    partition = read_json(path)
    if not isinstance(partition, dict):
        raise UserError(f"{path} must be a JSON object with lists of ids ({', '.join(SPLITS.values())}).")
    if key not in partition:
        raise UserError(f"The partition {path} has no '{key}'. {did_you_mean(key, partition)}")
    labels = partition[key]
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise UserError(
            f"'{key}' in {path} must be a list of ids, each a string like the folder it names; found {shorten(labels)}."
        )
    return list(dict.fromkeys(labels))


def has_validation_people(partition: str | Path) -> bool:
    """Whether a partition JSON has people to choose by, ``VAL_SET``.

    Raises:
        UserError: the file is missing or no JSON.
    """
    return SPLITS["val"] in read_json(partition)


def find_sequences(
    root: str | Path, labels: Sequence[str], with_bodies: bool, data_in_use: Sequence[bool] | None = None
) -> list[SequenceInfo]:
    """The sequences of some people, in the order of ``labels``, then type, then view.

    Names decide which file is what: ``weight`` in the name means weights, else ``smpl`` 85-number frames, else
    ``joint`` joints, else ``sil`` silhouettes; a pickle of another name counts as silhouettes where it is the only one.
    Further files are other modalities and are ignored, and so are joints beside 85-number frames.

    Args:
        root: the folder with one folder an id.
        labels: ids to look for; those without a folder or without sequences are left out with one warning.
        with_bodies: whether each sequence needs a body, all of them 85-number frames or all of them joints.
        data_in_use: as in OpenGait's YAML, which of a folder's pickles, sorted by name, may be used at all; None for
            all of them. In folders with another number of pickles, their names alone decide.

    Raises:
        UserError: no such root, none of the ids in it, sequences whose files are missing, empty or ambiguous, some with
            85-number frames and some with joints, or a ``data_in_use`` that is not a list of true and false.
    """
    survey = survey_sequences(root, labels, with_bodies, data_in_use)
    found, problems = survey.found, survey.problems
    if len(survey.absent) == len(labels):
        raise UserError(
            f"None of the partition's {len(labels)} ids has a sequence in {root}. The partition asks for "
            f"{shorten(labels)}; the folder has {shorten(survey.folders)}. "
            "Check dataset_root and dataset_partition: the folders must be root/id/type/view/*.pkl."
        )
    if problems:
        heading = f"{len(problems)} of {len(found) + len(problems)} sequences in {root} are unusable"
        bodies = " and, for its bodies, one with 'smpl' or 'joint' in its name" if with_bodies else ""
        masked = f" data_in_use {list(data_in_use)} leaves out files by their place." if data_in_use else ""
        raise UserError(
            f"{list_problems(heading, problems)}\n"
            f"A sequence folder needs one pickle with 'sil' in its name (or a single one){bodies}.{masked} "
            "Prepare these sequences again, or take their folders out."
        )
    if with_bodies:
        check_alike(found)
    if survey.absent:
        logger.warning(
            "%d of the partition's %d ids have no sequence in %s and are left out: %s",
            *(len(survey.absent), len(labels), root, shorten(survey.absent)),
        )
    return found


def find_sequence(folder: str | Path, names: tuple[str, str, str] | None = None) -> SequenceInfo:
    """The sequence in a single folder, with its bodies where it has some.

    Args:
        folder: of its pickles.
        names: id, type and view; None: the last three names of the folder's path.

    Raises:
        UserError: there are no silhouettes, or files are empty or ambiguous.
    """
    folder = Path(folder)
    files = [entry for entry in list_folder(folder) if entry.name.endswith(".pkl")]
    with_bodies = any(pickle_kind(entry.name) in ("smpl", "joint") for entry in files)
    label, type_, view = names or ("", "", *folder.resolve().parts)[-3:]
    try:
        return SequenceInfo(label, type_, view, *_choose(files, with_bodies, None))
    except _Unusable as error:
        names = ", ".join(entry.name for entry in files)
        raise UserError(f"{folder} is unusable: {error} among [{names}]. Prepare the sequence again.") from error


@dataclass(frozen=True, slots=True)
class Survey:
    """What a dataset folder has of some people.

    Attributes:
        found: the sequences that can be used, in the order of the ids asked for, then type, then view.
        problems: ``id/type/view: what is wrong`` of those that cannot.
        present: ids that have sequences, usable or not.
        absent: ids without a folder or without sequences.
        folders: the names of all folders in the root, sorted.
    """

    found: list[SequenceInfo]
    problems: list[str]
    present: list[str]
    absent: list[str]
    folders: list[str]


def survey_sequences(
    root: str | Path, labels: Sequence[str], with_bodies: bool, data_in_use: Sequence[bool] | None = None
) -> Survey:
    """What :func:`find_sequences` finds, usable or not; the arguments are the same.

    Raises:
        UserError: no such root, a folder that cannot be listed, or a ``data_in_use`` that is not a list of true and
            false.
    """
    root = Path(root)
    if data_in_use is not None and not all(isinstance(use, bool) for use in data_in_use):
        raise UserError(
            f"data_in_use must be a list of true and false, one for each pickle of a sequence; found {data_in_use}."
        )
    if not root.is_dir():
        raise UserError(f"dataset_root {root} is not a folder. Set data_cfg.dataset_root to the folder of ids.")
    people = {folder.name: folder for folder in subfolders(root)}
    survey = Survey([], [], [], [], list(people))
    for label in tqdm(labels, "finding sequences", leave=False, dynamic_ncols=True, disable=None, delay=2):
        types = subfolders(people[label].path) if label in people else []
        sequences = [(type_.name, view) for type_ in types for view in subfolders(type_.path)]
        (survey.present if sequences else survey.absent).append(label)
        for type_, view in sequences:
            files = [entry for entry in list_folder(view.path) if entry.name.endswith(".pkl")]
            try:
                survey.found.append(SequenceInfo(label, type_, view.name, *_choose(files, with_bodies, data_in_use)))
            except _Unusable as error:
                names = ", ".join(entry.name for entry in files)
                survey.problems.append(f"{label}/{type_}/{view.name}: {error} among [{names}]")
    return survey


def holds_joints(path: str | Path) -> bool:
    """Whether a file of bodies has joints alone, by its name; else it has 85-number frames."""
    return pickle_kind(Path(path).name) == "joint"


def check_alike(sequences: Sequence[SequenceInfo]) -> None:
    """Make sure that the bodies of all sequences are of one kind.

    Raises:
        UserError: some are 85-number frames and some are joints; no batch could hold both.
    """
    for other in sequences:
        if holds_joints(other.bodies_path) != holds_joints(sequences[0].bodies_path):
            named = " and ".join(f"{info.name} has {Path(info.bodies_path).name}" for info in (sequences[0], other))
            raise UserError(
                f"Some bodies are parameters (*smpl*.pkl) and some are joints alone (*joint*.pkl): {named}. One batch "
                "cannot hold both: prepare all sequences in one way, or name those of one kind in the partition."
            )


def list_problems(heading: str, problems: Sequence[str]) -> str:
    """A heading, the first few problems one a line, and how many more there are."""
    lines = [f"{heading}:", *(f"  {problem}" for problem in problems[:_SHOWN])]
    if len(problems) > _SHOWN:
        lines.append(f"  and {len(problems) - _SHOWN} more")
    return "\n".join(lines)


def shorten(values: object) -> str:
    """The beginning of a list of names, or of whatever else was found in its place."""
    if not isinstance(values, Iterable) or isinstance(values, str | dict):
        return repr(values)[:80]
    values = list(values)
    return f"[{', '.join(map(repr, values[:_SHOWN]))}{', …' if len(values) > _SHOWN else ''}]"


class _Unusable(Exception):
    """What is wrong with one sequence folder."""


def _choose(
    files: list[os.DirEntry], with_bodies: bool, data_in_use: Sequence[bool] | None
) -> tuple[str, str | None, str | None]:
    """The paths of the silhouettes and, where asked for, of the bodies and, where there are any, of their weights."""
    # A list made for other folders says nothing about this one.
    if data_in_use is not None and len(data_in_use) == len(files):
        files = [entry for entry, use in zip(files, data_in_use) if use]
    kinds: dict[str | None, list[os.DirEntry]] = defaultdict(list)
    for entry in files:
        kinds[pickle_kind(entry.name)].append(entry)
    unnamed = kinds[None] if len(kinds[None]) == 1 else []
    silhouettes = _only(kinds["sil"] or unnamed, "silhouettes", "*sil*.pkl")
    if not with_bodies:
        return silhouettes, None, None
    bodies = _only(kinds["smpl"] or kinds["joint"], "bodies", "*smpl*.pkl, or *joint*.pkl for joints alone")
    return silhouettes, bodies, _only(kinds["weight"], "weights", "*weight*.pkl") if kinds["weight"] else None


def _only(candidates: list[os.DirEntry], what: str, pattern: str) -> str:
    """The path of the one candidate, which must have content."""
    if not candidates:
        raise _Unusable(f"no {what} ({pattern})")
    if len(candidates) > 1:
        raise _Unusable(f"several pickles may be the {what} ({', '.join(entry.name for entry in candidates)})")
    (entry,) = candidates
    try:
        if entry.stat().st_size == 0:
            raise _Unusable(f"{entry.name} is empty (0 bytes)")
    except OSError as error:
        raise _Unusable(f"{entry.name} cannot be read ({error.strerror})") from error
    return entry.path
