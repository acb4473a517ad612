"""A picture of the frames whose bodies fit their silhouettes worst."""

import heapq
import pickle
from pathlib import Path

import cv2

from opengait_meshgait.body.files import load_body
from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.prepare.alignment import draw_bodies
from opengait_meshgait.prepare.contact_sheet import MOST_TILES, contact_sheet
from opengait_meshgait.prepare.journal import Record
from opengait_meshgait.prepare.sequence import SILHOUETTES, SMPLS


def draw_worst(accounts: list[Record], out: Path, body: Path | None, picture: Path) -> None:
    """Write a contact sheet: of each sequence its worst frame, of all sequences the worst.

    Args:
        accounts: of the prepared sequences.
        out: the prepared dataset.
        body: file of the body that was compared; None is the stand-in.
        picture: the file to write.
    """
    model, tiles = load_body(body), []
    frames = [frame for account in accounts if (frame := _worst_frame(account))]
    for iou, name, frame in heapq.nsmallest(MOST_TILES, frames):
        sils, smpls = (pickle.loads((out / name / file).read_bytes())[frame] for file in (SILHOUETTES, SMPLS))
        mask = draw_bodies(smpls[None], model, *sils.shape)[0].numpy()
        tiles.append((name, frame, iou, sils, mask))
    _, data = cv2.imencode(".png", contact_sheet(tiles))
    with atomic_path(picture) as temporary:
        temporary.write_bytes(data.tobytes())


def _worst_frame(account: Record) -> tuple[float, str, int] | None:
    ious = [(iou, account["sequence"], frame) for frame, iou in enumerate(account["ious"] or []) if iou is not None]
    return min(ious, default=None)
