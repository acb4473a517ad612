"""The silhouettes of one sequence, in whatever form they are given, as a model was trained on them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.silhouettes import NormalizedSilhouettes, judge_silhouettes
from opengait_meshgait.data.reader import grey_levels

_CHANNELS = (1, 3, 4)
_FILLED = 0.75  # of the height, by normalised silhouettes; with less in most frames, pictures of that size are raw


@dataclass(frozen=True)
class SilhouetteSize:
    """Of the silhouettes that a model was trained on, px.

    Attributes:
        height, width: as files held them.
        seen: the width that was left when their sides were cut.
    """

    height: int
    width: int
    seen: int

    def fit(self, sils: np.ndarray) -> np.ndarray | None:
        """Normalised silhouettes [s, h, w] with sides added or cut, as files of the training held them.

        None for others: those of this height are normalised if they are square or as wide as the training's, cut or
        not.
        """
        height, width = sils.shape[1:]
        if height != self.height or width not in (self.width, self.seen, self.height):
            return None
        left = abs(self.width - width) // 2
        if width > self.width:
            return sils[..., left : left + self.width]
        return np.pad(sils, ((0, 0), (0, 0), (left, self.width - width - left)))

    def __str__(self) -> str:
        return f"{self.height} x {self.width}"


@dataclass(frozen=True)
class InputSilhouettes:
    """One sequence as a model takes it.

    Attributes:
        pictures: uint8 [s, h, w], 0…255.
        frames: which frames of the input these are, int64 [s].
        total: frames of the input.
        several_parts: of these, how many hold parts that change the person's height or place.
    """

    pictures: np.ndarray
    frames: np.ndarray
    total: int
    several_parts: int = 0

    def __len__(self) -> int:
        return len(self.frames)


def prepared(sils: np.ndarray, size: SilhouetteSize, path: str | Path) -> InputSilhouettes:
    """The silhouettes of a pickle, uint8 [s, h, w], which must be normalised.

    Raises:
        UserError: they are of another size, or no silhouettes.
    """
    fitted = size.fit(sils)
    if fitted is None:
        raise UserError(
            f"{path} holds pictures of {sils.shape[1]} x {sils.shape[2]} px, and the model was trained on {size}: "
            f"prepare them with --size {size.height}."
        )
    return InputSilhouettes(judge_silhouettes(fitted, str(path)), np.arange(len(sils)), len(sils))


def normalize_sequence(
    sils: Any, size: SilhouetteSize, name: str = "The sequence", largest: bool = False
) -> InputSilhouettes:
    """The silhouettes of one sequence, normalised where they are not.

    Args:
        sils: array or tensor of bools, integers or floats, 0…1 or 0…255. ``[s, h, w]`` of the ``size``, also without
            the sides that it cuts or as square pictures, are normalised silhouettes; pictures of any other size are raw
            and are normalised here, and those with nobody in them left out. Channels may stand behind (``[s, h, w,
            3]``) or be one in front (``[s, 1, h, w]``); a list of pictures may hold several sizes.
            :class:`InputSilhouettes` stay as they are.
        size: of the silhouettes that the model was trained on.
        name: of the sequence, for messages.
        largest: take of each raw picture the largest connected part alone.

    Raises:
        UserError: another shape, no frames, nobody in any of them, or no silhouettes.
    """
    if isinstance(sils, InputSilhouettes):
        return sils
    pictures = _pictures(sils, name)
    if isinstance(pictures, np.ndarray):
        fitted = size.fit(pictures)
        if fitted is not None and _fills_height(fitted):
            return InputSilhouettes(judge_silhouettes(fitted, name), np.arange(len(fitted)), len(fitted))
    return normalize_raw(pictures, size, name, largest)


def normalize_raw(
    pictures: Iterable[np.ndarray], size: SilhouetteSize, name: str, largest: bool = False
) -> InputSilhouettes:
    """The silhouettes in raw pictures, uint8 [h, w], 0…255.

    Raises:
        UserError: nobody in any of them, or no silhouettes.
    """
    found, total = NormalizedSilhouettes(size.height, largest), 0
    for total, picture in enumerate(pictures, 1):
        found.add(total - 1, picture)
    raw = size.fit(found.stacked(name))
    if raw is None or not len(raw):
        raise UserError(
            f"{name}: in none of its {total} pictures is the silhouette of a person. It needs more than 39 white "
            "pixels on black, not all of them at the left rim."
        )
    return InputSilhouettes(raw, np.array(found.kept), total, found.several_parts)


def split_sequences(sils: Any) -> list[Any]:
    """The sequences in what :meth:`GaitModel.embed` is given: one of them, several, or the pictures of one.

    Raises:
        UserError: text, which names files and is none; a mapping; what holds nothing; or ``[s, 1, h, w]``, which may be
            either.
    """
    _refuse_others(sils)
    shape = getattr(sils, "shape", None)
    if shape is None or (isinstance(sils, np.ndarray) and sils.dtype.hasobject):
        items = list(sils)
        return [items] if items and all(map(_is_picture, items)) else items
    if _is_picture(sils):
        return [[sils]]
    if len(shape) < 4 or (len(shape) == 4 and shape[-1] in _CHANNELS):
        return [sils]
    if len(shape) == 4 and shape[1] == 1:
        raise UserError(
            f"{list(shape)} may be one sequence of {shape[0]} frames with a channel, or {shape[0]} sequences of one "
            "frame. Give sils[:, 0] for one sequence, list(sils) for several."
        )
    return list(sils)


def describe_frames(
    names: Sequence[str], found: Sequence[InputSilhouettes], largest: bool = False, limit: int | None = None
) -> list[str]:
    """What became of the frames of some sequences, where there is something to say; one line each.

    Args:
        names: of the sequences.
        found: the sequences.
        largest: whether the largest part of each picture was taken alone.
        limit: of each sequence, so many frames are looked at; None: all.
    """
    lines = []
    cut = {name: len(one) for name, one in zip(names, found) if limit and len(one) > limit}
    if cut:
        longest = max(cut, key=cut.__getitem__)
        lines.append(
            f"{len(cut)} of {len(found)} sequences are longer than {limit} frames, and their first {limit} are looked "
            f"at, as in the model's tests (evaluator_cfg.sampler.frames_all_limit). The longest is {longest} "
            f"({cut[longest]})."
        )
    left_out = {name: one.total - len(one) for name, one in zip(names, found) if one.total > len(one)}
    if left_out:
        worst = max(zip(names, found), key=lambda pair: 1 - len(pair[1]) / pair[1].total)
        lines.append(
            f"{sum(left_out.values())} of {sum(one.total for one in found)} frames are left out, for they hardly show "
            f"anybody: in {len(left_out)} of {len(found)} sequences, most in {worst[0]} ({left_out[worst[0]]} of "
            f"{worst[1].total})."
        )
    several = [name for name, one in zip(names, found) if one.several_parts]
    if several:
        what = "the largest was kept" if largest else "they change the person's height or place (--largest keeps one)"
        lines.append(
            f"{sum(one.several_parts for one in found)} frames hold several parts, specks or people: {what}. They are "
            f"in {len(several)} of {len(found)} sequences, such as {several[0]}."
        )
    return lines


def _refuse_others(value: Any) -> None:
    """Refuse what is neither an array nor holds some."""
    if value is None:
        raise UserError("Silhouettes are arrays [s, h, w], and this is None: could OpenCV read the picture?")
    if isinstance(value, Mapping):
        raise UserError(
            f"Silhouettes are arrays [s, h, w], and this is a {type(value).__name__} with {len(value)} names. Give its "
            "sequences, list(X.values()), and names=list(X)."
        )
    if isinstance(value, str | bytes | Path):
        raise UserError(
            f"Silhouettes are arrays [s, h, w], and this is text: {str(value)[:80]!r}. Read the pictures first, "
            "cv2.imread(path, cv2.IMREAD_GRAYSCALE), or embed a folder with `meshgait embed --in FOLDER`."
        )
    if not isinstance(value, Iterable) and not hasattr(value, "__array_interface__"):  # pictures of PIL have that
        raise UserError(f"Silhouettes are arrays [s, h, w], and this is a {type(value).__name__}.")


def _is_picture(value: Any) -> bool:
    shape: Sequence[int] = getattr(value, "shape", ())
    return len(shape) == 2 or (len(shape) == 3 and shape[-1] in _CHANNELS)


def _pictures(sils: Any, name: str) -> np.ndarray | list[np.ndarray]:
    """uint8 [s, h, w], 0…255; or a list of uint8 [h, w] where they differ in size."""
    _refuse_others(sils)
    if isinstance(sils, list | tuple) and sils and all(map(_is_picture, sils)):
        found = [_without_channels(_array(one)) for one in sils]
        if len({picture.shape for picture in found}) > 1:
            # Together, for one of them alone may be black, or not reach white.
            flat = grey_levels(np.concatenate([picture.ravel() for picture in found])[None, None], name)[0, 0]
            parts = np.split(flat, np.cumsum([picture.size for picture in found])[:-1])
            return [part.reshape(picture.shape) for part, picture in zip(parts, found)]
        return grey_levels(np.stack(found), name)
    try:
        array = _array(sils)
    except ValueError as error:
        raise UserError(f"{name}: its frames are of unequal shapes; expected silhouettes [s, h, w].") from error
    if array.ndim == 4 or _is_picture(array):  # one picture is refused as what it is
        array = array[:, 0] if array.ndim == 4 and array.shape[1] == 1 else _without_channels(array)
    return grey_levels(array, name)


def _array(values: Any) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        # NumPy has no bfloat16.
        return (values.float() if values.is_floating_point() else values).detach().cpu().numpy()
    return np.asarray(values)


def _without_channels(pictures: np.ndarray) -> np.ndarray:
    """Without a last axis of colours: the brightest; of a cut-out, whose opacity varies, the opacity."""
    if pictures.ndim == 2 or pictures.shape[-1] not in _CHANNELS:
        return pictures
    if pictures.shape[-1] == 4 and pictures[..., 3].min() < pictures[..., 3].max():
        return pictures[..., 3]
    return pictures[..., :3].max(-1)


def _fills_height(sils: np.ndarray) -> bool:
    rows = sils.max(2) > 0
    heights = rows.shape[1] - rows.argmax(1) - rows[:, ::-1].argmax(1)
    return float(np.median(heights[rows.max(1)])) >= _FILLED * rows.shape[1]
