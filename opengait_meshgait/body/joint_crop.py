"""Crop space from 24 joints alone, where no mesh is known.

The outline of a body reaches beyond its joints: the top of the head, toes, heels and finger tips are taken for balls on
the prolongations of bones, sized in proportion to the body. The median column is taken for a weighted mean of the
joints. Both are homogeneous: the joints may come in any unit and from any origin.

The constants are fitted to the stand-in body by ``tools/fit_joint_crop.py``. Against
:func:`~opengait_meshgait.body.crop.crop_frame` of people and poses that they were not fitted to, in percent of a crop
height, mean / 95th percentile:

| | height | median column | top |
|---|---|---|---|
| walking, from 12 sides | 0.4 / 0.8 | 0.3 / 0.9 | 0.3 / 0.7 |
| any pose, upright | 0.8 / 2.2 | 0.8 / 2.0 | 0.7 / 2.1 |

Other bodies put their joints at slightly other places; SMPL's are the stand-in's model.
"""

from dataclasses import dataclass

import torch

from opengait_meshgait.body.crop import CropFrame
from opengait_meshgait.body.layout import JOINT_NAMES

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
    """Where crop space lies, as nearly as joints tell.

    Args:
        joints: camera orientation (x right, y down, z away), in SMPL's order, m or any other unit, [..., 24, 3].
        outline: of the body around them.

    Returns:
        The frames, in the unit of the joints.
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
