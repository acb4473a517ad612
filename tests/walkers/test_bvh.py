import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.walkers.bvh import read_bvh

ARM = """HIERARCHY
ROOT The Arm {
\tOFFSET\t1 2 3
  CHANNELS 4 Yrotation Zposition Xposition Xrotation
  JOINT Hand
  {
    OFFSET 0 10 0
    CHANNELS 4 Yposition zrotation YROTATION Xrotation
    End Site
    {
      OFFSET 0 0 5
    }
  }
}
MOTION
Frames:  2
Frame Time: 0.05

90 7 8 30 11 1 2 3
0 -7 -8 0 12 0 0 0
"""


def test_channels_go_in_their_own_order(tmp_path):
    path = tmp_path / "arm.bvh"
    path.write_text(ARM)
    arm = read_bvh(path)
    assert (arm.names, arm.parents) == (("The Arm", "Hand", "Hand_end"), (-1, 0, 1))
    assert arm.fps == pytest.approx(20)
    np.testing.assert_array_equal(arm.offsets, [[1, 2, 3], [0, 10, 0], [0, 0, 5]])
    np.testing.assert_array_equal(arm.positions[:, 0], [[8, 2, 7], [-8, 2, -7]])
    np.testing.assert_array_equal(arm.positions[:, 1], [[0, 11, 0], [0, 12, 0]])
    first = Rotation.from_euler("y", 90, degrees=True) * Rotation.from_euler("x", 30, degrees=True)
    np.testing.assert_allclose(arm.rotations[0, 0], first.as_matrix(), atol=1e-12)
    np.testing.assert_allclose(arm.rotations[0, 1], Rotation.from_euler("ZYX", [1, 2, 3], True).as_matrix(), atol=1e-12)
    np.testing.assert_array_equal(arm.rotations[1], np.tile(np.eye(3), (3, 1, 1)))


def test_line_ends_and_marks_of_other_systems_do_not_matter(tmp_path):
    plain, other = tmp_path / "plain.bvh", tmp_path / "other.bvh"
    plain.write_text(ARM)
    other.write_bytes(b"\xef\xbb\xbf" + ARM.replace("\n", "\r\n").encode())
    np.testing.assert_array_equal(read_bvh(plain).rotations, read_bvh(other).rotations)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (ARM, "", "is not a BVH file"),
        (ARM, "\x89PNG\x00\xff", "is not a BVH file"),
        ("HIERARCHY", "HEIRARCHY", "is not a BVH file"),
        (ARM[ARM.index("MOTION") :], "", "is not a BVH file"),
        ("0 -7 -8 0 12 0 0 0\n", "", "announces 2 frames, and holds 1"),
        ("Frames:  2", "Frames: 1", "announces 1 frames, and holds 2"),
        ("0 -7 -8 0 12 0 0 0", "0 -7 -8 0 12 0", "line 20: 6 values, where 8 are expected"),
        ("90 7 8 30", "90 nan 8 30", "line 19: value 2 is nan"),
        ("90 7 8 30", "90 7,5 8 30", "line 19: could not convert"),
        (ARM[ARM.index("Frames") :], "Frames: 0\nFrame Time: 0.05\n", "holds 0 frames"),
        ("Frame Time: 0.05", "Frame Time: 0", "must begin with 'Frames: N'"),
        ("Frames:  2\n", "", "must begin with 'Frames: N'"),
        ("CHANNELS 4 Yr", "CHANNELS 5 Yr", "5 channels are announced and 4 named"),
        ("Yposition", "Yscale", "CHANNELS 4 Yscale"),
        ("OFFSET 0 10 0", "OFFSET 0 inf 0", "OFFSET 0 inf 0"),
        ("JOINT", "BONE", "'BONE Hand'"),
        ("}\nMOTION", "MOTION", "braces do not close"),
        ("MOTION", "ROOT Second\n{\nOFFSET 0 0 0\n}\nMOTION", "2 of them \\(The Arm, Second\\)"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, before, after, message):
    assert before in ARM
    path = tmp_path / "wrong.bvh"
    path.write_text(ARM.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(UserError, match=message) as error:
        read_bvh(path)
    assert str(path) in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read_bvh(tmp_path / "none.bvh")
