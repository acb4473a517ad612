import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from opengait_meshgait.body import archetypes
from opengait_meshgait.body import markers as marker_module
from opengait_meshgait.body.archetypes import farthest_point_markers, learn_markers
from opengait_meshgait.body.markers import (
    NEGATIVE_COST,
    NEIGHBOURS,
    hull_weights,
    interpolation_errors,
    interpolation_weights,
)
from opengait_meshgait.common.errors import UserError

LEARNERS = pytest.mark.parametrize("learn", [learn_markers, farthest_point_markers])


def cloud(meshes: int = 6, pairs: int = 30, midline: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Meshes [meshes, 2 pairs + midline, 3] of mirrored points that deform smoothly, and their mirror permutation."""
    rng = np.random.default_rng(seed)
    side = rng.random((pairs, 3)) + [0.02, 0, 0]
    rest = np.concatenate([side, side * [-1, 1, 1], rng.random((midline, 3)) * [0, 1, 1]])
    mirror = np.r_[np.arange(pairs) + pairs, np.arange(pairs), np.arange(2 * pairs, 2 * pairs + midline)]
    bends = rng.normal(0, 0.2, (meshes, 3, 3))
    return rest + np.einsum("nij,vj->nvi", bends, rest**2), mirror


def hull(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Meshes of ten corners in general position and `count` points inside their hull; no counterparts."""
    rng = np.random.default_rng(seed)
    corners = rng.normal(size=(7, 10, 3))
    inside = rng.dirichlet(np.full(10, 0.5), count) @ corners
    order = rng.permutation(10 + count)
    return np.concatenate([corners, inside], 1)[:, order], np.flatnonzero(order < 10)


def relative_errors(vertices: np.ndarray, arrays: dict[str, np.ndarray]) -> np.ndarray:
    rebuilt = arrays["interpolation"] @ vertices[:, arrays["vertex_ids"]]
    return np.sqrt(((rebuilt - vertices) ** 2).sum(-1).mean(0))


@LEARNERS
@pytest.mark.parametrize("count", [4, 7, 12, 16])
def test_result_is_whole_and_symmetric(learn, count):
    vertices, mirror = cloud()
    arrays = learn(vertices, mirror, count)
    ids, flip, weights = arrays["vertex_ids"], arrays["flip"], arrays["interpolation"]
    assert weights.dtype == np.float32 and ids.dtype == flip.dtype == np.int64
    assert weights.shape == (66, count) and len(set(ids)) == count
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(flip[flip], np.arange(count))
    np.testing.assert_array_equal(ids[flip], mirror[ids])
    np.testing.assert_allclose(weights[mirror][:, flip], weights, atol=1e-6)


@LEARNERS
def test_as_many_markers_as_vertices_rebuild_exactly(learn):
    vertices, mirror = cloud(pairs=8, midline=3)
    arrays = learn(vertices, mirror, 19)
    np.testing.assert_array_equal(np.sort(arrays["vertex_ids"]), np.arange(19))
    assert relative_errors(vertices, arrays).max() < 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_finds_the_corners_of_a_hull(seed):
    """Ten corners hold every other point: the archetypes are known, and nothing is left over."""
    vertices, corners = hull(60, seed)
    arrays = learn_markers(vertices, np.arange(70), 10)
    np.testing.assert_array_equal(np.sort(arrays["vertex_ids"]), corners)
    assert relative_errors(vertices, arrays).max() < 1e-2  # the weights dropped for being tiny
    assert arrays["interpolation"].min() > -1e-6


@pytest.mark.parametrize("seed", range(3))
def test_finds_the_corners_of_a_mirrored_hull(seed):
    rng = np.random.default_rng(seed)
    corners = rng.normal(size=(7, 5, 3)) + [1, 0, 0]
    corners = np.concatenate([corners, corners * [-1, 1, 1]], 1)
    side = np.concatenate([corners[:, :5], rng.dirichlet(np.full(10, 0.5), 30) @ corners], 1)
    vertices, mirror = np.concatenate([side, side * [-1, 1, 1]], 1), np.r_[np.arange(35) + 35, np.arange(35)]
    arrays = learn_markers(vertices, mirror, 10)
    assert sorted(arrays["vertex_ids"]) == [*range(5), *range(35, 40)]
    assert relative_errors(vertices, arrays).max() < 1e-2


def test_learned_markers_beat_farthest_points_on_other_meshes():
    vertices, mirror = cloud(meshes=30, pairs=60)
    learned, other = vertices[:20], vertices[20:]
    errors = [relative_errors(other, learn(learned, mirror, 12)) for learn in (learn_markers, farthest_point_markers)]
    assert errors[0].mean() < 0.9 * errors[1].mean()


@pytest.mark.parametrize("seed", range(3))
def test_every_step_lowers_the_error(seed):
    vertices, mirror = cloud(meshes=20, pairs=60, seed=seed)
    surface = archetypes._surface(vertices, mirror)
    chosen = surface.farthest(20)
    errors = []
    for step in (list, surface.archetypes, surface.exchange):
        chosen = step(chosen)
        errors.append(np.square(relative_errors(vertices, surface.markers(chosen))).mean())
    assert errors[1] <= errors[0] and errors[2] < 0.8 * errors[1]


@LEARNERS
def test_same_input_same_markers(learn):
    vertices, mirror = cloud()
    first, second = (learn(vertices.copy(), mirror, 10) for _ in range(2))
    for key, array in first.items():
        np.testing.assert_array_equal(array, second[key])


def test_mirrored_input_same_markers():
    """Each mesh is used mirrored anyway."""
    vertices, mirror = cloud()
    first = learn_markers(vertices, mirror, 10)
    second = learn_markers(vertices[:, mirror] * [-1, 1, 1], mirror, 10)
    assert set(first["vertex_ids"]) == set(second["vertex_ids"])


def test_farthest_points_are_what_they_say():
    vertices, mirror = cloud()
    flat = vertices.transpose(1, 0, 2).reshape(len(mirror), -1)
    arrays = farthest_point_markers(vertices, mirror, 12)
    ids, flip = arrays["vertex_ids"], arrays["flip"]
    mirrored = (vertices[:, mirror] * [-1, 1, 1]).transpose(1, 0, 2).reshape(len(mirror), -1)
    flat = np.concatenate([flat, mirrored], 1)
    for k in range(1, 12):
        if flip[k] >= k:  # the first of a pair, or on the midline
            nearest = np.linalg.norm(flat[:, None] - flat[ids[:k]], axis=2).min(1)
            assert nearest[ids[k]] == pytest.approx(nearest.max())


@pytest.mark.parametrize(
    ("vertices", "mirror", "count", "message"),
    [
        (np.zeros((4, 3)), np.arange(4), 2, r"expected vertices \[N, V, 3\] and mirror \[V\], got \(4, 3\)"),
        (np.zeros((2, 4, 3)), np.arange(5), 2, r"got \(2, 4, 3\) and \(5,\)"),
        (np.zeros((2, 3, 3)), np.array([1, 2, 0]), 2, "mirror must lead back"),
    ],
)
@LEARNERS
def test_bad_input(learn, vertices, mirror, count, message):
    with pytest.raises(ValueError, match=message):
        learn(vertices, mirror, count)


@pytest.mark.parametrize(
    ("vertices", "mirror", "count", "message"),
    [
        (*cloud(), 3, "Expected 4 to 66 markers"),
        (*cloud(), 67, "Expected 4 to 66 markers"),
        (*cloud(midline=0), 5, "60 of 60 may become markers, 0 of them on the midline"),
        (np.zeros((2, 4, 3)), np.arange(4), 4, "Take another number of markers"),
    ],
)
@LEARNERS
def test_numbers_that_cannot_be_chosen(learn, vertices, mirror, count, message):
    with pytest.raises(UserError, match=message):
        learn(vertices, mirror, count)


@given(st.integers(0, 10_000), st.integers(2, 12), st.floats(0.05, 1.5))
def test_weights_solve_their_problem(seed, count, size):
    """Against a general solver, from several starts."""
    rng = np.random.default_rng(seed)
    markers, point = rng.normal(0, 0.5, (6, count)), rng.normal(0, size, 6)
    weights = interpolation_weights(point[:, None], markers)
    assert weights.sum() == pytest.approx(1, abs=1e-9)
    value = interpolation_errors(point[:, None], markers, weights)[0]
    own = ((point - markers @ weights[0]) ** 2).sum() + (NEGATIVE_COST * np.minimum(weights[0], 0).sum()) ** 2
    assert value == pytest.approx(own)

    def objective(parts):
        a, negative = parts[:count] - parts[count:], parts[count:].sum()
        gradient = 2 * markers.T @ (markers @ a - point)
        slope = np.concatenate([gradient, -gradient + 2 * NEGATIVE_COST**2 * negative])
        return ((point - markers @ a) ** 2).sum() + (NEGATIVE_COST * negative) ** 2, slope

    signs = np.repeat([1.0, -1.0], count)
    found = minimize(
        objective,
        np.r_[np.full(count, 1 / count), np.zeros(count)],
        jac=True,
        method="SLSQP",
        bounds=[(0, None)] * (2 * count),
        constraints={"type": "eq", "fun": lambda parts: signs @ parts - 1, "jac": lambda parts: signs},
        options={"maxiter": 500, "ftol": 1e-14},
    )
    assert found.success
    assert value <= found.fun + 1e-7
    assert value == pytest.approx(found.fun, rel=1e-3, abs=1e-6)


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_hull_weights_satisfy_the_optimality_conditions(seed, count):
    """Nearest point of a hull: no corner lies further towards the point than the plane through it (Wolfe, 1976)."""
    rng = np.random.default_rng(seed)
    corners, point = rng.normal(size=(4, count)), rng.normal(0, 2, 4)
    weights = hull_weights(point, corners)
    assert weights.min() >= 0 and weights.sum() == pytest.approx(1)
    nearest = corners @ weights
    assert ((point - nearest) @ (corners - nearest[:, None])).max() < 1e-8


def test_points_lean_on_their_nearest_markers_only():
    rng = np.random.default_rng(0)
    markers, points = rng.normal(size=(40, NEIGHBOURS + 5)), rng.normal(size=(40, 8))
    distance = np.linalg.norm(points[:, :, None] - markers[:, None], axis=0)
    far = np.argsort(distance, 1)[:, NEIGHBOURS:]
    weights = interpolation_weights(points, markers)
    assert (np.take_along_axis(weights, far, 1) == 0).all()
    assert (weights != 0).sum() > 8


def test_markers_are_their_own_combination():
    markers = np.random.default_rng(0).normal(size=(6, 5))
    np.testing.assert_allclose(interpolation_weights(markers, markers), np.eye(5), atol=1e-9)


def test_agrees_with_another_archetypal_analysis(monkeypatch):
    """Where the `archetypes` package is installed: its error and ours, with convex weights as it has them."""
    package = pytest.importorskip("archetypes")
    monkeypatch.setattr(marker_module, "NEGATIVE_COST", 1e3)
    vertices, _ = cloud(meshes=5, pairs=40, midline=0)
    surface = archetypes._surface(vertices, np.arange(80))
    points = surface.points.T
    model = package.AA(n_archetypes=8, n_init=3, max_iter=500, tol=1e-8, random_state=0).fit(points)
    theirs = np.square(points - model.transform(points) @ model.archetypes_).sum()
    arrays = surface.markers(surface.exchange(surface.archetypes(surface.farthest(8))))
    ours = np.square(points - arrays["interpolation"] @ points[arrays["vertex_ids"]]).sum()
    assert arrays["interpolation"].min() > -1e-3
    assert ours < 1.1 * theirs  # ours are vertices, theirs any points of the hull


@pytest.mark.parametrize("meshes", [6, 40])  # with fewer coordinates than vertices, and with more
def test_points_have_the_distances_of_the_vertices_and_their_mirror_images(meshes):
    vertices, mirror = cloud(meshes=meshes)
    points = archetypes._surface(vertices, mirror).points
    both = np.concatenate([vertices, vertices[:, mirror] * [-1, 1, 1]])
    expected = np.sqrt(((both[:, :, None] - both[:, None]) ** 2).sum(-1).mean(0))
    np.testing.assert_allclose(np.linalg.norm(points[:, :, None] - points[:, None], axis=0), expected, atol=1e-6)


def test_of_many_vertices_some_are_candidates(monkeypatch):
    vertices, mirror = cloud(meshes=20, pairs=150)
    best = learn_markers(vertices, mirror, 16)
    monkeypatch.setattr(archetypes, "CHOSEN_AMONG", 100)
    coarse, kept = archetypes._surface(vertices, mirror).thinned()
    assert 90 <= len(kept) <= 100
    np.testing.assert_array_equal(kept[coarse.mirror], mirror[kept])
    arrays = learn_markers(vertices, mirror, 16)
    assert set(arrays["vertex_ids"]) <= set(kept.tolist())
    assert arrays["interpolation"].shape == (306, 16)
    np.testing.assert_array_equal(arrays["vertex_ids"][arrays["flip"]], mirror[arrays["vertex_ids"]])
    farthest = farthest_point_markers(vertices, mirror, 16)
    errors = [np.square(relative_errors(vertices, markers)).mean() for markers in (best, arrays, farthest)]
    assert errors[1] < 1.4 * errors[0] and errors[1] < 0.9 * errors[2]


@LEARNERS
@pytest.mark.parametrize("among", [2000, 120])
def test_vertices_without_a_counterpart(learn, among, monkeypatch):
    """They become no markers, and are interpolated as well as the others."""
    monkeypatch.setattr(archetypes, "CHOSEN_AMONG", among)
    vertices, mirror = cloud(meshes=60, pairs=80)
    paired = np.random.default_rng(0).random(len(mirror)) < 0.8
    paired &= paired[mirror]
    arrays = learn(vertices, mirror, 15, paired)
    ids, flip, weights = arrays["vertex_ids"], arrays["flip"], arrays["interpolation"]
    assert len(ids) == 15 and paired[ids].all()
    np.testing.assert_array_equal(ids[flip], mirror[ids])
    np.testing.assert_allclose(weights[mirror][:, flip][paired], weights[paired], atol=1e-6)
    errors = relative_errors(vertices, arrays)
    assert errors[~paired].mean() < 1.3 * errors[paired].mean()
    best = relative_errors(vertices, learn(vertices, mirror, 15))
    assert errors.mean() < 1.3 * best.mean()
