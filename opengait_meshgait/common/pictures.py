"""Pictures: files of one frame each in the order of their names, and raw silhouettes normalised to 64 x 64."""

import os
import re
import struct
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from kornia_rs.io import decode_image_png_u8

from opengait_meshgait.common.errors import UserError, list_names
from opengait_meshgait.common.files import list_folder, read_bytes

# A PNG's signature and the beginning of its header; then width, height, bit depth, colour type, 2 bytes, interlacing.
_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_HEADER = struct.Struct(">IIBBBBB")
_PLAIN = (8, 0, 0, 0, 0)  # 8 bits of grey, not interlaced
_ALPHA = (4, 6)  # colour types with a channel of opacity
_OTHERS = (".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif")
_LEAST_MASS = 10_000  # grey levels; with fewer, some 39 white pixels, OpenGait calls the frame empty

FrameKey = tuple[str | int, ...]
"""What frames are sorted and joined by."""


def frame_key(stem: str) -> FrameKey:
    """What frames are sorted and joined by: a file's name without its ending, its numbers as numbers.

    >>> sorted(["10", "9", "0008"], key=frame_key)
    ['0008', '9', '10']
    """
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", stem))


def picture_files(folder: str | Path, endings: tuple[str, ...] = (".png",)) -> dict[FrameKey, str]:
    """The pictures in a folder, in the order of their frames, without the gait energy images that some datasets keep
    there.

    Raises:
        UserError: two of them are of the same frame, or pictures of other kinds are of further frames.
    """
    entries = list_folder(folder)
    places = by_frame(e for e in entries if e.name.lower().endswith(endings) and "gei.png" not in e.name)
    # Photographs may lie beside their silhouettes, under the same names.
    others = [
        entry.name
        for entry in entries
        if entry.name.lower().endswith(_OTHERS)
        and not entry.name.lower().endswith(endings)
        and frame_key(Path(entry.name).stem) not in places
    ]
    if places and others:
        raise UserError(
            f"{folder} holds {len(places)} {endings[-1][1:].upper()}s, and other pictures of {len(others)} further "
            f"frames ({list_names(others, 3)}), which would be left out: save these alike, or take them out."
        )
    return places


def by_frame(files: Iterable[os.DirEntry]) -> dict[FrameKey, str]:
    """The paths of one file a frame, in the frames' order.

    Raises:
        UserError: two files are of the same frame.
    """
    places: dict[FrameKey, str] = {}
    for entry in files:
        key = frame_key(entry.name.rpartition(".")[0])
        if key in places:
            raise UserError(
                f"{Path(places[key]).name} and {entry.name} in {Path(entry.path).parent} are of the same frame: "
                "remove one of them."
            )
        places[key] = entry.path
    return dict(sorted(places.items()))


def read_picture(path: str) -> np.ndarray:
    """A picture's grey levels, uint8 [h, w], as OpenCV reads them.

    Of a picture whose opacity varies, a cut-out, the opacity is read in their place. 16-bit numbers up to 255 stay.

    Raises:
        UserError: it cannot be read.
    """
    try:
        data = read_bytes(path)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    if not data:
        raise UserError(f"{path} is empty (0 bytes).")
    picture = None
    if data.startswith(_PNG) and len(data) > len(_PNG) + _HEADER.size:
        width, height, *kind = _HEADER.unpack_from(data, len(_PNG))
        if tuple(kind) == _PLAIN:
            try:
                # Some three times as fast as OpenCV, and silhouettes are nearly always of this kind.
                return decode_image_png_u8(data, (height, width), "mono")[..., 0]
            except Exception as error:  # whatever kornia_rs raises: it documents nothing
                raise UserError(f"{path} is damaged or truncated: {error}.") from error
        if kind[1] in _ALPHA and (opacity := _opacity(data)) is not None:
            return opacity
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    if picture is None:
        raise UserError(f"{path} is damaged, truncated or no picture.")
    return _to_bytes(picture)


def _opacity(data: bytes) -> np.ndarray | None:
    """The opacity of a PNG that has one, uint8 [h, w]; None where all of it is visible, or it cannot be read."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 3 or picture.shape[2] != 4:
        return None
    opacity = _to_bytes(picture[..., 3])
    return np.ascontiguousarray(opacity) if opacity.min() < opacity.max() or not opacity.any() else None


def _to_bytes(picture: np.ndarray) -> np.ndarray:
    """Grey levels of 8 or 16 bits as uint8; labels of 16 bits stay what they are."""
    return (picture if picture.max(initial=0) < 256 else picture >> 8).astype(np.uint8, copy=False)


def has_person(image: np.ndarray) -> bool:
    """Whether a silhouette, uint8 [h, w], has more in it than the 10000 grey levels below which OpenGait drops it."""
    return cv2.sumElems(image)[0] > _LEAST_MASS


def normalize_silhouette(image: np.ndarray, size: int = 64) -> np.ndarray | None:
    """Height-normalise and centre a silhouette, byte for byte as OpenGait's ``datasets/pretreatment.py`` does.

    The rows that hold the person are scaled to ``size``, one scale for both axes, with OpenCV's bicubic filter. The
    first column at which the running mass exceeds half of the whole, the median column, becomes column ``size // 2``;
    ``size`` columns around it are kept, with black where the picture ends.

    Args:
        image: grey levels, uint8 [h, w].
        size: height and width of the result, px, even.

    Returns:
        uint8 [size, size], or None for a frame that OpenGait drops: a sum of at most 10000, or a median column that
        is the very first (or none: a picture so narrow that scaling leaves no column, on which OpenGait stops).

    Raises:
        ValueError: ``image`` is not uint8 [h, w], or ``size`` is odd.
    """
    if size % 2:
        raise ValueError(f"size must be even, got {size}")
    if image.ndim != 2 or image.dtype != np.uint8:
        raise ValueError(f"image must be uint8 [h, w], got {image.dtype} {list(image.shape)}")
    if not has_person(image):
        return None
    _, top, _, height = cv2.boundingRect(image)
    image = image[top : top + height]
    # int(size * (w / h)), and not size * w // h: the two differ by rounding, and with them the bytes.
    width = int(size * (image.shape[1] / image.shape[0]))
    if width == 0:
        return None
    image = cv2.resize(image, (width, size), interpolation=cv2.INTER_CUBIC)
    mass = cv2.reduce(image, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0].cumsum()
    centre = int(np.searchsorted(mass, mass[-1] / 2, side="right"))
    if centre == 0:
        return None
    half = size // 2
    if centre <= half or centre + half >= width:
        image = cv2.copyMakeBorder(image, 0, 0, half, half, cv2.BORDER_CONSTANT)
        centre += half
    return image[:, centre - half : centre + half]
