"""Rotations of SMPL's joints as recorded motion: AMASS's two releases, and smplcodec's files."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from opengait_meshgait.body.layout import JOINT_NAMES
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.walkers.bones import turn
from opengait_meshgait.walkers.recorded import load_recording


def amass(clip, joints, rate):
    """A clip as AMASS has it, z up."""
    up = turn("X", np.pi / 2)[0]
    local = clip["local_rot"][:, :22].copy()
    local[:, 0] = up @ local[:, 0]
    poses = np.random.default_rng(0).normal(size=(len(local), joints, 3))  # the hands', too
    poses[:, :22] = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 22, 3)
    return {
        "poses": poses.reshape(len(poses), -1),
        "trans": clip["root"] @ up.T,
        "betas": np.zeros(16),
        "gender": np.array("male"),
        rate: clip["fps"],
    }


def smplcodec(clip, joints):
    poses = Rotation.from_matrix(clip["local_rot"][:, :joints].reshape(-1, 3, 3)).as_rotvec()
    return {
        "bodyPose": poses.reshape(-1, joints, 3),
        "bodyTranslation": clip["root"],
        "frameRate": clip["fps"],
        "frameCount": len(clip["root"]),
        "smplVersion": 0,
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("07_01_poses.npz", lambda clip: amass(clip, 52, "mocap_framerate")),
        ("07_01_stageii.npz", lambda clip: amass(clip, 55, "mocap_frame_rate")),
        ("07_01.smpl", lambda clip: smplcodec(clip, 24)),
        ("07_01.smpl", lambda clip: smplcodec(clip, 22)),
    ],
    ids=["SMPL+H", "SMPL-X", "smpl", "smpl of SMPL-X"],
)
def test_the_motion_is_that_of_the_clip(name, content, clip, body, tmp_path):
    with (tmp_path / name).open("wb") as file:
        np.savez(file, **content(clip))
    motion = load_recording(tmp_path / name)
    assert (motion.person, len(motion), motion.fps) == ("07", 40, 25)
    assert motion.names == JOINT_NAMES[:22]
    np.testing.assert_allclose(motion.rotations, clip["local_rot"][:, :22], atol=1e-6)
    np.testing.assert_allclose(motion.root, clip["root"], atol=1e-9)
    rest = body.joint_template.numpy()
    np.testing.assert_allclose(motion.offsets[1:], rest[1:22] - rest[list(body.parents[1:22])], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trans": None}, r"wrong\.npz holds poses, betas, gender, mocap_framerate\. A recording of SMPL's joints has"),
        ({"poses": np.ones((40, 63))}, r"holds poses \[40, 63\], trans \[40, 3\], mocap_framerate \[\]"),
        ({"trans": np.ones((39, 3))}, r"trans \[39, 3\]"),
        ({"trans": np.full((40, 3), np.nan)}, "have NaN, infinity or 0"),
        ({"mocap_framerate": 0.0}, "have NaN, infinity or 0"),
        ({"poses": np.ones((0, 156)), "trans": np.ones((0, 3))}, r"poses \[0, 156\]"),
        ({"poses": np.array([{}], object)}, "Cannot read"),
    ],
)
def test_what_is_wrong_is_named(change, message, clip, tmp_path):
    content = amass(clip, 52, "mocap_framerate") | change
    np.savez(tmp_path / "wrong.npz", **{key: value for key, value in content.items() if value is not None})
    with pytest.raises(UserError, match=message):
        load_recording(tmp_path / "wrong.npz")
