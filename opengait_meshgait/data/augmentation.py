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
import torch.nn.functional as F
from kornia.geometry.linalg import transform_points
from kornia.geometry.transform import get_affine_matrix2d, get_perspective_transform

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
        box = self._box(draws[:, 15:], height, width)
        changed = (plane != torch.eye(3)).flatten(1).any(1).nonzero()[:, 0]
        backwards = _backwards(plane[changed], height, width)
        mirrored, scale, plane, box, changed, backwards = _together(
            [mirrored, scale, plane, box, changed, backwards], sils.device
        )
        sils = _mirror(sils, mirrored > 0)
        if len(changed):
            sils = _warp(sils, changed.long(), backwards)
        if self.erasing is not None:
            sils = _erase(sils, box)
        if targets is not None:
            targets = self._move(targets, mirrored > 0, plane, scale)
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

    def _box(self, draws: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """What is erased, px [n, 4]: top, bottom, left, right; from draws [n, 5]. No rows where nothing is."""
        cfg = self.erasing
        if cfg is None:
            return torch.zeros(len(draws), 4)
        chosen, area, aspect, top, left = draws.T
        area = (cfg.area[0] + area * (cfg.area[1] - cfg.area[0])) * height * width
        aspect = torch.exp((2 * aspect - 1) * math.log(_ASPECT))
        rows, columns = (area / aspect).sqrt().clamp(max=height), (area * aspect).sqrt().clamp(max=width)
        rows = rows * (chosen < cfg.probability)
        top, left = top * (height - rows), left * (width - columns)
        return torch.stack([top, top + rows, left, left + columns], 1)

    def _move(
        self, targets: BodyTargets, mirrored: torch.Tensor, plane: torch.Tensor, scale: torch.Tensor
    ) -> BodyTargets:
        """Bodies after the same change. ``plane [n, 3, 3]`` acts on x and y, ``scale [n]`` on z and the metres."""
        kinds = ("joints", "markers", "vertices")
        sizes = [getattr(targets, kind).shape[2] for kind in kinds]
        points = torch.cat([getattr(targets, kind) for kind in kinds], 2)
        if self.flips is not None:
            self.flips = self.flips.to(points.device)
            flipped = [flip_crop(part, getattr(self.flips, kind)) for kind, part in zip(kinds, points.split(sizes, 2))]
            points = torch.where(mirrored[:, None, None, None], torch.cat(flipped, 2), points)
        xy = transform_points(plane, points[..., :2].flatten(1, 2)).view_as(points[..., :2])
        points = torch.cat([xy, points[..., 2:] * scale[:, None, None, None]], -1)
        parts = []
        for part, weight in zip(points.split(sizes, 2), (targets.joint_weights, *[targets.mesh_weights] * 2)):
            parts.append(torch.where(weight[..., None, None] > 0, part, 0.0))
        return replace(targets, **dict(zip(kinds, parts)), height=targets.height / scale[:, None])


def _uniform(seed: int) -> torch.Tensor:
    return torch.rand(_DRAWS, generator=torch.Generator().manual_seed(seed))


def _together(parts: Sequence[torch.Tensor], device: torch.device) -> list[torch.Tensor]:
    """The same in float32 on ``device``, by one copy: at each, a GPU and the processor wait for each other."""
    numbers = torch.cat([part.float().flatten() for part in parts])
    if device.type == "cuda":
        numbers = numbers.pin_memory()
    numbers = numbers.to(device, non_blocking=True)
    return [moved.view(part.shape) for part, moved in zip(parts, numbers.split([part.numel() for part in parts]))]


def _erase(sils: torch.Tensor, box: torch.Tensor) -> torch.Tensor:
    """Blacken the pixels whose centres lie in ``box [n, 4]``: top, bottom, left, right, px."""
    row, column = (torch.arange(size, device=sils.device) + 0.5 for size in sils.shape[-2:])
    top, bottom, left, right = box.T[..., None]
    down, across = (row >= top) & (row < bottom), (column >= left) & (column < right)
    return sils.masked_fill(down[:, None, :, None] & across[:, None, None, :], 0.0)


def _mirror(sils: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
    """Mirror the chosen sequences about x = 0, the centre of column ``w // 2``: exact, no resampling."""
    width = sils.shape[-1]
    source = 2 * (width // 2) - torch.arange(width, device=sils.device)
    # Of an even width, column 0 has its counterpart just beyond the picture.
    flipped = sils[..., source.clamp(max=width - 1)] * (source < width)
    return torch.where(mirrored[:, None, None, None], flipped, sils)


def _backwards(plane: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Where a moved picture finds its pixels: homographies [m, 3, 3] of crop space to those of ``grid_sample``.

    Its coordinates run from -1 to 1 between the centres of the outermost pixels.
    """
    origin = to_pixels(torch.zeros(2), height, width) - 0.5  # of crop space, in pixels whose centres are whole numbers
    x, y = 2 / (width - 1), 2 / (height - 1)
    grid = torch.tensor([[height * x, 0, origin[0] * x - 1], [0, height * y, origin[1] * y - 1], [0, 0, 1]])
    return grid @ torch.linalg.inv(plane) @ torch.linalg.inv(grid)


def _warp(sils: torch.Tensor, changed: torch.Tensor, backwards: torch.Tensor) -> torch.Tensor:
    """Move the pictures of the sequences ``changed [m]`` by what :func:`_backwards` gives for them."""
    y, x = (torch.linspace(-1, 1, size, device=sils.device, dtype=sils.dtype) for size in sils.shape[-2:])
    points = torch.stack([x.expand(len(y), -1), y[:, None].expand(-1, len(x)), torch.ones_like(sils[0, 0])], -1)
    points = points.flatten(0, 1) @ backwards.to(sils.dtype).mT
    places = (points[..., :2] / points[..., 2:]).unflatten(1, sils.shape[-2:])
    # The frames of a sequence stand in for channels: they share one sampling grid.
    warped = F.grid_sample(sils.index_select(0, changed), places, align_corners=True)
    return sils.index_copy(0, changed, warped)
