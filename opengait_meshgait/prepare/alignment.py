"""Do the bodies belong to the silhouettes? Per frame by their overlap, per sequence by their order.

A body is drawn where training will put it: in crop space, over its normalised silhouette. The IoU of the two is the
frame's validity weight. It finds bodies upside down, of another camera or of half a person. But somebody else's walk,
or the right one some frames late, overlaps by 0.6 to 0.7 on average, as right bodies do with damaged silhouettes. So
the order is judged from the IoUs of all bodies with all silhouettes of the sequence, see :func:`align`.

Measured on walkers of 60 frames (10 people, normal, with bags and in coats, six views; 180 sequences each), whole |
heavily damaged silhouettes: shares of sequences that :func:`disagrees` lists, in percent.

    right pairs                    1 |   3
    frames shuffled               98 |  87
    1 frame late                  80 |  63
    3 frames late                 98 |  94
    7 frames late                100 | 100
    another person                83 |  86
    another camera                74 |  80
    mirrored                      93 |  86
    upside down                  100 | 100

The thresholds were chosen on these walkers. On others (eight | four people, from four views) right pairs were never
listed and the rest was found as often or more often, but for shuffled frames (97), 1 frame late (79) and another camera
(60 | 67). What is missed of another person, or camera, walks in step by chance. With 30 frames shuffled ones are found
in 97 | 68 of 100, with 16 hardly ever. Walks from the front or behind are the hardest: little moves there. Bodies that
tremble by 0.05 rad in every joint, which no longer fit well (IoU 0.67 | 0.61), are listed in 6 | 20 of 100 sequences.

Below an IoU of 0.5 lie 0.0 | 5 % of the right bodies' frames, 98 % of silhouettes of which only the upper or lower
half was seen, 82 | 88 % of bodies seen from the side over silhouettes from the front, 38 | 46 % of bodies upside down.
"""

from dataclasses import dataclass

import numpy as np
import torch

from opengait_meshgait.body.crop import median_column
from opengait_meshgait.body.layout import BETAS, FRAME_SIZE, POSE
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.body.overlap import mask_iou
from opengait_meshgait.body.raster import rasterize

MIN_IOU = 0.5
"""Bodies that overlap their silhouette less get no weight."""

_FRAMES_AT_ONCE = 64  # fits a CPU's cache
_COLUMNS = 128  # of the outline, over the body's width: a column is at most half a pixel, usually a fifth
_WINDOW = 256  # frames by which the order is judged: the work grows with their square
_MOST_SHIFT = 15  # frames; more is past half a stride, where a walk looks like itself
_FEWEST = 16  # frames by which an order can be judged
_FITS = 2.0  # score; a random order stays below in 97.7 % of sequences
_SHIFT_FITS = 4.0  # the same for the best of all shifts, 99 %
_CLEARER = 1.0  # by which a shift must beat the pairs as they are
_MOVES = 5.0  # score of silhouettes, or bodies, with their own next frame, above which somebody is seen to move
_TURNED = 0.05  # mean IoU that a turned body must gain


@dataclass(frozen=True)
class Alignment:
    """How the bodies of one sequence lie on its silhouettes.

    Attributes:
        ious: of each frame's body with its silhouette, float32 [T]; 0 where there is no body.
        present: whether a frame has a body and a silhouette, bool [T].
        order: ``fits``, ``shifted``, ``does not fit`` or ``cannot tell`` (too few frames, or nobody moves).
        shift: by how many frames the bodies should come later; 0 unless ``order`` is ``shifted``.
        turned: ``mirrored``, ``upside down`` or ``turned by 180 degrees`` where the bodies fit better so, else None.
    """

    ious: np.ndarray
    present: np.ndarray
    order: str
    shift: int
    turned: str | None


@torch.no_grad()
def align(sils: np.ndarray, smpls: np.ndarray, body: BodyModel) -> Alignment:
    """Compare the bodies of a sequence with its silhouettes.

    The order is judged by the IoUs of every body with every silhouette, less the means of their row and column. Their
    sum over the pairs as they are, in units of its standard deviation over all permutations (Hoeffding, "A
    Combinatorial Central Limit Theorem", 1951), is the score of the order; sums over pairs ``n`` frames apart score
    the shifts.

    Args:
        sils: normalised silhouettes, uint8 [T, h, w].
        smpls: camera (3, not used), axis-angle pose (72, rad) and betas (10), float [T, 85]. A frame with a pose of
            zeros or with a number that is not finite has no body.
        body: poses the frames.

    Raises:
        ValueError: the shapes do not belong together.
    """
    if sils.ndim != 3 or smpls.shape != (len(sils), FRAME_SIZE):
        raise ValueError(f"expected sils [T, h, w] and smpls [T, 85], got {[*sils.shape]} and {[*smpls.shape]}")
    seen = torch.from_numpy(sils > 127)
    drawn = draw_bodies(smpls, body, *sils.shape[1:])
    present = drawn.any((1, 2)) & seen.any((1, 2))
    order, shift = _order(drawn, seen, present)
    return Alignment(mask_iou(drawn, seen).numpy(), present.numpy(), order, shift, _turned(drawn, seen, present))


def weights(ious: np.ndarray, min_iou: float = MIN_IOU) -> np.ndarray:
    """Validity weights, float32 [T]: the IoU, or 0 where it is below ``min_iou``."""
    return np.where(ious >= min_iou, ious, 0).astype(np.float32)


def disagrees(alignment: Alignment, min_iou: float = MIN_IOU) -> str | None:
    """Why the bodies of a sequence seem to belong to other silhouettes, in plain words; None where they agree."""
    ious = alignment.ious[alignment.present]
    if not len(ious):
        return None
    if alignment.turned:
        return f"the bodies fit better {alignment.turned}: another camera convention?"
    if (low := int((ious < min_iou).sum())) * 2 > len(ious):
        return f"{low} of {len(ious)} bodies overlap their silhouette less than {min_iou:g}: another person or camera?"
    if alignment.order == "shifted":
        frames = "frame" if abs(alignment.shift) == 1 else "frames"
        direction = "later" if alignment.shift > 0 else "earlier"
        return f"the bodies fit best {abs(alignment.shift)} {frames} {direction}: shifted, or another walk?"
    if alignment.order == "does not fit":
        return "the bodies do not move as the silhouettes do: another walk, or frames out of order?"
    return None


@torch.no_grad()
def draw_bodies(smpls: np.ndarray, body: BodyModel, height: int, width: int) -> torch.Tensor:
    """Silhouettes of bodies as they lie in normalised pictures; empty where a frame has no body.

    One outline over the bounding box serves for the median column and, its columns picked at the centres of the
    picture's, for the picture: the posing apart, this halves the work of ``crop_frame`` and ``rasterize``.

    Args:
        smpls, body: as for :func:`align`.
        height, width: of the pictures, px.

    Returns:
        bool [T, height, width], the median column at ``width // 2 + 0.5``.
    """
    frames = torch.from_numpy(np.ascontiguousarray(smpls, np.float32))
    drawn = torch.zeros(len(frames), height, width, dtype=torch.bool)
    there = frames[:, POSE].any(1)
    size, columns = torch.tensor([_COLUMNS, height]), torch.arange(width) - width // 2
    for index in there.nonzero()[:, 0].split(_FRAMES_AT_ONCE):
        xy = body.seen(frames[index, POSE], frames[index, BETAS])
        low, high = xy.amin(2), xy.amax(2)  # together they take PyTorch ten times as long
        extent = high - low
        # Parameters that are not finite give vertices that are not, and these an extent.
        usable = (extent.isfinite() & (extent > 0)).all(1)
        if not usable.all():
            index, xy, low, extent = index[usable], xy[usable], low[usable], extent[usable]
        xy.sub_(low[..., None]).mul_((size / extent)[..., None])
        outline = rasterize(xy.mT, body.faces, height, _COLUMNS)
        scale = extent[:, 1] / extent[:, 0] * _COLUMNS / height  # columns of the outline in a pixel
        picked = (median_column(outline)[:, None] + columns * scale[:, None]).floor().long()
        inside = (picked >= 0) & (picked < _COLUMNS)
        picked = picked.clamp(0, _COLUMNS - 1)[:, None].expand(-1, height, -1)
        drawn[index] = outline.gather(2, picked) & inside[:, None]
    return drawn


def _turned(drawn: torch.Tensor, seen: torch.Tensor, present: torch.Tensor) -> str | None:
    index = present.nonzero()[:, 0]
    index = index[:: max(1, len(index) // _FRAMES_AT_ONCE)]
    if not len(index):
        return None
    drawn, seen = drawn[index], seen[index]
    # About the median column's centre, width // 2 + 0.5: one column right of the picture's own middle.
    mirrored = drawn.flip(2).roll(1, 2) if drawn.shape[2] % 2 == 0 else drawn.flip(2)
    turns = {"mirrored": mirrored, "upside down": drawn.flip(1), "turned by 180 degrees": mirrored.flip(1)}
    gain = {name: float(mask_iou(turn, seen).mean()) for name, turn in turns.items()}
    best = max(gain, key=gain.get)
    return best if gain[best] > float(mask_iou(drawn, seen).mean()) + _TURNED else None


def _order(drawn: torch.Tensor, seen: torch.Tensor, present: torch.Tensor) -> tuple[str, int]:
    """Alignment.order and Alignment.shift, by the frames in the middle."""
    middle = slice(max(0, (len(seen) - _WINDOW) // 2), max(0, (len(seen) - _WINDOW) // 2) + _WINDOW)
    drawn, seen, present = drawn[middle], seen[middle], present[middle].numpy()
    if present.sum() < _FEWEST:
        return "cannot tell", 0
    score = _scores(drawn, seen, present)
    best = max(score, key=score.get)
    if score[best] >= _SHIFT_FITS and score[best] >= score[0] + _CLEARER:
        return "shifted", best
    if score[0] >= _FITS:
        return "fits", 0
    moves = max(_scores(pictures, pictures, present)[1] for pictures in (drawn, seen))
    return ("does not fit" if moves >= _MOVES else "cannot tell"), 0


def _scores(drawn: torch.Tensor, seen: torch.Tensor, present: np.ndarray) -> dict[int, float]:
    """For each shift n the score of the pairs of body t and silhouette t + n."""
    index = np.flatnonzero(present)
    a, b = drawn[index].flatten(1).float(), seen[index].flatten(1).float()
    both = a @ b.T
    iou = (both / (a.sum(1)[:, None] + b.sum(1) - both)).double().numpy()
    centred = np.zeros((len(present), len(present)))
    centred[np.ix_(index, index)] = iou - iou.mean(0) - iou.mean(1, keepdims=True) + iou.mean()
    unit = max(np.sqrt((centred**2).sum() / (len(index) - 1) / len(index)), 1e-9)
    there = np.outer(present, present)
    most = min(_MOST_SHIFT, len(index) // 3)
    return {
        shift: float(centred.trace(shift) / np.sqrt(max(there.trace(shift), 1)) / unit)
        for shift in range(-most, most + 1)
    }
