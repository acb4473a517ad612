"""Of several people's bodies in a frame, the one who is seen in the silhouette."""

from collections import defaultdict
from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np
import torch

from opengait_meshgait.body.crop import joint_crop_frame, to_crop, to_pixels
from opengait_meshgait.body.layout import FRAME_SIZE
from opengait_meshgait.body.overlap import mask_iou
from opengait_meshgait.common.pictures import FrameKey
from opengait_meshgait.prepare.alignment import MIN_IOU, draw_bodies
from opengait_meshgait.prepare.bodies import Bodies

if TYPE_CHECKING:
    from opengait_meshgait.body.model import BodyModel


def choose_bodies(
    bodies: Bodies, frames: list[FrameKey], pictures: np.ndarray, body: "BodyModel"
) -> tuple[np.ndarray, np.ndarray]:
    """One body for each frame.

    Where a tracker says who is who, the person is kept whose bodies fit the silhouettes best, by the sum over the
    frames. Others follow in this order if they are in no frame that the chosen are in: a tracker that has lost somebody
    finds somebody new. Where it does not say, the best body of each frame is taken.

    Args:
        bodies: what was found.
        frames: of the silhouettes.
        pictures: normalised silhouettes, uint8 [T, h, w].
        body: poses parameters.

    Returns:
        float32 [T, 85] or [T, 24, 3], 0 in frames without a body; and which frames have one, bool [T].
    """
    rows, present = np.zeros((len(frames), *bodies.shape), np.float32), np.zeros(len(frames), bool)
    found = [(place, one) for place, frame in enumerate(frames) for one in bodies.candidates.get(frame, ())]
    people = list(dict.fromkeys(one.person for _, one in found))
    if not found:
        return rows, present
    if len(people) == 1 and len({place for place, _ in found}) == len(found):
        fits = np.ones(len(found))
    else:
        fits = _overlap(np.stack([one.row for _, one in found]), pictures[[place for place, _ in found]], body)
    sums: defaultdict[Hashable, float] = defaultdict(float)
    seen: defaultdict[Hashable, set[int]] = defaultdict(set)
    for (place, one), fit in zip(found, fits):
        sums[one.person] += max(fit - MIN_IOU, 0)  # a passer-by overlaps too, in many frames a little
        seen[one.person].add(place)
    chosen: set[Hashable] = set()
    taken: set[int] = set()
    for person in sorted(people, key=lambda person: -sums[person]):
        if not taken & seen[person]:
            chosen.add(person)
            taken |= seen[person]
    best: dict[int, float] = {}
    for (place, one), fit in zip(found, fits):
        if one.person in chosen and fit > best.get(place, -1.0):
            rows[place], present[place], best[place] = one.row, True, fit
    return rows, present


@torch.no_grad()
def _overlap(rows: np.ndarray, pictures: np.ndarray, body: "BodyModel") -> np.ndarray:
    """How well bodies fit silhouettes uint8 [m, h, w], float [m]: their IoU, or the share of joints that lie inside."""
    seen = torch.from_numpy(pictures > 127)
    height, width = pictures.shape[1:]
    if rows.shape[1:] == (FRAME_SIZE,):
        return mask_iou(draw_bodies(rows, body, height, width), seen).numpy()
    joints = torch.from_numpy(rows)
    at = to_pixels(to_crop(joints, joint_crop_frame(joints)), height, width).long()
    inside = ((at >= 0) & (at < at.new_tensor([width, height]))).all(-1)
    columns, lines = at[..., 0].clamp(0, width - 1), at[..., 1].clamp(0, height - 1)
    return (seen[torch.arange(len(at))[:, None], lines, columns] & inside).float().mean(1).numpy()
