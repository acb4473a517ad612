"""Crop space from joints against crop space from the mesh, and what it does not depend on."""

import pytest
import torch

from opengait_meshgait.body.crop import crop_frame
from opengait_meshgait.body.joint_crop import OUTLINE, body_size, joint_crop_frame
from opengait_meshgait.body.layout import JOINT_FLIP
from opengait_meshgait.walkers.camera import Camera
from opengait_meshgait.walkers.person import WalkName
from opengait_meshgait.walkers.sequence import make_scene


@pytest.fixture(scope="module")
def walkers(standin):
    """Eight frames each of two people that the constants were not fitted to, from seven sides: joints, crop frames."""
    joints, frames = [], []
    for number in (3, 4):
        name = WalkName(number, "nm", 1)
        scene = make_scene(standin, name, 8, seed=5)
        for view in range(0, 360, 54):
            look = Camera.draw(view, name.rng(5, view + 1)).follow(scene.motion.pelvis, scene.stature)
            joints.append(torch.from_numpy(look.orient(scene.joints)).float())
            frames.append(crop_frame(torch.from_numpy(look.orient(scene.skin)), standin.faces, joints[-1][:, 0]))
    return torch.cat(joints), torch.cat([f.origin for f in frames]), torch.cat([f.height for f in frames])


def test_joints_tell_where_the_crop_is(walkers):
    joints, origin, height = walkers
    found = joint_crop_frame(joints)
    away = (found.origin - origin).abs() / height[:, None]
    assert ((found.height - height).abs() / height).max() < 0.02
    assert away[:, 0].max() < 0.02 and away[:, 1].max() < 0.02
    assert away[:, 2].max() == 0


def test_unit_and_origin_do_not_matter(walkers):
    joints = walkers[0].double()
    frame, moved = joint_crop_frame(joints), joint_crop_frame(joints * 250 + torch.tensor([30.0, -7.0, 4000.0]))
    torch.testing.assert_close(moved.height, frame.height * 250)
    torch.testing.assert_close(moved.origin, frame.origin * 250 + torch.tensor([30.0, -7.0, 4000.0]).double())


def test_a_mirrored_body_has_the_mirrored_frame(walkers):
    joints = walkers[0].double()
    mirrored = joints[:, list(JOINT_FLIP)] * torch.tensor([-1, 1, 1])
    frame, other = joint_crop_frame(joints), joint_crop_frame(mirrored)
    torch.testing.assert_close(other.origin, frame.origin * torch.tensor([-1, 1, 1]), atol=1e-9, rtol=0)
    torch.testing.assert_close(other.height, frame.height)


def test_the_shares_are_a_mean_and_the_balls_have_a_size():
    assert OUTLINE.share.shape == (24,) and OUTLINE.share.sum().item() == pytest.approx(1, abs=1e-6)
    assert (OUTLINE.radius > 0).all()


def test_the_size_of_a_body_is_its_own(standin, walkers):
    sizes = body_size(walkers[0]).view(2, -1)
    # Trunk and a leg of adults, the same in every frame of a person's.
    assert ((sizes > 1.0) & (sizes < 1.7)).all()
    assert (sizes.std(1) / sizes.mean(1) < 0.01).all()


def test_a_raised_hand_is_the_top(standin):
    pose = torch.zeros(1, 24, 3)
    pose[:, 0, 0] = torch.pi
    pose[:, 16, 2] = 1.4  # the left arm, from the T-pose upwards
    vertices, joints = standin(pose.flatten(1), torch.zeros(1, 10))
    true, found = crop_frame(vertices, standin.faces, joints[:, 0]), joint_crop_frame(joints)
    assert true.origin[0, 1] < joints[0, 15, 1] - 0.3  # far above the head
    assert abs(found.height / true.height - 1) < 0.03
