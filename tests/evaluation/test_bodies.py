"""Body errors in millimetres: by hand, masks, batches, and alignment."""

from types import SimpleNamespace

import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.evaluation import BodyErrors, body_errors, iou_metrics, point_errors
from opengait_meshgait.evaluation.bodies import procrustes


def bodies(rng, n=3, s=4, markers=5, vertices=7):
    points = {
        name: torch.randn(n, s, count, 3, generator=rng)
        for name, count in (("joints", 24), ("markers", markers), ("vertices", vertices))
    }
    valid = torch.rand(n, s, generator=rng) > 0.3
    weights = {name: valid * torch.rand(n, s, generator=rng) for name in ("joint_weights", "mesh_weights")}
    return SimpleNamespace(**points, **weights, height=1.5 + torch.rand(n, s, generator=rng))


def test_by_hand():
    zero = SimpleNamespace(
        joints=torch.zeros(1, 1, 24, 3),
        markers=None,
        vertices=torch.zeros(1, 1, 1, 3),
        height=torch.full((1, 1), 2.0),
        joint_weights=torch.ones(1, 1),
        mesh_weights=torch.ones(1, 1),
    )
    # The pelvis 50 mm to the right, the other joints 30 and 40 mm off: relative to the pelvis 20 and 40.
    off = SimpleNamespace(
        joints=torch.tensor([[[[0.025, 0, 0], *[[0.015, 0.020, 0]] * 23]]]),
        markers=None,
        vertices=torch.full((1, 1, 1, 3), 0.025),
    )
    errors = body_errors(off, zero)
    assert set(errors.frames.values()) == {1}
    assert errors.metrics() == pytest.approx(
        {
            "mpjpe_mm": 50.0,
            "mpjpe_root_mm": (20**2 + 40**2) ** 0.5 * 23 / 24,
            "mpjpe_pa_mm": 0.0,  # the true joints lie all in one place, to which any body can be shrunk
            "mpvpe_mm": 50 * 3**0.5,
            "mpvpe_root_mm": 50 * 2**0.5,
            "mpvpe_pa_mm": 0.0,
            "legs_swapped_percent": 0.0,
        },
        rel=1e-5,
        abs=1e-4,
    )
    assert errors.joints()["mpjpe"] == pytest.approx([50.0] * 24)
    assert errors.joints()["mpjpe_root"] == pytest.approx([0.0, *[(20**2 + 40**2) ** 0.5] * 23], abs=1e-4)


@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 10), mirror=st.booleans())
def test_procrustes_undoes_what_moves_a_body_as_a_whole(seed, scale, mirror):
    rng = torch.Generator().manual_seed(seed)
    target = torch.randn(3, 6, 3, generator=rng).double()
    turn = torch.linalg.qr(torch.randn(3, 3, generator=rng).double()).Q
    turn = turn * torch.linalg.det(turn).sign() * (-1 if mirror else 1)
    moved = scale * target @ turn + torch.randn(3, generator=rng)
    error = (procrustes(moved, target) - target).norm(dim=-1).mean()
    assert (error > 0.1) if mirror else (error < 1e-9)


def test_procrustes_equals_scipys(rng):
    points, target = torch.randn(2, 5, 8, 3, generator=rng).double()
    for one, other, found in zip(points, target, procrustes(points, target)):
        # SciPy's allows mirroring, so the comparison holds where that does not help.
        centred, aim = one - one.mean(0), other - other.mean(0)
        if torch.linalg.det(centred.T @ aim) < 0:
            continue
        turn, size = scipy.linalg.orthogonal_procrustes(centred.numpy(), aim.numpy())
        expected = size / centred.square().sum() * (centred @ torch.from_numpy(turn)) + other.mean(0)
        torch.testing.assert_close(found, expected)


def test_swapped_legs_are_counted(rng):
    target = bodies(rng, n=1, s=4)
    target.joint_weights[:] = torch.tensor([1.0, 1.0, 1.0, 0.0])
    swapped = target.joints.clone()
    swapped[:, 1:, [4, 7, 10, 5, 8, 11]] = swapped[:, 1:, [5, 8, 11, 4, 7, 10]]
    metrics = body_errors(SimpleNamespace(joints=swapped, markers=None, vertices=None), target).metrics()
    assert metrics["legs_swapped_percent"] == pytest.approx(200 / 3)  # the fourth frame is not known


def test_equals_loops_over_frames_that_count(rng):
    predicted, target = bodies(rng), bodies(rng)
    total, root_total, frames = 0.0, 0.0, 0
    for i, t in (target.mesh_weights > 0).nonzero().tolist():
        p, q = predicted.vertices[i, t].double(), target.vertices[i, t].double()
        scale = 1000 * target.height[i, t].item()
        total += (p - q).norm(dim=1).mean().item() * scale
        p, q = p - predicted.joints[i, t, 0], q - target.joints[i, t, 0]
        root_total += (p - q).norm(dim=1).mean().item() * scale
        frames += 1
    metrics = body_errors(predicted, target).metrics()
    assert 0 < frames < 12
    assert metrics["mpvpe_mm"] == pytest.approx(total / frames, rel=1e-5)
    assert metrics["mpvpe_root_mm"] == pytest.approx(root_total / frames, rel=1e-5)
    kinds, aligned = ("mpjpe", "marker", "mpvpe"), ("", "_root", "_pa")
    assert set(metrics) == {f"{kind}{root}_mm" for kind in kinds for root in aligned} | {"legs_swapped_percent"}


def test_batches_add_up(rng):
    predicted, target = bodies(rng), bodies(rng)

    def part(of, rows):
        return SimpleNamespace(**{name: value[rows] for name, value in vars(of).items()})

    first, second = (body_errors(part(predicted, rows), part(target, rows)) for rows in (slice(0, 1), slice(1, 3)))
    assert (first + second).metrics() == pytest.approx(body_errors(predicted, target).metrics())
    assert (first + second).joints()["mpjpe"] == pytest.approx(body_errors(predicted, target).joints()["mpjpe"])


def test_root_alignment_forgets_where_the_body_stands(rng):
    target = bodies(rng)
    moved = SimpleNamespace(
        **{name: getattr(target, name) + torch.tensor([0.1, -0.2, 0.3]) for name in ("joints", "markers", "vertices")}
    )
    metrics = body_errors(moved, target).metrics()
    assert metrics["mpjpe_root_mm"] == pytest.approx(0, abs=1e-2)
    assert metrics["mpjpe_mm"] > 100


def test_invalid_frames_may_hold_anything(rng):
    predicted, target = bodies(rng), bodies(rng)
    expected = body_errors(predicted, target).metrics()
    for points in (target.joints, target.markers, target.vertices, target.height):
        points[target.joint_weights == 0] = torch.nan
    assert body_errors(predicted, target).metrics() == expected


def test_nothing_measured_nothing_reported(rng):
    predicted, target = bodies(rng), bodies(rng)
    target.joint_weights[:] = target.mesh_weights[:] = 0
    errors = body_errors(predicted, target)
    assert (set(errors.frames.values()), errors.metrics(), errors.joints()) == ({0}, {}, {})


def test_joints_alone_are_measured_alone(rng):
    predicted, target = bodies(rng), bodies(rng)
    expected = body_errors(predicted, target)
    target.mesh_weights[:] = 0
    target.markers[:], target.vertices[:] = 0, 0
    errors = body_errors(predicted, target)
    ours = ("mpjpe", "legs")
    assert errors.metrics() == {name: value for name, value in expected.metrics().items() if name.startswith(ours)}
    assert errors.joints() == expected.joints()
    # Beside a batch with meshes, each error has its own number of frames.
    both = errors + expected
    assert both.metrics()["mpvpe_mm"] == pytest.approx(expected.metrics()["mpvpe_mm"])
    assert both.metrics()["mpjpe_mm"] == pytest.approx(expected.metrics()["mpjpe_mm"])
    assert both.frames["mpjpe"] == 2 * both.frames["mpvpe"] > 0


def test_errors_of_different_points_do_not_add_up():
    with pytest.raises(ValueError, match=r"expected errors of \['mpjpe'\], got \['marker'\]"):
        BodyErrors({"mpjpe": 1}, {"mpjpe": torch.zeros(24)}, 0) + BodyErrors(
            {"marker": 1}, {"marker": torch.zeros(24)}, 0
        )


@pytest.mark.parametrize(
    "shapes", [((2, 5, 3), (2, 4, 3), (2,)), ((2, 5, 2), (2, 5, 2), (2,)), ((2, 5, 3), (2, 5, 3), (3,))]
)
def test_shapes_that_do_not_belong_together(shapes):
    with pytest.raises(ValueError, match=r"expected \[..., P, 3\] twice"):
        point_errors(*map(torch.zeros, shapes))


def test_ious():
    assert iou_metrics([0.5, 0.9, 0.69, 0.7]) == pytest.approx({"iou": 0.6975, "iou_low_percent": 50})
    assert iou_metrics([]) == {"iou": None, "iou_low_percent": None}
