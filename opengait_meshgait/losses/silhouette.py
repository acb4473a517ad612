"""The silhouette as a teacher of 3D: the mesh must lie inside of it and fill it, and no true body is needed."""

from typing import Annotated, Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from opengait_meshgait.losses.gather import mean_over_processes
from opengait_meshgait.losses.registry import LOSSES

_GOLDEN = 0.618034  # multiples of it, modulo 1, spread evenly: every pixel has its turn


@LOSSES.register
class SilhouetteLoss(nn.Module):
    """How far the mesh sticks out of its silhouette, and how much of the silhouette it leaves empty.

    ``inside`` is the mean distance of the mesh's vertices from the silhouette. ``fill`` is the mean over the
    silhouette's pixels of their distance from the nearest vertex, which is 0 where the mesh covers them. Both are in
    the picture plane and in crop heights; the loss is their weighted mean. Depth gets no gradient, and the silhouette
    none. Some of the vertices and uncovered pixels are looked at in an iteration, others in the next. Frames whose
    silhouette is empty do not count.

    Args:
        fill_share: the weight of ``fill``, 0 to 1; ``inside`` has the rest.
        allowance: so much of an uncovered pixel's distance, in crop heights, is free: clothes stand off the body.
        reach: pixels further from the mesh, in crop heights, do not pull: bags, coats and damage must not pull the
            body apart.
        pixels: that are looked at of those in a silhouette that the mesh leaves empty.
        every: of so many vertices one is looked at.
        loss_term_weight: the weight of this term in the sum.
        warmup: iterations over which the loss is faded in: its factor rises linearly from 0 at iteration 0 to 1.
    """

    def __init__(
        self,
        fill_share: Annotated[float, Field(ge=0, le=1)] = 0.5,
        allowance: Annotated[float, Field(ge=0)] = 0.01,
        reach: Annotated[float, Field(gt=0)] = 0.15,
        pixels: Annotated[int, Field(gt=0)] = 32,
        every: Annotated[int, Field(gt=0)] = 4,
        loss_term_weight: float = 1.0,
        warmup: Annotated[int, Field(ge=0)] = 0,
    ):
        super().__init__()
        self.fill_share, self.allowance, self.reach = fill_share, allowance, reach
        self.pixels, self.every = pixels, every
        self.loss_term_weight = loss_term_weight
        self.warmup = warmup

    def forward(
        self, vertices: torch.Tensor, silhouettes: torch.Tensor, covered: torch.Tensor, iteration: int
    ) -> tuple[torch.Tensor, dict[str, Any]]:
        """Compare meshes with the silhouettes that they were made from.

        Args:
            vertices: ``[n, s, V, 3]`` in crop space.
            silhouettes: what the network saw, ``[n, s, h, w]``, 0…1; more than one half is the person.
            covered: which pixels the meshes cover, bool, the same shape.
            iteration: of the training, from 0.

        Returns:
            The loss (a scalar) and ``loss``, ``inside`` and ``fill`` (both in crop heights), ``iou`` of meshes and
            silhouettes and ``ramp``, the warm-up's factor.

        Raises:
            ValueError: the shapes do not belong together.
        """
        fitting = silhouettes.shape == covered.shape and silhouettes.shape[:-2] == vertices.shape[:2]
        if vertices.ndim != 4 or vertices.shape[-1] != 3 or not fitting:
            shapes = f"{[*vertices.shape]}, {[*silhouettes.shape]} and {[*covered.shape]}"
            raise ValueError(f"expected vertices [n, s, V, 3] and twice [n, s, h, w], got {shapes}")
        with torch.autocast(vertices.device.type, enabled=False):
            masks, covered = silhouettes.detach().flatten(0, 1) > 0.5, covered.flatten(0, 1)
            xy = vertices.flatten(0, 1)[:, iteration % self.every :: self.every, :2]
            xy = xy if xy.dtype == torch.float64 else xy.float()
            parts = {
                "inside": outside_distance(xy, masks).mean(1),
                "fill": self._fill(xy, masks, covered, iteration),
                "iou": (masks & covered).sum((1, 2)) / (masks | covered).sum((1, 2)).clamp_min(1),
            }
            weights = masks.any((1, 2)).to(xy)
            total = mean_over_processes(weights.sum()).clamp_min(1)
            means = {name: (part * weights).sum() / total for name, part in parts.items()}
            ramp = min(1.0, iteration / self.warmup) if self.warmup else 1.0
            loss = ((1 - self.fill_share) * means["inside"] + self.fill_share * means["fill"]) * ramp
        logged = {name: value.detach() for name, value in {"loss": loss, **means}.items()}
        return loss, {**logged, "ramp": ramp}

    def _fill(self, xy: torch.Tensor, masks: torch.Tensor, covered: torch.Tensor, iteration: int) -> torch.Tensor:
        """Mean over each silhouette's pixels of what vertices xy [m, Q, 2] lack to cover them, [m]."""
        empty = masks & ~covered
        points = pick_pixels(empty, self.pixels, iteration * _GOLDEN % 1).to(xy)
        with torch.no_grad():
            nearest = torch.cdist(points, xy).argmin(2)
        distance = _length(xy.gather(1, nearest[..., None].expand(-1, -1, 2)) - points)
        share = empty.sum((1, 2)) / masks.sum((1, 2)).clamp_min(1)
        return (distance - self.allowance).clamp(0, self.reach).mean(1) * share


def outside_distance(xy: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """How far points lie outside of silhouettes, to half a pixel, in crop heights.

    Between the centres of pixels their distances are interpolated; outside of the picture, the way to it is added, but
    not beside a silhouette that the picture's left or right edge cuts.

    Args:
        xy: in crop space, ``[m, Q, 2]``.
        masks: silhouettes, bool ``[m, h, w]``.

    Returns:
        ``[m, Q]``.
    """
    height, width = masks.shape[1:]
    # Where the origin of crop space lies in a picture, see body/crop.py; as indices of pixels.
    u, v = (xy * height + xy.new_tensor([width // 2, -0.5])).unbind(-1)
    grid = torch.stack([(2 * u + 1) / width - 1, (2 * v + 1) / height - 1], -1)
    distance = squared_distance(masks).to(xy).sqrt()
    found = F.grid_sample(distance[:, None], grid[:, :, None], padding_mode="border", align_corners=False)[:, 0, :, 0]
    beside, beyond = ((i - i.detach().clamp(0, size - 1)).abs() for i, size in ((u, width), (v, height)))
    found = found + beyond + torch.where(found > 0, beside, 0.0)
    return (found - 0.5).clamp_min(0) / height


def squared_distance(masks: torch.Tensor) -> torch.Tensor:
    """The exact squared Euclidean distance transform: from each pixel to the nearest one that is true.

    Separable (Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions", 2012): the nearest in the same
    row, then the least over rows.

    Args:
        masks: bool ``[m, h, w]``.

    Returns:
        px², float32 ``[m, h, w]``; of an empty mask, more than any distance within the picture.
    """
    height, width = masks.shape[1:]
    far = height + width
    # Half the memory of what holds any picture's, and less than half the time.
    dtype = torch.int16 if far**2 + height**2 < 2**15 else torch.int32
    index = torch.arange(width, dtype=dtype, device=masks.device)
    left = torch.where(masks, index, -far).cummax(2).values
    right = torch.where(masks, index, 2 * far).flip(2).cummin(2).values.flip(2)
    in_row = torch.minimum(index - left, right - index).clamp_max(far).square()
    found = in_row.clone()
    # Rows that are further away than anything in the same row have nothing nearer.
    for step in range(1, min(height, int(in_row.max().sqrt()) + 1)):
        found[:, step:] = torch.minimum(found[:, step:], in_row[:, :-step] + step**2)
        found[:, :-step] = torch.minimum(found[:, :-step], in_row[:, step:] + step**2)
    return found.float()


def pick_pixels(masks: torch.Tensor, number: int, phase: float = 0.0) -> torch.Tensor:
    """The centres of some true pixels of each mask, evenly spread row by row, in crop space.

    Args:
        masks: bool ``[m, h, w]``.
        number: of pixels; of masks that have fewer, some come twice.
        phase: 0…1, which of them.

    Returns:
        float32 ``[m, number, 2]``; anything for an empty mask.
    """
    height, width = masks.shape[1:]
    before = masks.flatten(1).cumsum(1)
    rank = (torch.arange(number, device=masks.device) + phase) / number * before[:, -1:]
    # The pixel of rank r, from 0, is the first that has more than r true ones up to and with itself.
    place = torch.searchsorted(before, rank.long(), right=True).clamp_max(height * width - 1)
    return torch.stack([place % width - width // 2, place // width + 0.5], -1) / height


def _length(vectors: torch.Tensor) -> torch.Tensor:
    # Of a vector of zeros the gradient would not be finite.
    return vectors.square().sum(-1).clamp_min(1e-12).sqrt()
