"""The silhouettes of one sequence: raw pictures, or a pickle of them that is prepared already."""

from dataclasses import dataclass, field

import numpy as np

from opengait_meshgait.common.errors import UserError, list_names
from opengait_meshgait.common.files import list_folder, pickle_kind
from opengait_meshgait.common.pictures import FrameKey, picture_files, read_picture
from opengait_meshgait.common.silhouettes import has_person, normalize_silhouette


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
        unreadable: why others could not be read, one message each.
    """

    frames: list[FrameKey]
    named: bool
    kept: np.ndarray
    pictures: np.ndarray
    too_little: int = 0
    no_centre: int = 0
    unreadable: list[str] = field(default_factory=list)


def read_raw_silhouettes(folder: str, size: int) -> Silhouettes:
    """Normalise the silhouettes in a folder.

    Args:
        folder: holds one ``.png`` a frame, or one pickle as OpenGait's ``pretreatment.py`` writes it.
        size: height and width of the normalised pictures, px.

    Raises:
        UserError: the folder holds neither, or two pictures of one frame; or the pickle cannot be used.
    """
    places = picture_files(folder)
    if not places:
        return _read_pickle(folder, size)
    result, pictures, kept = Silhouettes(list(places), True, np.empty(0), np.empty(0)), [], []
    for place, path in enumerate(places.values()):
        try:
            picture = read_picture(path)
        except UserError as error:
            result.unreadable.append(str(error))
            continue
        silhouette = normalize_silhouette(picture, size)
        if silhouette is not None:
            kept.append(place)
            pictures.append(silhouette)
        elif has_person(picture):
            result.no_centre += 1
        else:
            result.too_little += 1
    result.kept = np.array(kept, np.int64)
    result.pictures = np.stack(pictures) if pictures else np.empty((0, size, size), np.uint8)
    return result


def silhouette_pickle(folder: str) -> str | None:
    """The pickle of silhouettes in a folder, by the rules of the training data's reader; None if there is none."""
    pickles = [entry for entry in list_folder(folder) if entry.name.endswith(".pkl")]
    others = [entry for entry in pickles if pickle_kind(entry.name) in ("sil", None)]
    named = [entry for entry in others if pickle_kind(entry.name) == "sil"] or others
    return named[0].path if len(named) == 1 else None


def _read_pickle(folder: str, size: int) -> Silhouettes:
    # Not above: it loads torch, which pictures do without.
    from opengait_meshgait.data.reader import read_silhouettes as read_prepared

    path = silhouette_pickle(folder)
    if path is None:
        raise UserError(
            f"{folder} holds no silhouettes: looked for *.png, or one pickle of silhouettes; found "
            f"{list_names(entry.name for entry in list_folder(folder))}."
        )
    pictures = read_prepared(path)
    if pictures.shape[1:] != (size, size):
        raise UserError(f"{path} holds pictures of {list(pictures.shape[1:])} px; expected {size} x {size}, as --size.")
    number = len(pictures)
    return Silhouettes([(place,) for place in range(number)], False, np.arange(number), pictures)
