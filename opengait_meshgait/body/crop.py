"""Crop space: where a body stands in its own normalised silhouette.

x points right, y down, z away from the camera; the unit is the height of the silhouette. The origin is at the top, at
the silhouette's median column, at the depth of the pelvis. Normalising a silhouette takes away the weak-perspective
camera's scale and translation, so a body posed in camera orientation gets here by its own outline alone.

Crop space and pixels. ``normalize_silhouette`` scales the person to the picture's ``h`` rows and puts the column that
*contains* the median at index ``w // 2`` (column 32 of 64; column 22 of 44 once 10 columns are cut from either side)::

    u = m + h x,   m = w // 2 + 0.5        u, v in pixels from the picture's top-left corner,
    v = h y                                so that pixel (r, c) has its centre at (c + 0.5, r + 0.5)

The median may lie anywhere in its column, so the column's centre is right on average and wrong by up to half a pixel
(a quarter on average). Where a picture is at hand, :func:`median_column` measures ``m`` in it. Mirroring a picture
about x = 0 takes column c to column ``2 * (w // 2) - c``.
"""

from dataclasses import dataclass

import torch

from opengait_meshgait.body.layout import JOINT_NAMES
from opengait_meshgait.body.raster import rasterize

# Resolution of the outline from which the median is taken. It is stretched over the body's bounding box, so columns
# are about 1/100 of a crop height wide even for spread arms.
_CELLS = 64


@dataclass
class CropFrame:
    """Where crop space lies in camera orientation: its origin, m, [..., 3], and one crop height, m, [...]."""

    origin: torch.Tensor
    height: torch.Tensor


@torch.no_grad()
def crop_frame(vertices: torch.Tensor, faces: torch.Tensor, pelvis: torch.Tensor) -> CropFrame:
    """The crop frames of posed bodies seen by a weak-perspective camera; no gradient flows into them.

    Args:
        vertices: the body in camera orientation (x right, y down, z away), m, [n, V, 3]; z is not used.
        faces: triangles, [F, 3].
        pelvis: the pelvis joint, m, [n, 3].
    """
    # x and y apart in memory: PyTorch is slow where the last axis has two elements.
    xy = vertices[..., :2].float().mT.contiguous().mT
    low, high = xy.amin(1), xy.amax(1)
    extent = (high - low).clamp_min(1e-6)
    outline = rasterize((xy - low[:, None]) * (_CELLS / extent)[:, None], faces, _CELLS, _CELLS)
    median = low[:, 0] + median_column(outline) * extent[:, 0] / _CELLS
    return CropFrame(torch.stack([median, low[:, 1], pelvis[:, 2].float()], -1), extent[:, 1])


def median_column(silhouettes: torch.Tensor) -> torch.Tensor:
    """Where silhouettes [..., h, w] have half of their mass on either side, px from the left edge, float32 [...].

    They may be of any type; none may be empty.
    """
    # Masks are counted in a third of the time.
    mass = (
        silhouettes.sum(-2, dtype=torch.int32).float()
        if silhouettes.dtype == torch.bool
        else silhouettes.float().sum(-2)
    )
    before = mass.cumsum(-1) - mass
    half = mass.sum(-1, keepdim=True) / 2
    column = (before < half).sum(-1, keepdim=True).sub(1).clamp_min(0)
    inside = (half - before.gather(-1, column)) / mass.gather(-1, column)
    return (column + inside)[..., 0]


def to_crop(points: torch.Tensor, frame: CropFrame) -> torch.Tensor:
    """Points in camera orientation, m, [..., P, 3], or their x and y, -> crop space, crop heights."""
    return (points - frame.origin[..., None, : points.shape[-1]]) / frame.height[..., None, None]


def flip_crop(points: torch.Tensor, flip: torch.Tensor) -> torch.Tensor:
    """The mirror image of points [..., P, 3] in crop space, each of which changes places with ``flip`` [P]."""
    points = points[..., flip, :]
    return torch.cat([-points[..., :1], points[..., 1:]], -1)


def to_pixels(points: torch.Tensor, height: int = 64, width: int = 44) -> torch.Tensor:
    """Points in crop space [..., 2 or 3] -> (u, v) px [..., 2] in a normalised silhouette of ``height`` x ``width``."""
    return points[..., :2] * height + points.new_tensor([width // 2 + 0.5, 0])


ENDS = (("head", "neck"), ("foot", "ankle"), ("ankle", "foot"), ("hand", "wrist"))
"""Where the outline may end, crown, toes, heels and finger tips: a joint, and the one that its bone comes from."""


@dataclass(frozen=True)
class JointOutline:
    """How far the outline reaches beyond the joints, and where its median lies among them.

    Attributes:
        beyond: how far behind its joint each of :data:`ENDS` has its ball, lengths of the bone, [4].
        radius: of the ball, sizes of the body (see :func:`body_size`), [4].
        share: of each joint in the median column, [24], sum 1.
    """

    beyond: torch.Tensor
    radius: torch.Tensor
    share: torch.Tensor


def _sided(name: str) -> list[int]:
    """The joint of this name, or the left and the right one."""
    return [index for index, joint in enumerate(JOINT_NAMES) if joint in (name, f"left_{name}", f"right_{name}")]


def _bones(*names: tuple[str, str]) -> list[tuple[int, int]]:
    return [pair for tip, base in names for pair in zip(_sided(tip), _sided(base))]


_BONES = _bones(*ENDS)
_KINDS = [kind for kind, end in enumerate(ENDS) for _ in _bones(end)]
_TRUNK, _LEGS = _bones(("neck", "pelvis")), _bones(("knee", "hip"), ("ankle", "knee"))
# fmt: off
_SHARES = {
    "pelvis": 0.354, "hip": -0.015, "spine1": 0.012, "knee": 0.084, "spine2": 0.012, "ankle": -0.011, "spine3": -0.021,
    "foot": 0.045, "neck": 0.034, "collar": 0.051, "head": 0.081, "shoulder": 0.062, "elbow": 0.020, "wrist": 0.016,
    "hand": 0.012,
}
# fmt: on
OUTLINE = JointOutline(
    beyond=torch.tensor([0.401, 0.206, 0.001, 0.191]),
    radius=torch.tensor([0.1334, 0.0119, 0.0583, 0.0161]),
    share=torch.tensor([_SHARES[name.removeprefix("left_").removeprefix("right_")] for name in JOINT_NAMES]),
)
"""Of the stand-in body."""


def joint_crop_frame(joints: torch.Tensor, outline: JointOutline = OUTLINE) -> CropFrame:
    """Where crop space lies, in the unit of the joints, as nearly as these tell where no mesh is known.

    The outline of a body reaches beyond its joints: the top of the head, toes, heels and finger tips are taken for
    balls on the prolongations of bones, sized in proportion to the body. The median column is taken for a weighted mean
    of the joints. Both are homogeneous: the joints may come in any unit and from any origin.

    The constants are fitted to the stand-in body by ``tools/fit_joint_crop.py``. Against :func:`crop_frame` of people
    and poses that they were not fitted to, in percent of a crop height, mean / 95th percentile:

    | | height | median column | top |
    |---|---|---|---|
    | walking, from 12 sides | 0.4 / 0.8 | 0.3 / 0.9 | 0.3 / 0.7 |
    | any pose, upright | 0.8 / 2.2 | 0.8 / 2.0 | 0.7 / 2.1 |

    Other bodies put their joints at slightly other places; SMPL's are the stand-in's model.

    Args:
        joints: camera orientation (x right, y down, z away), in SMPL's order, m or any other unit, [..., 24, 3].
        outline: of the body around them.
    """
    tips, bases = torch.tensor(_BONES, device=joints.device).T
    y = joints[..., 1]
    centre = y[..., tips] + outline.beyond[_KINDS].to(joints) * (y[..., tips] - y[..., bases])
    radius = outline.radius[_KINDS].to(joints) * body_size(joints)[..., None]
    top, bottom = (centre - radius).amin(-1), (centre + radius).amax(-1)
    median = (joints[..., 0] * outline.share.to(joints)).sum(-1)
    return CropFrame(torch.stack([median, top, joints[..., 0, 2]], -1), bottom - top)


def body_size(joints: torch.Tensor) -> torch.Tensor:
    """Length of the trunk and of a leg, which no walking changes much: joints [..., 24, 3] -> [...], in their unit."""
    tips, bases = torch.tensor(_TRUNK + _LEGS, device=joints.device).T
    length = (joints[..., tips, :] - joints[..., bases, :]).square().sum(-1).sqrt()
    return length[..., 0] + length[..., 1:].sum(-1) / 2
