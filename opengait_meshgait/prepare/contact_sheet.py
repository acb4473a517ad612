"""A picture of the frames whose bodies fit their silhouettes worst."""

import heapq
import pickle
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from opengait_meshgait.body.files import load_body
from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.prepare.alignment import draw_bodies
from opengait_meshgait.prepare.records import Record
from opengait_meshgait.prepare.sequence import SILS_FILE, SMPLS_FILE

MOST_TILES = 48
_SIDE, _LABEL, _GAP = 192, 36, 6  # px: of a picture, of the two lines under it, between tiles
_PAPER, _INK, _GREY, _BODY = (32, 32, 32), (235, 235, 235), 170, (0, 140, 255)  # BGR
_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.4
_LONGEST = 27  # characters of a line

Tile = tuple[str, int, float, np.ndarray, np.ndarray]
"""A sequence's name, the frame's index, its IoU, the silhouette uint8 [h, h] and the body's mask bool [h, h]."""


def draw_worst(records: list[Record], out: Path, body: Path | None, picture: Path) -> None:
    """Write a contact sheet of the dataset ``out``: of each sequence its worst frame, of all sequences the worst.

    ``body`` is the file of the body that was compared; None is the stand-in.
    """
    model, tiles = load_body(body), []
    frames = [frame for record in records if (frame := _worst_frame(record))]
    for iou, name, frame in heapq.nsmallest(MOST_TILES, frames):
        sils, smpls = (pickle.loads((out / name / file).read_bytes())[frame] for file in (SILS_FILE, SMPLS_FILE))
        mask = draw_bodies(smpls[None], model, *sils.shape)[0].numpy()
        tiles.append((name, frame, iou, sils, mask))
    sheet = contact_sheet(tiles)
    sheet = np.vstack([_legend(sheet.shape[1]), sheet])
    # Not by visual/, which loads Matplotlib: that takes longer than drawing this.
    with atomic_path(picture) as temporary:
        temporary.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())


def _worst_frame(record: Record) -> tuple[float, str, int] | None:
    ious = [(iou, record["sequence"], frame) for frame, iou in enumerate(record["ious"] or []) if iou is not None]
    return min(ious, default=None)


def contact_sheet(worst: Sequence[Tile], columns: int = 8) -> np.ndarray:
    """Draw frames side by side: silhouettes in grey, bodies in orange over them, name, frame and IoU below.

    Args:
        worst: what to draw, in reading order; all after the first 48 is left out.
        columns: tiles in a row; a shorter list makes a narrower picture.

    Returns:
        BGR, uint8 [H, W, 3].

    Raises:
        ValueError: there is nothing to draw.
    """
    if not worst:
        raise ValueError("expected at least one tile, got none")
    tiles = [_tile(*tile) for tile in worst[:MOST_TILES]]
    columns = min(columns, len(tiles))
    tiles += [np.full_like(tiles[0], _PAPER)] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[first : first + columns]) for first in range(0, len(tiles), columns)])


def _legend(width: int) -> np.ndarray:
    """What the colours mean, uint8 [rows, width, 3]; as narrow as one tile."""
    both = tuple(0.6 * _GREY + 0.4 * level for level in _BODY)
    meanings = {
        "silhouette without body": (_GREY,) * 3,
        "silhouette and body": both,
        "body without silhouette": tuple(0.4 * level for level in _BODY),
    }
    picture = np.full((16 * len(meanings) + 2 * _GAP, width, 3), _PAPER, np.uint8)
    for row, (meaning, colour) in enumerate(meanings.items()):
        top = _GAP + 16 * row
        cv2.rectangle(picture, (4, top + 2), (16, top + 13), colour, -1)
        cv2.putText(picture, meaning, (24, top + 12), _FONT, _SIZE, _INK, 1, cv2.LINE_AA)
    return picture


def _tile(name: str, frame: int, iou: float, silhouette: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """uint8 [192 + 36 + 6, 192 + 6, 3]."""
    grey = cv2.resize(silhouette, (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST) * (_GREY / 255)
    body = cv2.resize(mask.astype(np.uint8), (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST)
    picture = np.repeat(grey[..., None], 3, 2)
    picture[body > 0] = picture[body > 0] * 0.6 + np.multiply(_BODY, 0.4)
    # Outlined inside, lest a body that fills the picture loses its edge.
    inner = cv2.erode(body, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    picture[body > inner] = _BODY
    tile = np.full((_SIDE + _LABEL + _GAP, _SIDE + _GAP, 3), _PAPER, np.uint8)
    tile[:_SIDE, :_SIDE] = picture.round()
    for row, line in enumerate((_shortened(name), f"frame {frame}   IoU {iou:.2f}")):
        place = (2, _SIDE + 14 + 16 * row)
        cv2.putText(tile, line, place, _FONT, _SIZE, _INK, 1, cv2.LINE_AA)
    return tile


def _shortened(name: str) -> str:
    """What of a name fits and OpenCV can write: ASCII, the end of it."""
    name = name.encode("ascii", "replace").decode()
    return name if len(name) <= _LONGEST else "..." + name[3 - _LONGEST :]
