"""Sequences of silhouettes, wherever they lie and whatever their size, as the network was trained on them."""

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.pictures import normalize_silhouette, picture_files, read_picture
from opengait_meshgait.data.layout import find_sequence, list_problems, shorten, survey_sequences
from opengait_meshgait.data.reader import grey_levels, read_silhouettes
from opengait_meshgait.networks import SILHOUETTE_SIZE

SIZE, CUT = SILHOUETTE_SIZE
"""Height of a normalised silhouette, which is its width too, and the width that is left when its sides are cut, px."""


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


def normalize_sequence(sils: Any, name: str = "The sequence") -> tuple[np.ndarray, np.ndarray]:
    """The silhouettes of one sequence, normalised where they are not.

    Args:
        sils: array or tensor of bools, integers or floats, 0…1 or 0…255. ``[s, 64, 64]`` are normalised silhouettes,
            ``[s, 64, 44]`` the same with their sides cut; pictures of any other size, ``[s, h, w]``, are raw and are
            normalised here, and those with nobody in them left out.
        name: of the sequence, for messages.

    Returns:
        uint8 ``[s', 64, 64]``, 0…255, and which frames these are, int64 ``[s']``.

    Raises:
        UserError: another shape, no frames, nobody in any of them, or values that are no silhouettes'.
    """
    array = sils.detach().cpu().numpy() if isinstance(sils, torch.Tensor) else np.asarray(sils)
    pictures = grey_levels(array, name)
    frames = np.arange(len(pictures))
    if pictures.shape[1:] == (SIZE, CUT):
        side = (SIZE - CUT) // 2
        return np.pad(pictures, ((0, 0), (0, 0), (side, side))), frames
    if pictures.shape[1:] == (SIZE, SIZE):
        return pictures, frames
    return _normalize_raw(pictures, name)


def _normalize_raw(pictures: np.ndarray | Sequence[np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    """The same for raw pictures, uint8 [h, w], 0…255, which may differ in size."""
    found = [normalize_silhouette(picture, SIZE) for picture in pictures]
    kept = [frame for frame, picture in enumerate(found) if picture is not None]
    if not kept:
        raise UserError(
            f"{name}: in none of its {len(pictures)} pictures is the silhouette of a person. It needs more than 39 "
            "white pixels on black, not all of them at the left rim."
        )
    return np.stack([found[frame] for frame in kept]), np.array(kept)


def _in_folder(root: Path) -> list[Source]:
    if picture_files(root):
        return [Source(root.resolve().name, "", "", partial(_read_pictures, root))]
    if next(root.glob("*.pkl"), None):
        return [Source(root.resolve().name, "", "", partial(_read_pickle, find_sequence(root).sils_path))]
    raw = sorted({picture.parent for picture in root.glob("*/*/*/*.png")})
    if raw:
        names = [folder.relative_to(root).parts for folder in raw]
        return [Source(a, b, c, partial(_read_pictures, root / a / b / c)) for a, b, c in names]
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
        return normalize_sequence(np.stack(pictures), str(folder))[0]
    return _normalize_raw(pictures, str(folder))[0]


def require_prepared(sils: np.ndarray, path: str | Path) -> np.ndarray:
    """The silhouettes of a pickle, if they are normalised.

    Raises:
        UserError: they are of another size.
    """
    if sils.shape[1:] != (SIZE, SIZE):
        # Whether they are raw, or normalised to another size for a network that was trained on it, cannot be seen.
        raise UserError(f"{path} holds pictures of {list(sils.shape[1:])} px; expected {SIZE} x {SIZE}: prepare them.")
    return sils


def _read_pickle(path: str | Path) -> np.ndarray:
    return require_prepared(read_silhouettes(path), path)


def _read_stack(archive: np.lib.npyio.NpzFile, key: str, name: str) -> np.ndarray:
    try:
        return normalize_sequence(archive[key], name)[0]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{name} cannot be read: {error}") from error
