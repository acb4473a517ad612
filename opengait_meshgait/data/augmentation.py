"""Augmentation that moves silhouettes and the bodies behind them together, on the device.

Everything is drawn once a sequence, from that sequence's seed, so that the frames of a walk stay a walk and a batch
can be made again. A mirror, an affine and a perspective change of the picture are one homography of crop space; the
silhouettes are resampled with it once, and the points of the body follow it in x and y.

- A mirror about x = 0 exchanges left and right: the mirrored person is a person again.
- Rotation turns x and y about the middle of the crop. Scale also multiplies z, so that bodies keep their proportions,
  and divides the metres of a crop height. Translation moves x and y.
- Perspective moves x and y by the homography and leaves z: an approximation for the small tilts that it is meant for.
- Erasing blackens a rectangle, the same in all frames. The body behind it is still asked for.

After a change the person no longer fills the crop's height exactly; the targets say where the person is.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from kornia.geometry.linalg import transform_points
from kornia.geometry.transform import get_affine_matrix2d, get_perspective_transform, warp_perspective

from opengait_meshgait.body.crop import flip_crop, to_pixels
from opengait_meshgait.body.supervision import BodyFlips, BodyTargets
from opengait_meshgait.common.validation import validate
from opengait_meshgait.data.augment_cfg import AugmentCfg

_DRAWS = 20  # numbers drawn for a sequence, used or not: what one change draws never shifts another's
_ASPECT = 3.3  # an erased rectangle is up to so many times wider than high, or higher than wide


class PairedAugmentation:
    """Augments silhouettes with their bodies.

    Args:
        cfg: ``model_cfg.augment_cfg``, or a mapping with its keys.
        flips: which points of a body change places in a mirror; needed to mirror bodies.

    Raises:
        UserError: an unknown key, or a value out of its range.
    """

    def __init__(self, cfg: AugmentCfg | Mapping[str, Any], flips: BodyFlips | None = None):
        cfg = validate(AugmentCfg, cfg, "augment_cfg")
        self.flip, self.affine, self.perspective, self.erasing = cfg.flip, cfg.affine, cfg.perspective, cfg.erasing
        self.flips = flips

    @torch.no_grad()
    def __call__(
        self, sils: torch.Tensor, targets: BodyTargets | None, seeds: Sequence[int] | torch.Tensor
    ) -> tuple[torch.Tensor, BodyTargets | None]:
        """Augment a batch; the input stays as it is.

        Args:
            sils: 0…1, float [n, s, h, w].
            targets: their bodies in crop space, or None.
            seeds: one a sequence, [n]. The same seed gives the same change, whatever stands beside it.

        Raises:
            ValueError: wrong shapes, or bodies are to be mirrored and ``flips`` is None.
        """
        if sils.ndim != 4 or len(seeds) != len(sils):
            raise ValueError(f"sils must be [n, s, h, w] with n seeds, got {list(sils.shape)} and {len(seeds)} seeds")
        if targets is not None and self.flip > 0 and self.flips is None:
            raise ValueError("bodies cannot be mirrored without flips")
        draws = torch.stack([_uniform(seed) for seed in torch.as_tensor(seeds).tolist()])
        height, width = sils.shape[-2:]
        mirrored = draws[:, 0] < self.flip
        affine, scale = self._affine(draws[:, 1:6])
        plane = self._perspective(draws[:, 6:15], height, width) @ affine
        sils = _mirror(sils, mirrored)
        sils = _warp(sils, plane)
        sils = self._erase(sils, draws[:, 15:])
        if targets is not None:
            targets = self._move(targets, mirrored, plane, scale)
        return sils, targets

    def _affine(self, draws: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Matrices [n, 3, 3] on (x, y) in crop heights, and their scale [n], from draws [n, 5]."""
        n, cfg = len(draws), self.affine
        if cfg is None:
            return torch.eye(3).repeat(n, 1, 1), torch.ones(n)
        chosen = draws[:, 0] < cfg.probability
        angle = (2 * draws[:, 1] - 1) * cfg.degrees
        low, high = map(math.log, cfg.scale)
        scale = torch.exp(low + draws[:, 2] * (high - low)).where(chosen, torch.ones(n))
        shift = (2 * draws[:, 3:] - 1) * cfg.translate
        middle = torch.tensor([[0.0, 0.5]]).expand(n, 2)
        matrix = get_affine_matrix2d(shift, middle, scale[:, None].expand(n, 2), angle)
        return torch.where(chosen[:, None, None], matrix, torch.eye(3)), scale

    def _perspective(self, draws: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """Matrices [n, 3, 3] on (x, y) in crop heights, from draws [n, 9]."""
        n, cfg = len(draws), self.perspective
        if cfg is None:
            return torch.eye(3).repeat(n, 1, 1)
        half = torch.tensor([width / height, 1.0]) / 2
        corners = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]) * half + torch.tensor([0, 0.5])
        moved = corners + (2 * draws[:, 1:].unflatten(1, (4, 2)) - 1) * cfg.distortion * half
        matrix = get_perspective_transform(corners.expand(n, 4, 2), moved)
        return torch.where((draws[:, 0] < cfg.probability)[:, None, None], matrix, torch.eye(3))

    def _erase(self, sils: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        cfg = self.erasing
        if cfg is None:
            return sils
        height, width = sils.shape[-2:]
        chosen, area, aspect, top, left = draws.T
        area = (cfg.area[0] + area * (cfg.area[1] - cfg.area[0])) * height * width
        aspect = torch.exp((2 * aspect - 1) * math.log(_ASPECT))
        rows, columns = (area / aspect).sqrt().clamp(max=height), (area * aspect).sqrt().clamp(max=width)
        rows = rows * (chosen < cfg.probability)  # none, where a sequence is left alone
        down, across = _inside(top * (height - rows), rows, height), _inside(left * (width - columns), columns, width)
        erased = (down[:, None, :, None] & across[:, None, None, :]).to(sils.device)
        return sils.masked_fill(erased, 0.0)

    def _move(
        self, targets: BodyTargets, mirrored: torch.Tensor, plane: torch.Tensor, scale: torch.Tensor
    ) -> BodyTargets:
        """Bodies after the same change. ``plane [n, 3, 3]`` acts on x and y, ``scale [n]`` on z and the metres."""
        device = targets.joints.device
        mirrored, plane, scale = mirrored.to(device), plane.to(device), scale.to(device)
        moved = {}
        weights = {"joints": targets.joint_weights, "markers": targets.mesh_weights, "vertices": targets.mesh_weights}
        for name, weight in weights.items():
            points = getattr(targets, name)
            if self.flips is not None:
                flipped = flip_crop(points, getattr(self.flips, name).to(device))
                points = torch.where(mirrored[:, None, None, None], flipped, points)
            xy = transform_points(plane, points[..., :2].flatten(1, 2)).view_as(points[..., :2])
            points = torch.cat([xy, points[..., 2:] * scale[:, None, None, None]], -1)
            moved[name] = torch.where(weight[..., None, None] > 0, points, 0.0)
        return replace(targets, **moved, height=targets.height / scale[:, None])


def _uniform(seed: int) -> torch.Tensor:
    return torch.rand(_DRAWS, generator=torch.Generator().manual_seed(seed))


def _inside(start: torch.Tensor, length: torch.Tensor, size: int) -> torch.Tensor:
    """Which of ``size`` pixels have their centre within ``length [n]`` px from ``start [n]``: bool [n, size]."""
    centre = torch.arange(size) + 0.5
    return (centre >= start[:, None]) & (centre < (start + length)[:, None])


def _mirror(sils: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
    """Mirror the chosen sequences about x = 0, the centre of column ``w // 2``: exact, no resampling."""
    width = sils.shape[-1]
    source = 2 * (width // 2) - torch.arange(width, device=sils.device)
    # Of an even width, column 0 has its counterpart just beyond the picture.
    flipped = sils[..., source.clamp(max=width - 1)] * (source < width)
    return torch.where(mirrored.to(sils.device)[:, None, None, None], flipped, sils)


def _warp(sils: torch.Tensor, plane: torch.Tensor) -> torch.Tensor:
    """Move the pictures by ``plane [n, 3, 3]``, a homography of crop space."""
    changed = (plane != torch.eye(3)).flatten(1).any(1)
    if not changed.any():
        return sils
    height, width = sils.shape[-2:]
    # kornia's pixels have whole numbers at their centres; a homography of crop space becomes one of theirs.
    origin = to_pixels(torch.zeros(2), height, width) - 0.5
    pixels = torch.tensor([[height, 0, origin[0]], [0, height, origin[1]], [0, 0, 1]])
    matrix = (pixels @ plane[changed] @ torch.linalg.inv(pixels)).to(sils)
    changed = changed.to(sils.device)
    warped = sils.clone()
    # The frames of a sequence stand in for channels: they share one sampling grid.
    warped[changed] = warp_perspective(sils[changed], matrix, (height, width), align_corners=True)
    return warped
