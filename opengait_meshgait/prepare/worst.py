"""A picture of the frames whose bodies fit their silhouettes worst."""

import heapq
import pickle
from pathlib import Path

import cv2

from opengait_meshgait.body.files import load_body
from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.prepare.alignment import draw_bodies
from opengait_meshgait.prepare.contact_sheet import MOST_TILES, contact_sheet
from opengait_meshgait.prepare.records import Record
from opengait_meshgait.prepare.sequence import SILS_FILE, SMPLS_FILE


def draw_worst(records: list[Record], out: Path, body: Path | None, picture: Path) -> None:
    """Write a contact sheet: of each sequence its worst frame, of all sequences the worst.

    Args:
        records: of the prepared sequences.
        out: the prepared dataset.
        body: file of the body that was compared; None is the stand-in.
        picture: the file to write.
    """
    model, tiles = load_body(body), []
    frames = [frame for record in records if (frame := _worst_frame(record))]
    for iou, name, frame in heapq.nsmallest(MOST_TILES, frames):
        sils, smpls = (pickle.loads((out / name / file).read_bytes())[frame] for file in (SILS_FILE, SMPLS_FILE))
        mask = draw_bodies(smpls[None], model, *sils.shape)[0].numpy()
        tiles.append((name, frame, iou, sils, mask))
    _, data = cv2.imencode(".png", contact_sheet(tiles))
    with atomic_path(picture) as temporary:
        temporary.write_bytes(data.tobytes())


def _worst_frame(record: Record) -> tuple[float, str, int] | None:
    ious = [(iou, record["sequence"], frame) for frame, iou in enumerate(record["ious"] or []) if iou is not None]
    return min(ious, default=None)
