"""Errors of predicted bodies in millimetres."""

from dataclasses import dataclass
from typing import Any

import torch

PELVIS = 0
"""The joint that root-aligned errors put at the origin."""

MEASURED = {"mpjpe": "joints", "marker": "markers", "mpvpe": "vertices"}
"""The points behind each error: attributes of the network's output and of its targets."""


def point_errors(predicted: torch.Tensor, target: torch.Tensor, height: torch.Tensor) -> torch.Tensor:
    """Euclidean distances in mm ``[..., P]``.

    Args:
        predicted: points ``[..., P, 3]`` in crop heights.
        target: the same of the ground truth.
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


@dataclass(frozen=True)
class BodyErrors:
    """Errors summed over frames; add up those of all batches, then ask for the means.

    Attributes:
        frames: by name, in how many frames the points are known.
        sums: by name, mm summed over these frames for each point, ``[P]`` float64 on the CPU. Names are those of
            :data:`MEASURED` (positions in crop space) and the same with ``_root`` behind (relative to the pelvis).
    """

    frames: dict[str, int]
    sums: dict[str, torch.Tensor]

    def __add__(self, other: "BodyErrors") -> "BodyErrors":
        if self.sums.keys() != other.sums.keys():
            raise ValueError(f"expected errors of {sorted(self.sums)}, got {sorted(other.sums)}")
        frames = {name: count + other.frames[name] for name, count in self.frames.items()}
        return BodyErrors(frames, {name: sums + other.sums[name] for name, sums in self.sums.items()})

    def metrics(self) -> dict[str, float]:
        """Means over frames and points in mm: ``mpjpe_mm``, ``mpjpe_root_mm``…; without those known in no frame."""
        return {f"{name}_mm": float(sums.mean()) / self.frames[name] for name, sums in self._known().items()}

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
    frames, sums = {}, {}
    for name, attribute in MEASURED.items():
        if getattr(output, attribute) is None:
            continue
        known = (targets.joint_weights if attribute == "joints" else targets.mesh_weights) > 0
        height = targets.height[known]
        points = [getattr(bodies, attribute)[known] for bodies in (output, targets)]
        aligned = [
            each - bodies.joints[known][:, PELVIS : PELVIS + 1] for each, bodies in zip(points, (output, targets))
        ]
        frames[name] = frames[f"{name}_root"] = int(known.sum())
        sums[name] = point_errors(*points, height).sum(0, dtype=torch.float64).cpu()
        sums[f"{name}_root"] = point_errors(*aligned, height).sum(0, dtype=torch.float64).cpu()
    return BodyErrors(frames, sums)
