"""Coordinates of heatmaps in closed form, and markers to mesh and joints."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.networks import Reconstruction, VolumeExtent, soft_argmax

EXTENT = VolumeExtent(half_width=0.34375, depth_range=0.4)


def _grid(depth, rows, columns, dtype=torch.float64):
    x = torch.linspace(-0.34375, 0.34375, columns, dtype=dtype)
    y = torch.linspace(0, 1, rows, dtype=dtype)
    z = torch.linspace(-0.4, 0.4, depth, dtype=dtype)
    z, y, x = torch.meshgrid(z, y, x, indexing="ij")
    return torch.stack([x, y, z], dim=-1)


def test_the_extent_of_a_64_by_44_silhouette():
    assert VolumeExtent.of_silhouettes(64, 44, 0.4) == EXTENT


@given(st.integers(0, 4), st.integers(0, 6), st.integers(0, 5))
def test_a_delta_is_read_where_it_stands(d, row, column):
    volume = torch.zeros(5, 7, 6, dtype=torch.float64)
    volume[d, row, column] = 1
    torch.testing.assert_close(soft_argmax(volume, EXTENT), _grid(5, 7, 6)[d, row, column])


def test_every_corner_of_the_box_can_be_read():
    volume = torch.zeros(2, 2, 3, 4, 5)
    volume[0, 0, 0, 0, 0] = volume[0, 1, -1, -1, -1] = volume[1, 0, 0, -1, 0] = volume[1, 1, -1, 0, 0] = 1
    expected = [[(-0.34375, 0, -0.4), (0.34375, 1, 0.4)], [(-0.34375, 1, -0.4), (-0.34375, 0, 0.4)]]
    torch.testing.assert_close(soft_argmax(volume, EXTENT), torch.tensor(expected))


def test_a_uniform_volume_is_read_in_the_middle():
    volume = torch.full((8, 16, 11), 1 / (8 * 16 * 11), dtype=torch.float64)
    torch.testing.assert_close(soft_argmax(volume, EXTENT), torch.tensor([0, 0.5, 0], dtype=torch.float64))


@given(st.floats(-0.1, 0.1), st.floats(0.4, 0.6), st.floats(-0.1, 0.1))
def test_a_gaussian_is_read_at_its_mean(x, y, z):
    # A sampled Gaussian's mean is exact to 2·exp(-2π²σ²) cells; σ = 1.5 cells, 4σ and more from every face.
    grid = _grid(25, 33, 25)
    cells = torch.tensor([0.6875 / 24, 1 / 32, 0.8 / 24], dtype=torch.float64)
    mean = torch.tensor([x, y, z], dtype=torch.float64)
    volume = torch.exp(-0.5 * ((grid - mean) / (1.5 * cells)).square().sum(-1))
    torch.testing.assert_close(soft_argmax(volume / volume.sum(), EXTENT), mean, atol=1e-6, rtol=0)


def test_it_is_the_mean_of_the_cells_for_any_volume_and_batch():
    volumes = torch.rand(2, 3, 4, 5, 6, 7, dtype=torch.float64)
    volumes /= volumes.sum((-3, -2, -1), keepdim=True)
    expected = torch.einsum("abcdhw,dhwi->abci", volumes, _grid(5, 6, 7))
    torch.testing.assert_close(soft_argmax(volumes, EXTENT), expected)


def test_gradients_are_right():
    volumes = torch.rand(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: soft_argmax(v, EXTENT), volumes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_soft_argmax_stays_in_fp32_under_autocast(dtype):
    volumes = torch.rand(3, 8, 16, 11).flatten(1).softmax(1).view(3, 8, 16, 11).to(dtype)
    expected = soft_argmax(volumes.double(), EXTENT)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = soft_argmax(volumes, EXTENT)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, atol=1e-6, rtol=1e-5)


@pytest.fixture
def matrices():
    return (
        torch.rand(30, 5).softmax(1),
        torch.rand(24, 30).softmax(1),
        torch.zeros(5),
        torch.arange(5),
        torch.rand(5, 3),
    )


def test_mesh_and_joints_are_the_two_products(matrices):
    interpolation, regressor, *_ = matrices
    markers = torch.randn(2, 3, 5, 3)
    vertices, joints = Reconstruction(*matrices)(markers)
    torch.testing.assert_close(vertices, torch.einsum("vk,nski->nsvi", interpolation, markers))
    torch.testing.assert_close(joints, torch.einsum("jv,nsvi->nsji", regressor, vertices))


def test_a_moved_body_moves_as_a_whole(matrices):
    reconstruct, markers, shift = Reconstruction(*matrices), torch.randn(2, 5, 3), torch.tensor([0.1, -0.2, 0.3])
    for before, after in zip(reconstruct(markers), reconstruct(markers + shift)):
        torch.testing.assert_close(after, before + shift)


def test_it_carries_the_body_along_but_never_saves_it(matrices):
    reconstruct = Reconstruction(*matrices)
    assert reconstruct.state_dict() == {}
    assert {b.dtype for b in reconstruct.double().buffers()} == {torch.float64, torch.int64}


def test_reconstruction_stays_in_fp32_under_autocast(matrices):
    reconstruct, markers = Reconstruction(*matrices), torch.rand(2, 5, 3)
    expected = reconstruct(markers)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for a, b in zip(reconstruct(markers), expected):
            assert torch.equal(a, b)


def test_matrices_must_fit_each_other(matrices):
    with pytest.raises(ValueError, match=r"\(30, 5\) and \(24, 29\)"):
        Reconstruction(matrices[0], matrices[1][:, 1:], *matrices[2:])
    for place, name in ((2, "side"), (3, "flip"), (4, "start")):
        with pytest.raises(ValueError, match=rf"expected {name} \[5.*got \[4\]"):
            Reconstruction(*matrices[:place], torch.zeros(4), *matrices[place + 1 :])
