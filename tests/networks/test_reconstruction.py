"""Markers to mesh and joints."""

import pytest
import torch

from opengait_meshgait.networks import Reconstruction


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


def test_it_stays_in_fp32_under_autocast(matrices):
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
