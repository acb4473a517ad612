"""The silhouettes of one sequence, raw pictures or a prepared pickle, by frame."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial

import cv2
import numpy as np

from opengait_meshgait.common.errors import UserError, list_names
from opengait_meshgait.common.files import list_folder, pickle_kind
from opengait_meshgait.common.pictures import (
    FrameKey,
    has_person,
    normalize_silhouette,
    picture_files,
    read_picture,
)
from opengait_meshgait.common.silhouettes import NormalizedSilhouettes, judge_silhouettes
from opengait_meshgait.prepare.layouts import RawLayout

_RESIZING = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}


@dataclass(slots=True)
class Silhouettes:
    """What became of a sequence's pictures.

    Attributes:
        frames: all frames, by what they are joined by, in order; of a pickle their numbers.
        named: whether ``frames`` come from file names.
        kept: the places in ``frames`` of those that are in ``pictures``, int64 [T].
        pictures: uint8 [T, size, size].
        too_little: frames with hardly anything in them.
        no_centre: frames whose median column OpenGait cannot use.
        several_parts: frames with parts that change the person's height or place.
        unreadable: why others could not be read, one message each.
    """

    frames: list[FrameKey]
    named: bool
    kept: np.ndarray
    pictures: np.ndarray
    too_little: int = 0
    no_centre: int = 0
    several_parts: int = 0
    unreadable: list[str] = field(default_factory=list)


def read_raw_silhouettes(folder: str, size: int, layout: RawLayout, largest: bool = False) -> Silhouettes:
    """Normalise the silhouettes in a folder.

    Args:
        folder: holds one picture a frame, or one pickle as OpenGait's ``pretreatment.py`` writes it.
        size: height and width of the normalised pictures, px.
        layout: what they are called, and whether they are normalised already.
        largest: take of each picture the largest connected part alone.

    Raises:
        UserError: the folder holds neither, or two pictures of one frame; the pickle cannot be used; or they are no
            silhouettes.
    """
    places = picture_files(folder, layout.endings)
    if not places:
        return _read_pickle(folder, size, layout)
    normalize = partial(_aligned, resizing=layout.aligned) if layout.aligned else normalize_silhouette
    found, unreadable = NormalizedSilhouettes(size, largest, normalize), []
    for place, path in enumerate(places.values()):
        try:
            found.add(place, read_picture(path))
        except UserError as error:
            unreadable.append(str(error))
    return Silhouettes(
        frames=list(places),
        named=True,
        kept=np.array(found.kept, np.int64),
        pictures=found.stacked(folder),
        too_little=found.too_little,
        no_centre=found.no_centre,
        several_parts=found.several_parts,
        unreadable=unreadable,
    )


def _aligned(picture: np.ndarray, size: int, resizing: str) -> np.ndarray | None:
    """A silhouette that the dataset has normalised, at the size asked for; None where there is hardly anything in it.

    Its own centre and height stay: OpenGait takes these pictures as they are, too.
    """
    if not has_person(picture):
        return None
    if picture.shape == (size, size):
        return picture
    return cv2.resize(picture, (size, size), interpolation=_RESIZING[resizing])


def silhouette_pickle(folder: str, name: str | None = None) -> str | None:
    """The pickle of silhouettes in a folder: the one called like ``name``, or by the rules of the training data's
    reader; None if there is none."""
    pickles = [entry for entry in list_folder(folder) if entry.name.endswith(".pkl")]
    if name is not None:
        pickles = [entry for entry in pickles if fnmatchcase(entry.name, name)]
    others = [entry for entry in pickles if pickle_kind(entry.name) in ("sil", None)]
    named = [entry for entry in others if pickle_kind(entry.name) == "sil"] or others
    return named[0].path if len(named) == 1 else None


def _read_pickle(folder: str, size: int, layout: RawLayout) -> Silhouettes:
    # Not above: it loads torch, which pictures do without.
    from opengait_meshgait.data.reader import read_silhouettes as read_prepared

    path = silhouette_pickle(folder, layout.pickle)
    if path is None:
        pictures = " or ".join(f"*{ending}" for ending in layout.endings)
        raise UserError(
            f"{folder} holds no silhouettes: looked for {pictures}, or one pickle {layout.pickle or 'of silhouettes'}; "
            f"found "
            f"{list_names(entry.name for entry in list_folder(folder))}."
        )
    pictures = judge_silhouettes(read_prepared(path), path)
    if pictures.shape[1:] != (size, size):
        raise UserError(f"{path} holds pictures of {list(pictures.shape[1:])} px; expected {size} x {size}, as --size.")
    number = len(pictures)
    return Silhouettes([(place,) for place in range(number)], False, np.arange(number), pictures)
