import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.walkers.bones import turn
from opengait_meshgait.walkers.recorded import load_recording


def degrees(rotations):
    return np.rad2deg(Rotation.from_matrix(rotations.reshape(-1, 3, 3)).magnitude())


@pytest.mark.parametrize(
    ("order", "unit", "z_up"), [("ZXY", 0.01, False), ("XYZ", 1.0, True), ("YZX", 0.001, False), ("ZYX", 0.01, True)]
)
def test_bvh_and_npz_hold_the_same_motion(tmp_path, clip, write_bvh, write_npz, order, unit, z_up):
    npz = load_recording(write_npz(tmp_path / "walk.npz", clip))
    bvh = load_recording(write_bvh(tmp_path / "A11_walk.bvh", clip, order, unit, z_up))
    assert (npz.name, npz.person, bvh.name, bvh.person) == ("walk", "A11", "A11_walk", "A11")
    assert bvh.fps == pytest.approx(npz.fps)
    expected, got = npz.world()[1], bvh.world()[1]
    for joint, number in npz.skeleton.joints.items():
        np.testing.assert_allclose(got[:, bvh.skeleton.joints[joint]], expected[:, number], atol=2e-5)
    # The turn to y up is the root's alone.
    knee = npz.skeleton.joints["left_knee"], bvh.skeleton.joints["left_knee"]
    assert degrees(bvh.rotations[:, knee[1]] @ npz.rotations[:, knee[0]].swapaxes(-1, -2)).max() < 1e-3


def test_the_way_may_be_that_of_a_joint_below_a_point_of_reference(tmp_path, clip, write_bvh):
    path = write_bvh(tmp_path / "walk.bvh", clip)
    straight = load_recording(path)
    head = "HIERARCHY\nROOT Reference\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Yrotation Xrotation\nJOINT Hips"
    lines = path.read_text().replace("HIERARCHY\nROOT Hips", head).replace("MOTION", "}\nMOTION").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    lines[first:] = [f"0 90 0 {line}" for line in lines[first:]]
    path.write_text("\n".join(lines))
    hanging = load_recording(path)
    assert hanging.names[0] == "Hips"
    np.testing.assert_allclose(hanging.world()[1], straight.world()[1] @ turn("Y", np.pi / 2)[0].T, atol=1e-6)


def test_half_precision_is_made_rotations_again(tmp_path, clip, write_npz):
    clip["local_rot"] = clip["local_rot"].astype(np.float16)
    rotations = load_recording(write_npz(tmp_path / "walk.npz", clip)).rotations
    np.testing.assert_allclose(rotations @ rotations.swapaxes(-1, -2), np.tile(np.eye(3), (40, 24, 1, 1)), atol=1e-9)


def test_another_rate_takes_the_same_time(tmp_path, clip, write_npz):
    motion = load_recording(write_npz(tmp_path / "walk.npz", clip | {"fps": np.float64(60)}))
    slower = motion.resampled(25)
    assert len(slower) == motion.length(25) == int(39 / 60 * 25) + 1
    # The twelfth frame in 25 a second falls on one of those in 60.
    # … but for toes, which move too fast for any walker when 25 frames a second are taken for 60.
    np.testing.assert_allclose(*(np.delete(r, [10, 11], 0) for r in (slower.rotations[10], motion.rotations[24])))
    np.testing.assert_allclose(slower.root[10], motion.root[24], atol=1e-9)
    between = motion.resampled(120)
    first, second = (degrees(between.rotations[a].swapaxes(-1, -2) @ between.rotations[b]) for a, b in ((6, 7), (7, 8)))
    np.testing.assert_allclose(first, second, atol=1e-6)
    assert len(motion.resampled(60)) == 40 and len(load_one_frame(tmp_path, clip, write_npz).resampled(25)) == 1


def load_one_frame(tmp_path, clip, write_npz):
    return load_recording(
        write_npz(tmp_path / "one.npz", clip | {"local_rot": clip["local_rot"][:1], "root": clip["root"][:1]})
    )


def test_lost_tracking_is_bridged(tmp_path, clip, write_npz):
    smooth = load_recording(write_npz(tmp_path / "smooth.npz", clip)).resampled(25)
    damaged = clip["local_rot"].copy()
    damaged[20, 4] = damaged[20, 4] @ turn("Y", 2.0)[0]
    repaired = load_recording(write_npz(tmp_path / "damaged.npz", clip | {"local_rot": damaged})).resampled(25)
    changed = degrees(repaired.rotations.swapaxes(-1, -2) @ smooth.rotations).reshape(40, 24)
    assert changed[:, 4].max() < 5 and changed[:18].max() < 1e-5 and np.delete(changed, 4, 1).max() < 1e-5
    steps = repaired.rotations[:-1].swapaxes(-1, -2) @ repaired.rotations[1:]
    assert degrees(steps).max() < 28.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": None}, "has no names, only parents, offsets"),
        ({"fps": np.float64(0)}, "fps is 0.0"),
        ({"root": np.zeros((0, 3)), "local_rot": np.zeros((0, 24, 3, 3))}, "holds 0 frames"),
        ({"root": np.zeros((39, 3))}, r"local_rot is float64 \[40, 24, 3, 3\]"),
        ({"offsets": np.zeros((24, 2))}, r"offsets is float64 \[24, 2\]"),
        ({"root": np.full((40, 3), np.nan)}, "root has NaN"),
        ({"local_rot": np.ones((40, 24, 3, 3))}, "not rotations"),
        ({"local_rot": np.tile(-np.eye(3), (40, 24, 1, 1))}, "not rotations"),
        ({"parents": np.arange(24)}, "the first must be -1"),
        ({"parents": np.array(["-1"] * 24)}, "parents is <U2"),
        ({"names": np.array(["Hips"] * 24)}, "no left hip"),
        ({"offsets": np.zeros((24, 3))}, "have no length"),
        ({"root": np.array([{}], object)}, "Cannot read"),
    ],
)
def test_what_is_wrong_with_an_npz_is_named(tmp_path, clip, write_npz, change, message):
    wrong = {key: value for key, value in (clip | change).items() if value is not None}
    path = write_npz(tmp_path / "wrong walk.npz", wrong)
    with pytest.raises(UserError, match=message) as error:
        load_recording(path)
    assert "wrong walk.npz" in str(error.value)


def test_people_must_stand(tmp_path, clip, write_npz):
    lying = clip["local_rot"].copy()
    lying[:, 0] = turn("Z", np.pi / 2)[0] @ lying[:, 0]
    with pytest.raises(UserError, match="must be above them along y or z"):
        load_recording(write_npz(tmp_path / "lying.npz", clip | {"local_rot": lying}))


def test_other_files_are_refused(tmp_path):
    for name, message in (
        ("walk.fbx", "end in .bvh, .amc, .npz, .smpl"),
        ("walk.npz", "Cannot read"),
        ("walk", "end in .bvh"),
    ):
        with pytest.raises(UserError, match=message):
            load_recording(tmp_path / name)
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match="Cannot read .*cut.npz"):
        load_recording(tmp_path / "cut.npz")
