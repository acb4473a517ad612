"""Errors of predicted bodies in millimetres, and how well they cover their silhouettes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

PELVIS = 0
"""The joint that root-aligned errors put at the origin."""

LEGS = ((4, 7, 10), (5, 8, 11))
"""Knee, ankle and foot of the left and of the right leg among SMPL's joints."""

MEASURED = {"mpjpe": "joints", "marker": "markers", "mpvpe": "vertices"}
"""The points behind each error: attributes of the network's output and of its targets."""

LOW_IOU = 0.70
"""Below this IoU with its silhouette a reconstructed body is called low."""


def iou_metrics(ious: Sequence[float]) -> dict[str, float | None]:
    """``iou``, the mean over frames of the IoUs (0…1) of meshes with their silhouettes, and ``iou_low_percent``, the
    share of frames below :data:`LOW_IOU`; None both of no frame. No true body is needed.
    """
    if not len(ious):
        return {"iou": None, "iou_low_percent": None}
    low = sum(iou < LOW_IOU for iou in ious)
    return {"iou": float(sum(ious) / len(ious)), "iou_low_percent": 100 * low / len(ious)}


def point_errors(predicted: torch.Tensor, target: torch.Tensor, height: torch.Tensor) -> torch.Tensor:
    """Euclidean distances in mm ``[..., P]``.

    Args:
        predicted, target: points ``[..., P, 3]`` in crop heights.
        height: ``[...]``, metres in one crop height.

    Raises:
        ValueError: the shapes do not belong together.
    """
    if predicted.shape != target.shape or predicted.shape[-1] != 3 or height.shape != predicted.shape[:-2]:
        shapes = [[*tensor.shape] for tensor in (predicted, target, height)]
        raise ValueError(f"expected [..., P, 3] twice and [...], got {', '.join(map(str, shapes))}")
    # Not norm(dim=-1): over three strided numbers it is many times slower on a CPU.
    distance = (predicted.float() - target.float()).square().sum(-1).sqrt()
    return distance * height.float()[..., None] * 1000


def procrustes(points: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """``points`` moved, turned and scaled as a whole to lie as near to ``target`` as they can (least squares).

    Gower, "Generalized Procrustes Analysis", Psychometrika 1975; mirroring is not allowed (Umeyama, PAMI 1991).

    Args:
        points, target: ``[m, P, 3]``.
    """
    points, target = points.double(), target.double()
    centre = target.mean(1, keepdim=True)
    points, target = points - points.mean(1, keepdim=True), target - centre
    left, size, right = torch.linalg.svd(points.transpose(1, 2) @ target)
    mirrored = torch.linalg.det(left @ right) < 0
    sign = torch.ones_like(size)
    sign[mirrored, 2] = -1
    # All points in one place have no size, and stay there.
    scale = (size * sign).sum(1) / points.square().sum((1, 2)).clamp_min(1e-12)
    return scale[:, None, None] * (points @ ((left * sign[:, None]) @ right)) + centre


@dataclass(frozen=True)
class BodyErrors:
    """Errors summed over frames; add up those of all batches, then ask for the means.

    Attributes:
        frames: by name, in how many frames the points are known.
        sums: by name, mm summed over these frames for each point, ``[P]`` float64 on the CPU. Names are those of
            :data:`MEASURED` (positions in crop space) and the same with ``_root`` (relative to the pelvis) or ``_pa``
            (after :func:`procrustes`) behind.
        swapped: of the frames whose joints are known, those whose legs (:data:`LEGS`) would be nearer to the truth if
            left and right changed places, the pelvis aligned.
    """

    frames: dict[str, int]
    sums: dict[str, torch.Tensor]
    swapped: int

    def __add__(self, other: "BodyErrors") -> "BodyErrors":
        if self.sums.keys() != other.sums.keys():
            raise ValueError(f"expected errors of {sorted(self.sums)}, got {sorted(other.sums)}")
        frames = {name: count + other.frames[name] for name, count in self.frames.items()}
        sums = {name: sums + other.sums[name] for name, sums in self.sums.items()}
        return BodyErrors(frames, sums, self.swapped + other.swapped)

    def metrics(self) -> dict[str, float]:
        """Means over frames and points in mm: ``mpjpe_mm``, ``mpjpe_root_mm``…; without those known in no frame.

        And ``legs_swapped_percent``, the share of frames with a left/right swap of the legs.
        """
        found = {f"{name}_mm": float(sums.mean()) / self.frames[name] for name, sums in self._known().items()}
        if self.frames.get("mpjpe"):
            found["legs_swapped_percent"] = 100 * self.swapped / self.frames["mpjpe"]
        return found

    def joints(self) -> dict[str, list[float]]:
        """Means over frames in mm for each of the 24 joints, ``mpjpe`` and ``mpjpe_root``; nothing without a frame."""
        known = {name: sums for name, sums in self._known().items() if name in ("mpjpe", "mpjpe_root")}
        return {name: (sums / self.frames[name]).tolist() for name, sums in known.items()}

    def _known(self) -> dict[str, torch.Tensor]:
        return {name: sums for name, sums in self.sums.items() if self.frames[name]}


def body_errors(output: Any, targets: Any) -> BodyErrors:
    """Errors of one batch. Every frame whose points have a weight counts once, however small that is.

    Args:
        output: predictions in crop space: ``joints [n, s, 24, 3]``, and ``markers [n, s, K, 3]`` and
            ``vertices [n, s, V, 3]``, or None for those that are not asked for.
        targets: the ground truth under the same names, ``height [n, s]`` in metres, and the weights ``[n, s]`` of the
            frames, ``joint_weights`` and, for markers and vertices, ``mesh_weights`` (nowhere without the joints').
    """
    frames, sums, swapped = {}, {}, 0
    for name, attribute in MEASURED.items():
        if getattr(output, attribute) is None:
            continue
        known = (targets.joint_weights if attribute == "joints" else targets.mesh_weights) > 0
        height = targets.height[known]
        points = [getattr(bodies, attribute)[known] for bodies in (output, targets)]
        pelvis = slice(PELVIS, PELVIS + 1)
        aligned = [each - bodies.joints[known][:, pelvis] for each, bodies in zip(points, (output, targets))]
        pairs = {name: points, f"{name}_root": aligned, f"{name}_pa": (procrustes(*points), points[1])}
        for key, (predicted, true) in pairs.items():
            frames[key] = int(known.sum())
            sums[key] = point_errors(predicted, true, height).sum(0, dtype=torch.float64).cpu()
        if attribute == "joints":
            swapped = _legs_swapped(*aligned)
    return BodyErrors(frames, sums, swapped)


def _legs_swapped(predicted: torch.Tensor, target: torch.Tensor) -> int:
    """In how many frames of joints ``[m, 24, 3]`` the legs fit better with left and right exchanged."""
    legs = [joint for leg in LEGS for joint in leg]
    others = [joint for leg in reversed(LEGS) for joint in leg]
    straight, exchanged = (
        (predicted[:, order] - target[:, legs]).square().sum(-1).sqrt().sum(1) for order in (legs, others)
    )
    return int((exchanged < straight).sum())
