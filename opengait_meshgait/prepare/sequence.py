"""One raw sequence becomes the arrays that training reads, and a record of every frame."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from opengait_meshgait.body.layout import FRAME_SIZE, head_below_feet
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.prepare.bodies import Bodies, read_raw_bodies
from opengait_meshgait.prepare.joining import Reading
from opengait_meshgait.prepare.layouts import LAYOUTS
from opengait_meshgait.prepare.raw import RawSequence
from opengait_meshgait.prepare.sources import Silhouettes, read_raw_silhouettes
from opengait_meshgait.prepare.trackers import TRACKERS, Tracker

if TYPE_CHECKING:
    from opengait_meshgait.body.model import BodyModel

SILS_FILE, SMPLS_FILE, JOINTS_FILE, WEIGHTS_FILE = "0-sils.pkl", "1-smpls.pkl", "1-joints.pkl", "2-weights.pkl"
_SHOWN = 3
_MOST_SIZE = 1024  # px


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is prepared, and how.

    Attributes:
        dataset: how it lies on disk, one of :data:`~opengait_meshgait.prepare.layouts.LAYOUTS`.
        root: the raw dataset.
        bodies: the folder of its bodies, where it is not the usual one; or one file.
        silhouettes_only: leave bodies alone.
        zero_bodies: write frames of zeros where bodies are left alone: nobody's body is known.
        body: file of the body that is compared with silhouettes; None is the stand-in.
        size: height and width of the normalised silhouettes, px.
        trackers: forms of body files that are tried.
        y_up: bodies have y up and z to the camera.
        first_frame: number of the picture that is a tracker's frame 0; None to see it from the pictures' names.
        largest: take of each picture the largest connected part alone.
        drop_bad: drop frames that cannot be read; else their sequence is refused.
        min_iou: bodies that overlap their silhouette less get weight 0.

    Raises:
        UserError: ``size`` is odd or less than 2, or ``min_iou`` is not in 0…1.
    """

    dataset: str
    root: Path
    bodies: Path | None = None
    silhouettes_only: bool = False
    zero_bodies: bool = False
    body: Path | None = None
    size: int = 64
    trackers: tuple[Tracker, ...] = TRACKERS
    y_up: bool = False
    first_frame: int | None = None
    largest: bool = False
    drop_bad: bool = False
    min_iou: float = 0.5

    def __post_init__(self) -> None:
        if not 2 <= self.size <= _MOST_SIZE or self.size % 2:
            raise UserError(f"--size is {self.size}: give an even number of pixels up to {_MOST_SIZE}, such as 64.")
        if not 0 <= self.min_iou <= 1:
            raise UserError(f"--min-iou is {self.min_iou}: an overlap lies between 0 and 1.")


@dataclass(slots=True)
class SequenceRecord:
    """What became of a sequence's frames.

    Attributes:
        sequence: ``id/type/view``.
        frames: pictures found.
        kept: of these, in the prepared sequence.
        too_little, no_centre, unreadable: dropped, because there is hardly anything in them, because OpenGait finds
            no median column, because they cannot be read.
        several_parts: frames with specks or several people, which change the person's height or place.
        bodies: found.
        without_body: kept frames that have none.
        without_silhouette: bodies whose frame is not kept.
        unreadable_bodies: dropped, because they cannot be read.
        masked: kept frames whose body has weight 0 although there is one.
        ious: overlap of each kept frame's body with its silhouette, None where it has no body; None where that was
            not measured.
        source: whose keys the bodies were read from, or None.
        unread: body files that were left alone, because there is one for each frame.
        disagrees: why most bodies seem to belong to other silhouettes, or None.
    """

    sequence: str
    frames: int
    kept: int
    too_little: int = 0
    no_centre: int = 0
    unreadable: int = 0
    several_parts: int = 0
    bodies: int = 0
    without_body: int = 0
    without_silhouette: int = 0
    unreadable_bodies: int = 0
    masked: int = 0
    ious: list[float | None] | None = None
    source: str | None = None
    unread: list[str] = field(default_factory=list)
    disagrees: str | None = None


def prepare_sequence(
    raw: RawSequence, preparation: Preparation, body: "BodyModel | None" = None
) -> tuple[dict[str, np.ndarray], SequenceRecord]:
    """Read a sequence.

    Args:
        raw: where it lies.
        preparation: how it is read.
        body: poses body parameters to compare them with the silhouettes; needed where ``raw.bodies`` is not None.

    Returns:
        The prepared files by name, and the record.

    Raises:
        UserError: it has no frames or no silhouettes, or there are files that cannot be read.
    """
    layout = LAYOUTS[preparation.dataset]
    silhouettes = read_raw_silhouettes(raw.silhouettes, preparation.size, layout, preparation.largest)
    frames = len(silhouettes.frames)
    bodies = None
    if raw.bodies is not None:
        shape_space = body.shape_space if body else "SMPL"
        reading = Reading(preparation.trackers, shape_space, preparation.y_up, preparation.first_frame)
        bodies = read_raw_bodies(raw.bodies, raw.silhouettes, silhouettes.frames, silhouettes.named, reading)
    unreadable = silhouettes.unreadable + (bodies.unreadable if bodies else [])
    if unreadable and not preparation.drop_bad:
        more = f" And {len(unreadable) - _SHOWN} more files." if len(unreadable) > _SHOWN else ""
        raise UserError(" ".join(unreadable[:_SHOWN]) + more)
    if not len(silhouettes.kept):
        raise UserError(
            f"None of the {frames} frames in {raw.silhouettes} is left: {silhouettes.too_little} hardly show anybody, "
            f"{silhouettes.no_centre} have no centre, {len(silhouettes.unreadable)} cannot be read."
        )
    record = SequenceRecord(
        sequence=raw.name,
        frames=frames,
        kept=len(silhouettes.kept),
        too_little=silhouettes.too_little,
        no_centre=silhouettes.no_centre,
        unreadable=len(silhouettes.unreadable),
        several_parts=silhouettes.several_parts,
    )
    files = {SILS_FILE: silhouettes.pictures}
    if preparation.zero_bodies:
        files[SMPLS_FILE] = np.zeros((len(silhouettes.kept), FRAME_SIZE), np.float32)
        record.without_body = len(silhouettes.kept)
    if bodies is not None:
        files |= _match(silhouettes, bodies, preparation, body, record)
    return files, record


def _match(
    silhouettes: Silhouettes, bodies: Bodies, preparation: Preparation, body: "BodyModel | None", record: SequenceRecord
) -> dict[str, np.ndarray]:
    """The files of the kept frames' bodies; fills the record of them."""
    # Not above: it loads torch, which silhouettes alone do without.
    from opengait_meshgait.prepare.alignment import align, disagrees, weights
    from opengait_meshgait.prepare.people import choose_bodies

    frames = [silhouettes.frames[place] for place in silhouettes.kept]
    rows, present = choose_bodies(bodies, frames, silhouettes.pictures, body)
    record.bodies = len(bodies.candidates) + len(bodies.unreadable)
    record.without_body = int((~present).sum())
    record.without_silhouette = len(bodies.candidates.keys() - set(frames))
    record.unreadable_bodies = len(bodies.unreadable)
    record.source, record.unread = bodies.source, bodies.unread
    if rows.shape[1:] != (FRAME_SIZE,):
        _require_upright(rows[present])
        return {JOINTS_FILE: rows, WEIGHTS_FILE: present.astype(np.float32)}
    alignment = align(silhouettes.pictures, rows, body)
    validity = weights(alignment.ious, preparation.min_iou)
    record.masked = int((present & (validity == 0)).sum())
    record.ious = [round(float(iou), 3) if there else None for iou, there in zip(alignment.ious, present)]
    record.disagrees = disagrees(alignment, preparation.min_iou)
    return {SMPLS_FILE: rows, WEIGHTS_FILE: validity}


def _require_upright(joints: np.ndarray) -> None:
    """Joints [m, 24, 3] whose y seems to point up would teach bodies that stand on their heads."""
    upside_down = int(head_below_feet(joints).sum())
    if upside_down > len(joints) / 2:
        raise UserError(
            f"The head is below the feet in {upside_down} of {len(joints)} frames: y should point down. If it points "
            "up in these files, give --y-up."
        )
