"""The silhouette loss: distance transform, both of its parts against plain loops, gradients, and what it does."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from opengait_meshgait.body.overlap import draw_meshes, mesh_iou
from opengait_meshgait.body.supervision import load_supervision
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.losses import LOSSES, SilhouetteLoss
from opengait_meshgait.losses.silhouette import outside_distance, pick_pixels, squared_distance
from opengait_meshgait.networks import Reconstruction
from opengait_meshgait.walkers.person import WalkName

MASKS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda size: arrays(bool, (3, *size)))


@given(MASKS | arrays(bool, (1, 120, 2)) | arrays(bool, (1, 150, 2)))  # the last are too high for 16 bits
def test_distance_transform(masks):
    found = squared_distance(torch.from_numpy(masks))
    for mask, squared in zip(masks, found):
        if mask.any():
            np.testing.assert_allclose(squared.sqrt(), distance_transform_edt(~mask), rtol=1e-6)
        else:
            assert squared.min() > mask.shape[0] ** 2 + mask.shape[1] ** 2


@given(MASKS, st.integers(1, 12), st.floats(0, 0.99))
def test_picked_pixels(masks, number, phase):
    height, width = masks.shape[1:]
    for mask, points in zip(masks, pick_pixels(torch.from_numpy(masks), number, phase)):
        if not mask.any():
            continue
        columns = (points[:, 0] * height + width // 2).round().long()
        rows = (points[:, 1] * height - 0.5).round().long()
        assert mask[rows, columns].all()
        times = np.zeros(mask.shape, int)
        np.add.at(times, (rows, columns), 1)
        assert np.ptp(times[mask]) <= 1  # evenly


def ellipses(n, s, h=16, w=12):
    """Silhouettes float64 [n, s, h, w] of several widths."""
    row, column = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) - w // 2 + 0.0, indexing="ij")
    widths = torch.linspace(0.15, 0.3, n * s).view(n, s, 1, 1) * h
    return (((row - h / 2) / (h / 2)) ** 2 + (column / widths) ** 2 < 1).double()


def case(seed=0, n=2, s=3, points=21):
    """Vertices around ellipses, some of them outside, and which pixels something covers, half of the ellipses."""
    rng = torch.Generator().manual_seed(seed)
    vertices = torch.rand(n, s, points, 3, generator=rng, dtype=torch.float64) * torch.tensor([0.9, 1.2, 1])
    sils = ellipses(n, s)
    covered = (sils > 0) & (torch.rand(sils.shape, generator=rng) < 0.5)
    return vertices - torch.tensor([0.45, 0.1, 0], dtype=torch.float64), sils, covered


def test_against_loops():
    vertices, sils, covered = case()
    vertices[..., 0] /= 2  # within the picture
    vertices[..., 1] = vertices[..., 1].clamp(0.1, 0.9)
    loss = SilhouetteLoss(fill_share=0.25, allowance=0.02, reach=0.1, pixels=400, every=1)
    value, info = loss(vertices, sils, covered, 3)
    inside, fill, ious = [], [], []
    h, w = sils.shape[2:]
    for points, sil, cover in zip(*(array.flatten(0, 1).numpy() for array in (vertices, sils, covered))):
        transform = distance_transform_edt(sil < 0.5)
        distances = []
        for x, y, _ in points:
            column, row = x * h + w // 2, y * h - 0.5
            left, top = int(np.floor(column)), int(np.floor(row))
            right, below = column - left, row - top
            mixed = sum(
                transform[top + down, left + along] * (right if along else 1 - right) * (below if down else 1 - below)
                for down in (0, 1)
                for along in (0, 1)
            )
            distances.append(max(mixed - 0.5, 0) / h)
        inside.append(np.mean(distances))
        lacking = []
        for row, column in np.argwhere(sil > 0.5):
            centre = (column - w // 2) / h, (row + 0.5) / h
            distance = np.linalg.norm(points[:, :2] - centre, axis=1).min()
            lacking.append(0 if cover[row, column] else np.clip(distance - 0.02, 0, 0.1))
        fill.append(np.mean(lacking))
        ious.append((cover & (sil > 0.5)).sum() / (cover | (sil > 0.5)).sum())
    assert info["inside"].item() == pytest.approx(np.mean(inside))
    # 400 picked of fewer pixels: some count once more than others.
    assert info["fill"].item() == pytest.approx(np.mean(fill), rel=0.03)
    assert info["iou"].item() == pytest.approx(np.mean(ious))
    assert value.item() == pytest.approx(0.75 * info["inside"].item() + 0.25 * info["fill"].item())


def test_beside_and_beyond_the_picture():
    mask = torch.zeros(2, 16, 12, dtype=torch.bool)
    mask[0, :, 4:9] = True
    mask[1, :, 4:] = True  # the right edge of the picture cuts it
    beside, beyond = torch.tensor([[[1.0, 0.5]]] * 2), torch.tensor([[[0.0, 1.25]]] * 2)
    # Of the first, column 22 is 14 beyond the last column of the silhouette.
    torch.testing.assert_close(outside_distance(beside, mask)[:, 0], torch.tensor([13.5, 0]) / 16)
    # From the middle of the lowest row 4.5 down.
    torch.testing.assert_close(outside_distance(beyond, mask)[:, 0], torch.tensor([4.0, 4.0]) / 16)


@pytest.mark.parametrize("fill_share", [0, 0.5, 1])
def test_gradient(fill_share):
    vertices, sils, covered = case(n=1, s=2, points=8)
    loss = SilhouetteLoss(fill_share, allowance=0.02, reach=0.4, pixels=9, every=2)
    vertices.requires_grad_()
    assert torch.autograd.gradcheck(lambda points: loss(points, sils, covered, 1)[0], vertices)
    (gradient,) = torch.autograd.grad(loss(vertices, sils, covered, 1)[0], vertices)
    assert gradient[:, :, 1::2, :2].any() and not gradient[..., 2].any()
    assert not gradient[:, :, ::2].any()  # the others have their turn in the next iteration


def test_silhouettes_get_no_gradient_and_empty_ones_do_not_count():
    vertices, sils, covered = case()
    loss = SilhouetteLoss()
    alone, _ = loss(vertices[:1], sils[:1], covered[:1], 0)
    sils[1] = 0
    vertices.requires_grad_(), sils.requires_grad_()
    value, _ = loss(vertices, sils, covered, 0)
    value.backward()
    torch.testing.assert_close(value, alone)
    assert sils.grad is None and vertices.grad[0].any() and not vertices.grad[1].any()
    nothing, info = loss(vertices, torch.zeros_like(sils), covered, 0)
    assert nothing.item() == info["iou"].item() == 0
    assert torch.autograd.grad(nothing, vertices)[0].isfinite().all()


def test_a_vertex_on_the_pixel_it_covers_has_a_gradient_of_zero():
    sils = ellipses(1, 1)
    xy = pick_pixels(sils[0] > 0, 32)
    vertices = torch.cat([xy, torch.zeros(1, 32, 1)], -1)[None].requires_grad_()
    SilhouetteLoss(allowance=0, every=1)(vertices, sils, torch.zeros_like(sils) > 0, 0)[0].backward()
    assert vertices.grad.isfinite().all()


def test_fp32_under_autocast():
    vertices, sils, covered = case()
    vertices, sils = vertices.float(), sils.float()
    expected, _ = SilhouetteLoss()(vertices, sils, covered, 0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, _ = SilhouetteLoss()(vertices, sils, covered, 0)
    assert found.dtype is torch.float32 and torch.equal(found, expected)


@pytest.mark.parametrize("iteration, ramp", [(0, 0), (25, 0.25), (100, 1), (900, 1)])
def test_silhouette_warmup(iteration, ramp):
    full, _ = SilhouetteLoss()(*case(), iteration)
    value, info = SilhouetteLoss(warmup=100)(*case(), iteration)
    assert value.item() == pytest.approx(ramp * full.item()) and info["ramp"] == ramp


def test_wrong_silhouette_options_and_shapes():
    with pytest.raises(UserError, match="fill_share: found 2 .*expected less than or equal to 1"):
        LOSSES.build({"type": "SilhouetteLoss", "fill_share": 2})
    with pytest.raises(UserError, match="every: found 0 .*expected greater than 0"):
        LOSSES.build({"type": "SilhouetteLoss", "every": 0})
    vertices, sils, covered = case()
    for wrong in ((vertices[:1], sils, covered), (vertices, sils, covered[:, 1:]), (vertices[..., :2], sils, covered)):
        with pytest.raises(ValueError, match=r"expected vertices \[n, s, V, 3\]"):
            SilhouetteLoss()(*wrong, 0)


def test_a_collapsed_body_unfolds(render_walk):
    """Markers of a body that has shrunk to a stick, free to move, fill the silhouette by this loss alone."""
    supervision = load_supervision()
    body, faces = Reconstruction(**supervision.of_markers()), supervision.body.faces
    sils, smpls = render_walk(WalkName(1, "nm", 1), (90,), 8, seed=0)[90]
    seen = torch.from_numpy(sils[None, ::4, :, 10:54]) / 255
    true = supervision(torch.from_numpy(smpls[None, ::4])).markers
    markers = (true * torch.tensor([0.3, 1, 1])).requires_grad_()
    loss, optimizer = SilhouetteLoss(), torch.optim.Adam([markers], 0.004)
    ious = []
    for iteration in range(50):
        vertices = body(markers)[0]
        covered = draw_meshes(vertices.flatten(0, 1), faces, 64, 44)[None]
        ious.append(mesh_iou(vertices.flatten(0, 1), faces, seen[0]).mean().item())
        optimizer.zero_grad()
        value, info = loss(vertices, seen, covered, iteration)
        assert info["iou"].item() == pytest.approx(ious[-1])
        value.backward()
        optimizer.step()
    assert ious[0] < 0.45 and ious[-1] > 0.8
