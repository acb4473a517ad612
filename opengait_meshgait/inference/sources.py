"""Sequences of silhouettes, wherever they lie: prepared or raw folders, and stacks in one file."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.pictures import picture_files, read_picture
from opengait_meshgait.data.layout import find_sequence, list_problems, shorten, survey_sequences
from opengait_meshgait.data.reader import read_silhouettes
from opengait_meshgait.inference.silhouettes import SIZE, normalised, normalised_raw


@dataclass(frozen=True)
class Source:
    """One sequence that can be read.

    Attributes:
        label: the person; where nobody is named, the sequence's own name.
        type: walking condition, or empty.
        view: view, or empty.
        read: gives the normalised silhouettes, uint8 [s, 64, 64], 0…255; raises UserError.
    """

    label: str
    type: str
    view: str
    read: Callable[[], np.ndarray]

    @property
    def name(self) -> str:
        """``id-type-view``, or the label alone."""
        return "-".join(filter(None, (self.label, self.type, self.view)))


def find_sources(path: str | Path) -> list[Source]:
    """The sequences in a folder or a file, sorted by person, type and view.

    Args:
        path: ``id/type/view/*.pkl`` as data are prepared for training; ``id/type/view/*.png``, raw or normalised; the
            folder of one such sequence, or any folder of PNGs; an ``.npz`` of arrays [s, h, w], named as the people, or
            ``id/type/view``; or the ``.pkl`` of one sequence.

    Raises:
        UserError: there is nothing of the kind.
    """
    path = Path(path)
    if path.is_dir():
        found = _in_folder(path)
    elif path.suffix == ".npz" and path.is_file():
        found = _in_stacks(path)
    elif path.suffix == ".pkl" and path.is_file():
        found = [Source(path.stem, "", "", partial(_read_pickle, path))]
    else:
        state = "is missing" if not path.exists() else "is of an unknown kind"
        raise UserError(f"{path} {state}. Give a folder of id/type/view/, a folder of PNGs, an .npz or a .pkl.")
    return sorted(found, key=lambda source: (source.label, source.type, source.view))


def _in_folder(root: Path) -> list[Source]:
    if picture_files(root):
        return [Source(root.resolve().name, "", "", partial(_read_pictures, root))]
    if next(root.glob("*.pkl"), None):
        return [Source(root.resolve().name, "", "", partial(_read_pickle, find_sequence(root).sils_path))]
    raw = sorted({picture.parent for picture in root.glob("*/*/*/*.png")})
    if raw:
        return [Source(*folder.relative_to(root).parts, partial(_read_pictures, folder)) for folder in raw]
    people = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    survey = survey_sequences(root, people, with_bodies=False)
    if survey.problems:
        total = len(survey.found) + len(survey.problems)
        raise UserError(
            list_problems(f"{len(survey.problems)} of {total} sequences in {root} are unusable", survey.problems)
        )
    if not survey.found:
        raise UserError(
            f"{root} holds no sequences: looked for id/type/view/*.pkl, id/type/view/*.png and *.png; found "
            f"{shorten(sorted(entry.name for entry in root.iterdir()))}."
        )
    return [Source(info.label, info.type, info.view, partial(_read_pickle, info.sils_path)) for info in survey.found]


def _in_stacks(path: Path) -> list[Source]:
    try:
        archive = np.load(path)
        names = list(archive)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no .npz archive, or is truncated. Make it again.") from error
    if "embeddings" in names:
        raise UserError(f"{path} holds embeddings already: give it to `meshgait identify`.")
    if not names:
        raise UserError(f"{path} is empty: expected arrays [s, h, w] of silhouettes, one a sequence.")
    sources = []
    for name in names:
        # What is behind a third slash belongs to the view, so that no two names become one.
        label, type_, view = (*name.split("/", 2), "", "")[:3]
        sources.append(Source(label, type_, view, partial(_read_stack, archive, name, f"{path} ({name})")))
    return sources


def _read_pictures(folder: Path) -> np.ndarray:
    pictures = [read_picture(path) for path in picture_files(folder).values()]
    if len({picture.shape for picture in pictures}) == 1:
        return normalised(np.stack(pictures), str(folder))[0]
    return normalised_raw(pictures, str(folder))[0]


def require_prepared(sils: np.ndarray, path: str | Path) -> np.ndarray:
    """The silhouettes of a pickle, if they are normalised.

    Raises:
        UserError: they are of another size.
    """
    if sils.shape[1:] != (SIZE, SIZE):
        # Whether they are raw, or normalised to another size for a network that was trained on it, nothing tells.
        raise UserError(f"{path} holds pictures of {list(sils.shape[1:])} px; expected {SIZE} x {SIZE}: prepare them.")
    return sils


def _read_pickle(path: str | Path) -> np.ndarray:
    return require_prepared(read_silhouettes(path), path)


def _read_stack(archive: np.lib.npyio.NpzFile, key: str, name: str) -> np.ndarray:
    try:
        return normalised(archive[key], name)[0]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{name} cannot be read: {error}") from error
