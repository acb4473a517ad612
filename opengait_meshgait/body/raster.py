"""Which pixels a triangle mesh covers: the silhouette of a body, a batch at a time, on any device."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.weak import WeakIdKeyDictionary

_FRAMES_AT_ONCE = 64  # fits a CPU's cache
VERTICES_ON_A_GPU = 2**24
"""Bounds the memory, some 150 bytes a vertex; a batch of training is one piece."""


@torch.no_grad()
def rasterize(xy: torch.Tensor, faces: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The union of a mesh's projected triangles, by the pixel-centre rule.

    Pixel (row r, column c) is covered if its centre (c + 0.5, r + 0.5) lies inside a triangle, whichever way the
    triangle is wound. Triangles may reach beyond the image. A centre exactly on the outline counts where the mesh lies
    to its right or below, so that meshes that touch never share a pixel.

    Only the outline is drawn. An edge adds, to the right of itself, +1 for each triangle that it opens and -1 for each
    one that it closes; between two triangles that face the same way the two cancel. The few edges that are left cross
    each pixel row once, and the running sum along a row is the number of triangles over each pixel.

    Args:
        xy: vertices in pixels, x right and y down, origin at the corner of the image, float [n, V, 2].
        faces: vertex indices, int [F, 3]. They are remembered: do not change them in place.
        height, width: of the image.

    Returns:
        Silhouettes, bool [n, height, width].

    Raises:
        ValueError: wrong shapes, or coordinates that are not finite.
    """
    if xy.ndim != 3 or xy.shape[-1] != 2 or faces.ndim != 2 or faces.shape[-1] != 3:
        raise ValueError(f"xy must be [n, V, 2] and faces [F, 3], got {list(xy.shape)} and {list(faces.shape)}")
    image = torch.zeros(len(xy), height, width, dtype=torch.bool, device=xy.device)
    if not xy.numel():
        return image
    xy = xy.float().mT.contiguous()
    low, high = torch.stack([xy.amin((0, 2)), xy.amax((0, 2))]).tolist()
    if not all(map(math.isfinite, low + high)):
        raise ValueError("xy has coordinates that are not finite")
    # Columns that the meshes may cover, and one on either side for what rounding does to them.
    left, right = (int(min(max(bound, 0), width)) for bound in (low[0] - 1, high[0] + 2))
    faces = faces.to(xy.device)
    if (mesh := _meshes.get(faces)) is None:
        mesh = _meshes[faces] = _Mesh.of(faces.long())
    step = _FRAMES_AT_ONCE if xy.device.type == "cpu" else max(VERTICES_ON_A_GPU // xy.shape[-1], 1)
    for chunk, covered in zip(xy.split(step), image[..., left:right].split(step)):
        # Frames last: taking a vertex then copies one run of memory. Pixel centres become whole numbers.
        x, y = (chunk - 0.5).permute(1, 2, 0).contiguous()
        covered.copy_(_fill(x, y, mesh, height, left, right))
    return image


@dataclass(frozen=True)
class _Mesh:
    """Triangles by their corners, [3, F], and each undirected edge once: its ends [2, E], the triangles that run along
    it from its first end to its second [p, E], and those that run back [q, E].

    ``p`` and ``q`` are the most that meet in an edge, 1 for a closed surface; free places are F, no triangle's number.
    """

    corners: torch.Tensor
    ends: torch.Tensor
    along: torch.Tensor
    back: torch.Tensor

    @classmethod
    def of(cls, faces: torch.Tensor) -> "_Mesh":
        """Of vertex indices, int64 [F, 3]."""
        start, end = faces.T.reshape(-1), faces.roll(-1, 1).T.reshape(-1)
        key, edge = torch.unique((torch.minimum(start, end) << 32) + torch.maximum(start, end), return_inverse=True)
        ends = torch.stack([key >> 32, key & 0xFFFFFFFF])
        return cls(faces.T.contiguous(), ends, *(_by_edge(edge, way, len(key)) for way in (start < end, end < start)))


def _by_edge(edge: torch.Tensor, chosen: torch.Tensor, edges: int) -> torch.Tensor:
    """Of so many edges the triangles that are chosen, [m, edges]; ``edge`` [3 F] and ``chosen`` are by corner."""
    corner = chosen.nonzero()[:, 0]
    corner = corner[edge[corner].argsort(stable=True)]
    edge, faces = edge[corner], len(chosen) // 3
    count = torch.zeros(edges, dtype=torch.long, device=edge.device).index_add_(0, edge, torch.ones_like(edge))
    place = torch.arange(len(edge), device=edge.device) - (count.cumsum(0) - count)[edge]
    found = torch.full((int(count.max()) if edges else 0, edges), faces, device=edge.device)
    found[place, edge] = corner % max(faces, 1)
    return found


_meshes = WeakIdKeyDictionary()
"""Of faces that were drawn before and are still in use: sorting edges takes as long as drawing some frames."""


def _fill(x: torch.Tensor, y: torch.Tensor, mesh: _Mesh, height: int, left: int, right: int) -> torch.Tensor:
    """How many triangles of vertices x, y [V, n] are over each pixel of some columns, [n, height, right - left]."""
    n, width = x.shape[1], right - left
    (xa, xb, xc), (ya, yb, yc) = ([way.index_select(0, corner) for corner in mesh.corners] for way in (x, y))
    # In place where it can be: taking memory costs as much as computing.
    facing = torch.zeros(len(xa) + 1, n, dtype=torch.int8, device=x.device)  # the last row is no triangle's
    facing[:-1] = xb.sub_(xa).mul_(yc.sub_(ya)).sub_(yb.sub_(ya).mul_(xc.sub_(xa))).sign_()
    weight = torch.zeros(mesh.ends.shape[1], n, dtype=torch.int8, device=x.device)
    for along in mesh.along:
        weight += facing.index_select(0, along)
    for back in mesh.back:
        weight -= facing.index_select(0, back)
    weight = weight.view(-1)
    outline = _nonzero(weight)
    edge = outline.div(n, rounding_mode="floor")
    frame = outline - n * edge
    first, second = (end.index_select(0, edge).mul_(n).add_(frame) for end in mesh.ends)
    (xa, ya), (xb, yb) = ([way.view(-1).index_select(0, end) for way in (x, y)] for end in (first, second))
    xtop, ytop, ylow = torch.where(yb > ya, xa, xb), torch.minimum(ya, yb), torch.maximum(ya, yb)
    drop = yb.sub_(ya)
    slope = xb.sub_(xa).div_(drop)  # of a level edge, not finite; it crosses no row
    closes = drop.sign_().to(torch.int8).mul_(weight.index_select(0, outline))
    top = ytop.ceil().clamp_(0, height).long()
    rows = ylow.ceil_().clamp_(0, height).long() - top

    crossing = torch.repeat_interleave(rows)
    row = torch.arange(len(crossing), device=x.device) + (top - rows.cumsum(0) + rows).index_select(0, crossing)
    along = (row - ytop.index_select(0, crossing)).mul_(slope.index_select(0, crossing))
    column = along.add_(xtop.index_select(0, crossing)).ceil_().clamp_(left, right).sub_(left).long()
    # No pixel has more triangles over it than there are.
    kind = torch.int16 if mesh.corners.shape[1] < 2**15 else torch.int32
    # A row ends with no triangle open: what ends behind it may end where the next one begins, and one running sum goes
    # through all rows of all frames.
    change = torch.zeros(n * height * width + 1, dtype=kind, device=x.device)
    pixel = (height * frame).index_select(0, crossing).add_(row).mul_(width).add_(column)
    change.index_add_(0, pixel, closes.to(kind).index_select(0, crossing), alpha=-1)
    return change.cumsum_(0)[:-1].view(n, height, width)


def _nonzero(values: torch.Tensor) -> torch.Tensor:
    """Where values [m] are not 0, int64. On a CPU, NumPy takes a quarter of PyTorch's time."""
    return torch.from_numpy(np.flatnonzero(values.numpy() != 0)) if values.is_cpu else values.nonzero()[:, 0]
