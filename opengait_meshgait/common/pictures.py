"""Pictures, and files of one frame each in the order of their names."""

import os
import re
import struct
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from kornia_rs.io import decode_image_png_u8

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import list_folder

# A PNG's signature and the beginning of its header; then width, height, bit depth, colour type, 2 bytes, interlacing.
_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_HEADER = struct.Struct(">IIBBBBB")
_PLAIN = (8, 0, 0, 0, 0)  # 8 bits of grey, not interlaced

FrameKey = tuple[str | int, ...]
"""What frames are sorted and joined by."""


def frame_key(stem: str) -> FrameKey:
    """What frames are sorted and joined by: a file's name without its ending, its numbers as numbers.

    >>> sorted(["10", "9", "0008"], key=frame_key)
    ['0008', '9', '10']
    """
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", stem))


def picture_files(folder: str | Path) -> dict[FrameKey, str]:
    """The PNGs in a folder, in the order of their frames, without the gait energy images that some datasets keep there.

    Raises:
        UserError: two of them are of the same frame.
    """
    return by_frame(e for e in list_folder(folder) if e.name.lower().endswith(".png") and "gei.png" not in e.name)


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

    Raises:
        UserError: it cannot be read.
    """
    try:
        data = np.fromfile(path, np.uint8).tobytes()
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
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise UserError(f"{path} is damaged, truncated or no picture.")
    return picture
