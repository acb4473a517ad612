import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.walkers.acclaim import read_amc
from opengait_meshgait.walkers.recorded import load_recording

ARM = """# AST/ASF file
:version 1.10
:units
  mass 1.0
  length 0.5
  angle deg
:documentation
   begin nothing
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 2
     name hand
     direction 0 1 0
     length 3
     axis 0 0 0 XYZ
  end
  begin
     id 1
     name arm
     direction 1 0 0
     length 10
     axis 90 0 90 XYZ
    dof rx rz
    limits (-160.0 20.0)
           (-70.0 70.0)
  end
:hierarchy
  begin
    root arm
    arm hand
  end
"""
WAVE = """#!OML:ASF C:\\arm.ASF
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 90 0
arm 0 0
2
root 1 2 3 30 90 0
arm 20 -40
"""


@pytest.fixture
def arm(tmp_path):
    """Write the two files, of which ``change`` replaces something."""

    def write(before="", after=""):
        assert before in ARM + WAVE
        (tmp_path / "arm.asf").write_text(ARM.replace(before, after, 1))
        path = tmp_path / "arm_01.amc"
        path.write_text(WAVE.replace(before, after, 1))
        return path

    return write


def test_an_arm_by_hand(arm):
    wave = read_amc(arm())
    assert (wave.names, wave.parents, wave.fps) == (("root", "arm", "hand", "hand_end"), (-1, 0, 1, 2), 120)
    inches = wave.offsets / 0.0254
    np.testing.assert_allclose(inches, [[0, 0, 0], [0, 0, 0], [20, 0, 0], [0, 6, 0]], atol=1e-12)
    np.testing.assert_allclose(wave.positions[:, 0] / 0.0254, [[2, 4, 6], [2, 4, 6]])
    np.testing.assert_allclose(wave.positions[:, 1:] - wave.offsets[1:], 0, atol=1e-12)
    # About fixed axes, first x, then y.
    turned = (Rotation.from_euler("y", 90, True) * Rotation.from_euler("x", [[0], [30]], True)).as_matrix()
    np.testing.assert_allclose(wave.rotations[:, 0], turned, atol=1e-12)
    # The arm's own axes: x turned by 90 degrees about x, then about z, is y; z is x.
    own = Rotation.from_rotvec([-40, 0, 0], True) * Rotation.from_rotvec([0, 20, 0], True)
    np.testing.assert_allclose(wave.rotations[:, 1], [np.eye(3), own.as_matrix()], atol=1e-12)
    np.testing.assert_array_equal(wave.rotations[:, 2:], np.tile(np.eye(3), (2, 2, 1, 1)))


def test_radians(arm):
    degrees = read_amc(arm())
    path = arm(":DEGREES", ":RADIANS")
    lines = path.read_text().splitlines()
    lines[-1] = f"arm {np.deg2rad(20)} {np.deg2rad(-40)}"
    path.write_text("\n".join(lines))
    np.testing.assert_allclose(read_amc(path).rotations[1, 1], degrees.rotations[1, 1], atol=1e-12)


@pytest.mark.parametrize("order", ["XYZ", "ZYX"])
def test_acclaim_and_npz_hold_the_same_motion(tmp_path, clip, write_npz, write_acclaim, order):
    names = "root lfemur rfemur lowerback ltibia rtibia upperback lfoot rfoot thorax ltoes rtoes lowerneck lclavicle "
    names += "rclavicle head lhumerus rhumerus lradius rradius lhand rhand lthumb rthumb"
    clip |= {"names": np.array(names.split()), "fps": np.float64(120)}
    npz = load_recording(write_npz(tmp_path / "walk.npz", clip))
    amc = load_recording(write_acclaim(tmp_path / "07_01.amc", clip, order))
    assert (amc.name, amc.person, amc.fps) == ("07_01", "07", 120)
    expected, got = npz.world()[1], amc.world()[1]
    for joint, number in npz.skeleton.joints.items():
        np.testing.assert_allclose(got[:, amc.skeleton.joints[joint]], expected[:, number], atol=2e-5)


@pytest.mark.parametrize(
    "before, after, message",
    [
        ("name arm", "nick arm", r"arm.asf is no ASF .*has no 'name'"),
        ("direction 1 0 0", "direction 1 0", r"near '.*2 values, where 3 are expected"),
        ("length 10", "length ten", "could not convert"),
        ("axis 90 0 90 XYZ", "axis 90 0 90 XQZ", "arm.asf is no ASF"),
        ("dof rx rz", "dof rx l", "degree of freedom 'l'"),
        ("arm hand\n", "arm hand root\n", "root hangs from two bones"),
        ("arm hand\n", "arm finger\n", "has no 'finger'"),
        (":hierarchy", ":hier", "lacks :bonedata or :hierarchy"),
        ("length 0.5", "length 0", "unit of length is not positive"),
        ("arm 20 -40", "arm 20", r"arm_01.amc, line 9: 1 values, where 2 are expected"),
        ("arm 20 -40", "arm 20 nan", "line 9: value 2 is nan"),
        ("arm 20 -40", "leg 20 -40", "'leg' is no bone of arm.asf"),
        ("arm 20 -40\n", "", "frame 2 has no arm"),
        ("2\nroot", "3\nroot", "frame 3 stands where 2 should"),
        ("1\nroot", "root", "'root' is in no frame"),
        (WAVE, "", "holds 0 frames"),
        (ARM, "", "arm.asf is no ASF"),
    ],
)
def test_what_is_wrong_is_named(arm, before, after, message):
    with pytest.raises(UserError, match=message):
        read_amc(arm(before, after))


def test_which_skeleton_is_an_amcs(arm, tmp_path):
    path = arm()
    (tmp_path / "a.asf").write_text("not it: another name is longer")
    (tmp_path / "b.asf").write_text("nor this")
    assert len(read_amc(path).rotations) == 2
    other = path.rename(tmp_path / "c_01.amc")
    with pytest.raises(UserError, match=r"c.asf or the only one. Found a.asf, arm.asf, b.asf"):
        read_amc(other)
    for name in ("a.asf", "b.asf"):
        (tmp_path / name).unlink()
    assert len(read_amc(other).rotations) == 2
    (tmp_path / "arm.asf").unlink()
    with pytest.raises(UserError, match="Found nothing"):
        read_amc(other)
