import numpy as np
import pytest
import torch

from opengait_meshgait.body.crop import crop_frame, to_crop, to_pixels
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import BETAS, POSE
from opengait_meshgait.body.raster import rasterize
from opengait_meshgait.prepare import alignment
from opengait_meshgait.prepare.alignment import Alignment, align, disagrees, draw_bodies, weights
from opengait_meshgait.walkers.person import WalkName


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def views(render_walk):
    """One walk seen from the front and from the side: silhouettes [40, 64, 64] and frames [40, 85]."""
    return render_walk(WalkName(1, "nm", 1), (0, 90), 40, seed=5)


@pytest.fixture(scope="module")
def side(views):
    return views[90]


def judged(sils, smpls, body):
    found = align(sils, smpls, body)
    return found.order, found.shift


def test_bodies_lie_where_crop_space_puts_them(body, views):
    smpls = np.concatenate([frames[::4] for _, frames in views.values()])
    drawn = draw_bodies(smpls, body, 64, 64)
    vertices, joints = body(torch.from_numpy(smpls[:, POSE]), torch.from_numpy(smpls[:, BETAS]))
    in_crop = to_crop(vertices, crop_frame(vertices, body.faces, joints[:, 0]))
    exact = rasterize(to_pixels(in_crop, 64, 64), body.faces, 64, 64)
    overlap = (drawn & exact).sum((1, 2)) / (drawn | exact).sum((1, 2))
    assert overlap.min() > 0.93 and overlap.mean() > 0.97
    assert drawn.any(2).all(), "every row of the picture is filled"
    narrow = draw_bodies(smpls, body, 64, 44)
    assert torch.equal(narrow, drawn[:, :, 10:54])


def test_right_bodies_fit_frame_by_frame_and_in_order(body, views):
    for sils, smpls in views.values():
        found = align(sils, smpls, body)
        drawn, seen = draw_bodies(smpls, body, 64, 64).numpy(), sils > 127
        brute = [np.count_nonzero(a & b) / np.count_nonzero(a | b) for a, b in zip(drawn, seen)]
        np.testing.assert_allclose(found.ious, brute, rtol=1e-6)
        assert found.ious.dtype == np.float32 and found.ious.min() > 0.85
        assert (found.order, found.shift, found.turned) == ("fits", 0, None)
        assert found.present.all() and disagrees(found) is None


@pytest.mark.parametrize("size", [32, 128])
def test_other_sizes(body, side, size):
    drawn = draw_bodies(side[1], body, size, size).numpy().astype(np.uint8) * 255
    assert (align(drawn, side[1], body).ious == 1).all()


def test_frames_without_body_or_silhouette(body, side):
    sils, smpls = (array.copy() for array in side)
    smpls[0] = 0
    smpls[1, 10] = np.nan
    smpls[2, 80] = np.inf
    smpls[3, POSE] = 1e38  # finite, but the body is not
    sils[4] = 0
    smpls[5, :3] = np.nan  # the camera is not used
    found = align(sils, smpls, body)
    assert (found.ious[:5] == 0).all() and not found.present[:5].any()
    assert found.present[5:].all()
    np.testing.assert_array_equal(found.ious[5:], align(*side, body).ious[5:])
    assert (found.order, found.turned, disagrees(found)) == ("fits", None, None)


def test_shuffled_frames_do_not_fit(body, side):
    order = np.random.default_rng(0).permutation(40)
    found = align(side[0], side[1][order], body)
    assert found.order == "does not fit"
    assert (found.ious > 0.5).mean() > 0.5, "the overlap alone does not tell"
    assert "out of order" in disagrees(found)


@pytest.mark.parametrize("frames", [1, 3, -3, 7])
def test_shifts_are_counted(body, side, frames):
    sils, smpls = side
    if frames > 0:
        sils, smpls = sils[:-frames], smpls[frames:]
    else:
        sils, smpls = sils[-frames:], smpls[:frames]
    found = align(sils, smpls, body)
    assert (found.order, found.shift) == ("shifted", frames)
    plural = "frame" if frames == 1 else "frames"
    assert f"fit best {abs(frames)} {plural} {'later' if frames > 0 else 'earlier'}" in disagrees(found)


def test_shifts_are_counted_in_frames_across_gaps(body, side):
    sils, smpls = side[0][:-3], side[1][3:].copy()
    smpls[[4, 5, 11, 20, 21, 22, 30]] = 0
    assert judged(sils, smpls, body) == ("shifted", 3)


def test_nobody_moves_or_too_few_frames(body, side):
    rng = np.random.default_rng(0)
    still = np.repeat(side[0][:1], 40, 0), np.repeat(side[1][:1], 40, 0)
    assert judged(*still, body) == ("cannot tell", 0)
    trembling = still[1].copy()
    trembling[:, POSE] += rng.normal(0, 0.03, (40, 72))
    assert judged(still[0], trembling, body) == ("cannot tell", 0)
    order = rng.permutation(15)
    found = align(side[0][:15], side[1][:15][order], body)
    assert found.order == "cannot tell" and disagrees(found) is None


def test_the_order_of_a_long_sequence_is_judged_in_its_middle(body, side, monkeypatch):
    monkeypatch.setattr(alignment, "_WINDOW", 20)
    smpls = side[1].copy()
    smpls[:9], smpls[31:] = smpls[:9][::-1].copy(), smpls[31:][::-1].copy()
    assert judged(side[0], smpls, body) == ("fits", 0)
    smpls = side[1].copy()
    smpls[10:30] = smpls[10:30][np.random.default_rng(1).permutation(20)]
    assert judged(side[0], smpls, body)[0] == "does not fit"


def test_another_camera(body, views):
    found = align(views[0][0], views[90][1], body)
    assert (found.ious < 0.5).mean() > 0.5
    assert "overlap their silhouette less than 0.5: another person or camera?" in disagrees(found)


@pytest.mark.parametrize("turn", ["mirrored", "upside down", "turned by 180 degrees"])
def test_turned_bodies(body, side, turn):
    sils, smpls = side[0], side[1]
    if turn != "mirrored":
        sils = sils[:, ::-1]
    if turn != "upside down":
        sils = np.roll(sils[:, :, ::-1], 1, 2)
    found = align(sils, smpls, body)
    assert found.turned == turn and turn in disagrees(found)


def test_weights():
    ious = np.array([0, 0.49, 0.5, 0.9], np.float32)
    got = weights(ious, 0.5)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.array([0, 0, 0.5, 0.9], np.float32))


def test_disagrees_counts_frames_with_a_body():
    ious = np.array([0.4] * 3 + [0.6] * 2 + [0] * 5, np.float32)
    found = Alignment(ious, np.arange(10) < 5, "fits", 0, None)
    assert disagrees(found, 0.5).startswith("3 of 5 bodies overlap their silhouette less than 0.5")
    assert disagrees(found, 0.4) is None
    assert disagrees(Alignment(np.zeros(4, np.float32), np.zeros(4, bool), "cannot tell", 0, None)) is None


def test_no_frames_and_wrong_shapes(body, side):
    found = align(side[0][:0], side[1][:0], body)
    assert len(found.ious) == 0 and found.order == "cannot tell"
    with pytest.raises(ValueError, match=r"\[40, 64, 64\] and \[39, 85\]"):
        align(side[0], side[1][1:], body)
    with pytest.raises(ValueError, match=r"\[T, 85\]"):
        align(side[0], side[1][:, :82], body)
