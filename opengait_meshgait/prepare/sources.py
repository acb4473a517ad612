"""The silhouettes of one sequence, raw pictures or a prepared pickle, and its bodies from whichever files, by frame."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from opengait_meshgait.body.layout import FRAME_SIZE, NUM_JOINTS, POSE, ROOT_TURN
from opengait_meshgait.common.errors import UserError, list_names
from opengait_meshgait.common.files import list_folder, pickle_kind, read_json, read_npz_objects, read_pickle
from opengait_meshgait.common.pictures import (
    FrameKey,
    by_frame,
    frame_key,
    has_person,
    normalize_silhouette,
    picture_files,
    read_picture,
)
from opengait_meshgait.common.silhouettes import NormalizedSilhouettes, judge_silhouettes
from opengait_meshgait.prepare.layouts import RawLayout
from opengait_meshgait.prepare.parameters import BodyKeys, parse

_ENDINGS = (".npz", ".json", ".pkl")
_RESIZING = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
_TURN = np.diag([1.0, -1.0, -1.0])  # y up, z to the camera -> y down, z away: half a turn about x


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


@dataclass(slots=True)
class Bodies:
    """The bodies of a sequence's frames.

    Attributes:
        rows: float32 [T, 85]: cam, pose, betas; or joints, float32 [T, 24, 3]; 0 where a frame has no body.
        present: which frames have one, bool [T].
        found: bodies in the files.
        unreadable: why others could not be read, one message each.
    """

    rows: np.ndarray
    present: np.ndarray
    found: int = 0
    unreadable: list[str] = field(default_factory=list)


def holds_bodies(folder: str) -> bool:
    """Whether there are body files in a folder, beside silhouettes or not."""
    return bool(_files(folder))


def read_raw_bodies(folder: str, frames: list[FrameKey], named: bool, keys: BodyKeys, y_up: bool = False) -> Bodies:
    """The bodies of some frames: one file for each, by its name, or one file for all.

    Args:
        folder: of ``.npz``, ``.json`` or ``.pkl``; it may be absent, and then no frame has a body.
        frames: what they are joined by.
        named: whether ``frames`` are file names; else bodies are joined by their order.
        keys: the names in the files.
        y_up: turn bodies from y up, z to the camera into camera orientation.

    Raises:
        UserError: no file belongs to any frame, a file for all does not fit their number, or files differ in kind.
    """
    files = _files(folder) if Path(folder).is_dir() else []
    unreadable: list[str] = []
    if len(files) == 1 and (single := _one_for_all(files[0].path, frames, keys)) is not None:
        found = single
    else:
        found, unreadable = _one_a_frame(files, frames, named, folder, keys)
    shapes = {row.shape for row in found.values()}
    if len(shapes) > 1:
        raise UserError(f"{folder}: some files hold body parameters and others joints alone. Prepare the two apart.")
    shape = shapes.pop() if shapes else (FRAME_SIZE,)
    rows, present = np.zeros((len(frames), *shape), np.float32), np.zeros(len(frames), bool)
    for place, frame in enumerate(frames):
        if frame in found:
            rows[place] = _turned(found[frame]) if y_up else found[frame]
            present[place] = _is_body(found[frame])
    return Bodies(rows, present, len(found), unreadable)


def _files(folder: str) -> list[os.DirEntry]:
    silhouettes = silhouette_pickle(folder)
    return [
        e
        for e in list_folder(folder)
        if e.name.lower().endswith(_ENDINGS) and e.path != silhouettes and "weight" not in e.name.lower()
    ]


def _one_for_all(path: str, frames: list[FrameKey], keys: BodyKeys) -> dict[FrameKey, np.ndarray] | None:
    """The bodies of a single file with all frames; None where it is the file of one frame."""
    if len(frames) > 1 and frame_key(Path(path).stem) in frames:
        return None
    content = _load(path)
    try:
        rows = parse(content, keys)
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: {error}.") from error
    if len(rows) < 2 and len(frames) != len(rows):
        return None
    names = content.get("frames") if isinstance(content, Mapping) else None
    if names is not None:
        own = [frame_key(Path(str(name)).stem) for name in names]
        if len(own) != len(rows) or len(set(own)) != len(own):
            raise UserError(
                f"{path}: 'frames' has {len(own)} names, {len(set(own))} of them different, for {len(rows)} bodies."
            )
        return dict(zip(own, rows))
    if len(rows) != len(frames):
        raise UserError(
            f"{path} holds {len(rows)} bodies, and there are {len(frames)} silhouettes. Without names of frames they "
            "cannot be joined: add an array 'frames' of the pictures' names, or store one file a frame."
        )
    return dict(zip(frames, rows))


def _one_a_frame(
    files: list[os.DirEntry], frames: list[FrameKey], named: bool, folder: str, keys: BodyKeys
) -> tuple[dict[FrameKey, np.ndarray], list[str]]:
    places = by_frame(files)
    if places and not named:
        places = dict(zip(frames, places.values())) if len(places) == len(frames) else {}
    if files and not places.keys() & set(frames):
        first = f"{_name(frames[0])} and {_name(frames[-1])}" if frames else "none"
        raise UserError(
            f"None of the {len(files)} body files in {folder} is called like a silhouette: "
            f"{list_names(e.name for e in files)}; the {len(frames)} silhouettes are called like {first}."
        )
    found, unreadable = {}, []
    for frame, path in places.items():
        try:
            rows = parse(_load(path), keys)
        except (UserError, ValueError, TypeError) as error:
            unreadable.append(str(error) if isinstance(error, UserError) else f"{path}: {error}.")
            continue
        if len(rows):
            found[frame] = rows[0]
    return found, unreadable


def _load(path: str) -> Any:
    ending = Path(path).suffix.lower()
    if ending == ".json":
        return read_json(path)
    if ending == ".pkl":
        return read_pickle(path, encoding="latin1")
    content = read_npz_objects(path)
    return content.get("results", content)


def _is_body(row: np.ndarray) -> bool:
    """Trackers write zeros where they found nobody."""
    return bool((row if row.shape == (NUM_JOINTS, 3) else row[POSE]).any())


def _turned(row: np.ndarray) -> np.ndarray:
    """A body with y up in camera orientation."""
    if row.shape == (NUM_JOINTS, 3):
        return row @ _TURN
    turned = row.copy()
    turned[ROOT_TURN] = cv2.Rodrigues(_TURN @ cv2.Rodrigues(row[ROOT_TURN].astype(float))[0])[0].ravel()
    return turned


def _name(frame: FrameKey) -> str:
    return "".join(map(str, frame))
