"""Which pixels a triangle mesh covers: the silhouette of a body, a batch at a time, on any device."""

import torch

# Bounds the memory (about 1 MiB a frame for a 7000-vertex body), fits a CPU's cache, keeps a GPU busy.
_FRAMES_AT_ONCE = {"cpu": 64, "cuda": 1024}


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
        faces: vertex indices, int [F, 3].
        height, width: of the image.

    Returns:
        Silhouettes, bool [n, height, width].

    Raises:
        ValueError: wrong shapes, or coordinates that are not finite.
    """
    if xy.ndim != 3 or xy.shape[-1] != 2 or faces.ndim != 2 or faces.shape[-1] != 3:
        raise ValueError(f"xy must be [n, V, 2] and faces [F, 3], got {list(xy.shape)} and {list(faces.shape)}")
    if not xy.isfinite().all():
        raise ValueError("xy has coordinates that are not finite")
    faces = faces.to(xy.device).long()
    edges = _edges(faces, xy.shape[1])
    image = torch.empty(len(xy), height, width, dtype=torch.bool, device=xy.device)
    step = _FRAMES_AT_ONCE.get(xy.device.type, 256)
    for first in range(0, len(xy), step):
        chunk = slice(first, first + step)
        # Frames last: taking a vertex then copies one run of memory. Pixel centres become whole numbers.
        x, y = (xy[chunk].float() - 0.5).permute(2, 1, 0).contiguous()
        image[chunk] = _fill(x, y, faces, edges, height, width)
    return image


def _edges(faces: torch.Tensor, num_vertices: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Each undirected edge once: its ends [E, 2], its triangles [m, E] and which way they run along it [m, E].

    ``m`` is the most triangles that meet in an edge, 2 for a closed surface; free places have sign 0.
    """
    start, end = faces.T.reshape(-1), faces.roll(-1, 1).T.reshape(-1)
    key, inverse, count = torch.unique(
        torch.minimum(start, end) * num_vertices + torch.maximum(start, end), return_inverse=True, return_counts=True
    )
    order = inverse.argsort(stable=True)
    edge = inverse[order]
    place = torch.arange(len(order), device=faces.device) - (count.cumsum(0) - count)[edge]
    m = int(count.max()) if len(count) else 0
    sides = torch.zeros(m, len(key), dtype=torch.long, device=faces.device)
    signs = torch.zeros(m, len(key), dtype=torch.int8, device=faces.device)
    sides[place, edge] = order % max(len(faces), 1)
    signs[place, edge] = (end - start).sign()[order].to(torch.int8)
    return torch.stack([key // num_vertices, key % num_vertices], 1), sides, signs


def _fill(
    x: torch.Tensor, y: torch.Tensor, faces: torch.Tensor, edges: tuple[torch.Tensor, ...], height: int, width: int
) -> torch.Tensor:
    """Silhouettes [n, height, width] of vertices x, y [V, n] and what :func:`_edges` gives."""
    n, (ends, sides, signs) = x.shape[1], edges
    (xa, xb, xc), (ya, yb, yc) = x[faces.T], y[faces.T]
    facing = ((xb - xa) * (yc - ya) - (yb - ya) * (xc - xa)).sign().to(torch.int8)
    weight = torch.zeros(len(ends), n, dtype=torch.int8, device=x.device)
    for side, sign in zip(sides, signs):
        weight += facing[side] * sign[:, None]
    edge, frame = weight.nonzero(as_tuple=True)

    (xa, xb), (ya, yb) = x[ends[edge].T, frame], y[ends[edge].T, frame]
    down = yb > ya
    xtop, ytop = torch.where(down, xa, xb), torch.where(down, ya, yb)
    slope = (xb - xa) / (yb - ya)  # of a level edge, not finite; it crosses no row
    first = ytop.ceil().clamp(0, height).long()
    rows = torch.maximum(ya, yb).ceil().clamp(0, height).long() - first
    opens = torch.where(down, -weight[edge, frame], weight[edge, frame])

    crossing = torch.repeat_interleave(rows)
    row = torch.arange(len(crossing), device=x.device) + (first - rows.cumsum(0) + rows)[crossing]
    column = (xtop[crossing] + (row - ytop[crossing]) * slope[crossing]).ceil().clamp(0, width).long()
    change = torch.zeros(n * height * (width + 1), dtype=torch.int32, device=x.device)
    change.index_add_(0, (frame[crossing] * height + row) * (width + 1) + column, opens[crossing].int())
    return change.view(n, height, width + 1)[..., :width].cumsum(-1, dtype=torch.int32) > 0
