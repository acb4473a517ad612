import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.body.mirror import mirror_errors, mirror_vertices


def test_finds_the_counterparts_of_a_symmetric_body():
    rng = np.random.default_rng(0)
    side, midline = rng.random((40, 3)) + [0.05, 0, 0], rng.random((5, 3)) * [0, 1, 1]
    vertices = np.concatenate([side, midline, side * [-1, 1, 1]])
    expected = np.r_[np.arange(45, 85), np.arange(40, 45), np.arange(40)]
    noise = rng.normal(0, 1e-4, vertices.shape)
    np.testing.assert_array_equal(mirror_vertices(vertices), expected)
    np.testing.assert_array_equal(mirror_vertices(vertices + noise), expected)


@given(st.integers(1, 60), st.integers(0, 10_000))
def test_always_a_permutation_and_its_own_inverse(count, seed):
    mirror = mirror_vertices(np.random.default_rng(seed).normal(size=(count, 3)))
    np.testing.assert_array_equal(mirror[mirror], np.arange(count))


def test_of_the_shipped_body(standin):
    vertices = standin.v_template.numpy()
    np.testing.assert_array_equal(mirror_vertices(vertices), standin.mirror)
    assert (vertices[standin.mirror.numpy()] == vertices * np.float32([-1, 1, 1])).all()


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_lonely_vertices_stay_alone(shift):
    """Three vertices near each other on one side have nobody on the other but the one that is there."""
    vertices = np.array([[1.0, 0, 0], [1.1, 0, 0], [1.2, 0, 0], [-1.0, 0, shift]])
    np.testing.assert_array_equal(mirror_vertices(vertices), [3, 1, 2, 0])


def test_errors_of_pairs_and_of_vertices_alone():
    vertices = np.array([[1.0, 2, 3], [-1, 2, 3], [2, 0, 0], [-2, 0.3, 0.4], [0, 1, 1], [0.25, 5, 5]])
    errors = mirror_errors(vertices, np.array([1, 0, 3, 2, 4, 5]))
    np.testing.assert_allclose(errors, [0, 0, 0.5, 0.5, 0, 0.5])
