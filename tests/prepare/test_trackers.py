"""One walk in the form of every tracker gives the same bodies."""

import json
import pickle
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import BETAS, CAM, POSE
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.pictures import frame_key
from opengait_meshgait.prepare.bodies import read_raw_bodies
from opengait_meshgait.prepare.joining import Reading
from opengait_meshgait.prepare.trackers import TRACKERS, trackers_of

FRAMES = [frame_key(f"{number:04d}") for number in range(1, 7)]  # the pictures 0001.png to 0006.png


@pytest.fixture(scope="module")
def bodies():
    """Bodies float64 [6, 85] without rotated hands, in which every other joint and every beta has its own value."""
    rows = np.random.default_rng(0).normal(0, 0.4, (len(FRAMES), 85))
    rows[:, 3:6] += [np.pi / 2, 0, 0]
    rows[:, BETAS] = rows[0, BETAS]
    rows[:, POSE][:, 66:] = 0
    return rows


def matrices(rows):
    """[T, 24, 3, 3]."""
    return Rotation.from_rotvec(rows[:, POSE].reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)


def romp(folder, rows):
    for number, row in enumerate(rows, start=1):
        people = {"smpl_thetas": row[None, POSE], "smpl_betas": np.append(row[BETAS], 1)[None], "cam": row[None, CAM]}
        np.savez(folder / f"{number:04d}.npz", results=people)


def romp_video(folder, rows):
    people = {
        f"{number:04d}.png": {"smpl_thetas": row[None, POSE], "smpl_betas": row[None, BETAS], "cam": row[None, CAM]}
        for number, row in enumerate(rows, start=1)
    }
    np.savez(folder / "video_results.npz", results=people)


def phalp(folder, rows):
    frames = {}
    for number, (row, turns) in enumerate(zip(rows, matrices(rows)), start=1):
        smpl = {"global_orient": turns[:1], "body_pose": turns[1:], "betas": row[BETAS]}
        frames[f"outputs/_DEMO/walk/img/{number:04d}.jpg"] = {
            "time": number,
            "tid": [1],
            "tracked_ids": [],
            "2d_joints": [np.zeros(90)],
            "smpl": [smpl],
        }
    (folder / "demo_walk.pkl").write_bytes(zlib.compress(pickle.dumps(frames), 3))


def hmr2_matrices(folder, rows):
    turns = matrices(rows)
    np.savez(folder / "hmr2.npz", global_orient=turns[:, :1], body_pose=turns[:, 1:], betas=rows[:, BETAS])


def hmr2_rows(folder, rows):
    for number, row in enumerate(rows, start=1):
        pose = row[POSE].reshape(24, 3)
        content = {"global_orient": pose[:1], "body_pose": pose[1:], "betas": row[BETAS]}
        (folder / f"{number:04d}.pkl").write_bytes(pickle.dumps(content))


def wham(folder, rows):
    person = {"pose": rows[:, POSE], "pose_world": rows[:, POSE] + 1, "betas": rows[:, BETAS]}
    content = {3: person | {"frame_ids": np.arange(len(rows)), "verts": np.zeros((len(rows), 5, 3))}}
    (folder / "wham_output.pkl").write_bytes(pickle.dumps(content))


def gvhmr(folder, rows):
    params = {
        "global_orient": rows[:, 3:6],
        "body_pose": rows[:, 6:69],
        "betas": rows[:, BETAS],
        "transl": rows[:, CAM],
    }
    tensors = {key: torch.from_numpy(value) for key, value in params.items()}
    world = {key: value + 1 for key, value in tensors.items()}
    torch.save({"smpl_params_global": world, "smpl_params_incam": tensors}, folder / "hmr4d_results.pt")


def tram(folder, rows):
    tensors = {
        "pred_rotmat": torch.from_numpy(matrices(rows)),
        "pred_shape": torch.from_numpy(rows[:, BETAS].copy()),
        "frame": torch.arange(len(rows)),
    }
    np.save(folder / "hps_track_0.npy", tensors)


def prompthmr(folder, rows):
    turns = np.tile(np.eye(3), (len(rows), 55, 1, 1))
    turns[:, :22] = matrices(rows)[:, :22]
    turns[:, 30] = turns[:, 3]  # a finger
    person = {"rotmat": turns, "shape": rows[:, BETAS], "pose": np.zeros((len(rows), 165))}
    world = {"pose": np.ones((len(rows), 165)), "shape": rows[:, BETAS], "rotmat": turns[:, ::-1]}
    people = {1: {"frames": np.arange(len(rows)), "smplx_cam": person, "smplx_world": world}}
    (folder / "results.pkl").write_bytes(pickle.dumps({"people": people, "camera": {"pred_cam_R": np.eye(3)}}))


def smpler_x(folder, rows):
    for number, row in enumerate(rows, start=1):
        content = {"global_orient": row[None, 3:6], "body_pose": row[6:69].reshape(21, 3), "betas": row[None, BETAS]}
        np.savez(folder / f"{number:05d}_0.npz", **content, jaw_pose=np.zeros((1, 3)))


def amass(folder, rows, joints=52):
    poses = np.random.default_rng(1).normal(size=(len(rows), 3 * joints))
    poses[:, :66] = rows[:, POSE][:, :66]
    np.savez(folder / "walk_poses.npz", poses=poses, betas=np.append(rows[0, BETAS], [1.0] * 6), gender="neutral")


def amass_smplx(folder, rows):
    amass(folder, rows, 55)


def smplcodec(folder, rows):
    with (folder / "walk.smpl").open("wb") as file:
        pose, betas = rows[:, POSE].reshape(-1, 24, 3), rows[0, BETAS]
        np.savez(file, bodyPose=pose, shapeParameters=betas, smplVersion=0, frameCount=len(rows), frameRate=30.0)


def own_array(folder, rows):
    np.save(folder / "smpl.npy", rows)


def own_names(folder, rows):
    names = [f"{number:04d}.png" for number in range(1, len(rows) + 1)]
    content = {"poses": rows[:, POSE], "betas": rows[0, BETAS], "cam": rows[:, CAM], "frames": names}
    (folder / "all.json").write_text(json.dumps({key: np.asarray(value).tolist() for key, value in content.items()}))


# Of each form: its tracker's name, None where it is nobody's, and which numbers are in it besides the pose.
FORMS = {
    romp: ("ROMP", CAM, BETAS),
    romp_video: ("BEV", CAM, BETAS),
    phalp: ("PHALP", BETAS),
    hmr2_matrices: ("HMR2", BETAS),
    hmr2_rows: ("CameraHMR", BETAS),
    wham: ("wham", BETAS),
    gvhmr: ("GVHMR",),
    tram: ("tram", BETAS),
    prompthmr: ("PromptHMR",),
    smpler_x: ("SMPLest-X",),
    amass: ("AMASS", BETAS),
    amass_smplx: ("AMASS",),
    smplcodec: ("smplcodec", BETAS),
    own_array: (None, CAM, BETAS),
    own_names: (None, CAM, BETAS),
}
RECORDINGS = {amass, amass_smplx, smplcodec}


def read(folder, trackers=TRACKERS, frames=FRAMES, **options):
    found = read_raw_bodies(str(folder), str(folder / "none"), frames, True, Reading(trackers, **options))
    assert not found.unreadable
    return found


def rows_of(found, frames=FRAMES):
    return np.stack([found.candidates[frame][0].row for frame in frames])


@pytest.mark.parametrize("write", FORMS, ids=lambda write: write.__name__)
def test_one_walk_in_every_form(write, bodies, tmp_path):
    write(tmp_path, bodies)
    name, *known = FORMS[write]
    named = read(tmp_path, trackers_of("generic", name, {}))
    if write in RECORDINGS:
        with pytest.raises(UserError, match=f"not as a camera sees them.*walkers --motion.*--tracker {name}"):
            read(tmp_path)
        found = named
    else:
        found = read(tmp_path)
        np.testing.assert_array_equal(rows_of(named), rows_of(found))
        assert named.source == found.source
    expected = np.zeros_like(bodies)
    for numbers in (POSE, *known):
        expected[:, numbers] = bodies[:, numbers]
    rows = rows_of(found)
    np.testing.assert_allclose(
        rows[:, [*range(3), *range(75, 85)]], expected[:, [*range(3), *range(75, 85)]], atol=1e-6
    )
    joints = [load_body().joints(*(torch.from_numpy(a[:, p]).float() for p in (POSE, BETAS))) for a in (rows, expected)]
    assert (joints[0] - joints[1]).norm(dim=-1).max() < 1e-4  # m
    assert ("betas dropped" in found.source) == (BETAS not in known)


def test_betas_of_smplx_stay_with_a_body_of_smplx(bodies, tmp_path):
    gvhmr(tmp_path, bodies)
    np.testing.assert_allclose(rows_of(read(tmp_path, shape_space="SMPL-X"))[:, BETAS], bodies[:, BETAS], atol=1e-6)
    (tmp_path / "hmr4d_results.pt").unlink()
    wham(tmp_path, bodies)
    assert not rows_of(read(tmp_path, shape_space="SMPL-X"))[:, BETAS].any()


def test_joints_of_mhr(tmp_path):
    coordinates = np.random.default_rng(0).normal(size=(6, 127, 3))
    for number, joints in enumerate(coordinates, start=1):
        np.savez(tmp_path / f"{number:04d}.npz", pred_joint_coords=joints, pred_keypoints_3d=np.zeros((70, 3)))
    rows = rows_of(read(tmp_path))
    assert rows.shape == (6, 24, 3)
    np.testing.assert_allclose(rows[:, [1, 5, 20]], coordinates[:, [2, 19, 77]], rtol=1e-6)  # hip, knee, wrist


def test_a_misspelt_tracker():
    with pytest.raises(UserError, match="No tracker is called 'gvmhr'. Did you mean 'GVHMR'"):
        trackers_of("generic", "gvmhr", {})
    assert trackers_of("generic", "4dhumans", {})[0].name == "4D-Humans"
    with pytest.raises(UserError, match="leave it out, or --pose-key"):
        trackers_of("generic", "WHAM", {"pose": "pose", "betas": None})


def test_a_file_of_another_tracker_is_refused(bodies, tmp_path):
    wham(tmp_path, bodies)
    with pytest.raises(UserError, match="wham_output.pkl: no body_pose in smpl_params_incam among its keys: 3"):
        read(tmp_path, trackers_of("generic", "GVHMR", {}))


@pytest.mark.parametrize("key", ["pose_world", "smpl_params_global", "smplx_world"])
def test_the_world_is_not_the_camera(key, bodies, tmp_path):
    inner = {"global_orient": bodies[:, 3:6], "body_pose": bodies[:, 6:69], "betas": bodies[:, BETAS]}
    content = {
        "pose_world": {0: {"pose_world": bodies[:, POSE], "betas": bodies[:, BETAS], "frame_ids": np.arange(6)}},
        "smpl_params_global": {"smpl_params_global": inner},
        "smplx_world": {"people": {1: {"frames": np.arange(6), "smplx_world": {"rotmat": matrices(bodies)}}}},
    }[key]
    (tmp_path / "results.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match="no tracker's keys in the camera's frame among its keys"):
        read(tmp_path)


@pytest.mark.parametrize("nobody", [None, {}, [], {"smpl_thetas": np.zeros((0, 72)), "smpl_betas": np.zeros((0, 10))}])
def test_a_frame_with_nobody(nobody, bodies, tmp_path):
    romp(tmp_path, bodies)
    np.savez(tmp_path / "0003.npz", results=nobody)
    assert read(tmp_path).candidates.keys() == {*FRAMES} - {FRAMES[2]}


def test_video_results_beside_files_of_frames_are_left_alone_and_named(bodies, tmp_path):
    romp(tmp_path, bodies)
    romp_video(tmp_path, bodies + 1)
    found = read(tmp_path)
    np.testing.assert_allclose(rows_of(found), bodies, atol=1e-6)
    assert found.unread == ["video_results.npz"]


def test_files_of_several_people(bodies, tmp_path):
    for person in range(2):  # TRAM: a file for each track
        tram(tmp_path, bodies + person)
        (tmp_path / "hps_track_0.npy").rename(tmp_path / f"track_{person}.npy")
    found = read(tmp_path)
    assert [one.person for one in found.candidates[FRAMES[2]]] == ["track_0.npy", "track_1.npy"]
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    smpler_x(tmp_path, bodies)  # a file for each of a frame, in whichever order
    shutil.copy(tmp_path / "00003_0.npz", tmp_path / "00003_1.npz")
    found = read(tmp_path)
    assert [one.person for one in found.candidates[FRAMES[2]]] == [None, None]
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    people = {"smpl_thetas": bodies[:2, POSE], "smpl_betas": bodies[:2, BETAS], "track_ids": np.array([7, 5])}
    np.savez(tmp_path / "0003.npz", results=people)
    assert [one.person for one in read(tmp_path).candidates[FRAMES[2]]] == ["7", "5"]


@pytest.mark.parametrize(
    ("numbers", "first"), [(range(6), None), (range(1, 7), None), ([1, 2, 5, 6], None), ([11, 12, 15], 10), ([3, 5], 1)]
)
def test_frames_counted_from_0_meet_the_pictures_numbers(numbers, first, bodies, tmp_path):
    wham(tmp_path, bodies)
    frames = [frame_key(f"img_{number:03d}") for number in numbers]
    start = numbers[0] if first is None else first
    rows = rows_of(read(tmp_path, frames=frames, first_frame=first), frames)
    np.testing.assert_allclose(rows[:, POSE], bodies[[number - start for number in numbers], POSE], atol=1e-6)


def test_where_the_first_frame_is_not_known_it_is_asked_for(bodies, tmp_path):
    wham(tmp_path, bodies)
    with pytest.raises(UserError, match="silhouettes are called like 5 and 7. Give --first-frame"):
        read(tmp_path, frames=[frame_key(str(number)) for number in (5, 6, 7)])


def test_one_frame_that_is_not_finite(bodies, tmp_path):
    hmr2_matrices(tmp_path, bodies)
    content = dict(np.load(tmp_path / "hmr2.npz"))
    content["body_pose"][3, 5] = np.nan
    np.savez(tmp_path / "hmr2.npz", **content)
    found = read_raw_bodies(str(tmp_path), "", FRAMES, True, Reading(TRACKERS))
    assert len(found.candidates) == 5 and FRAMES[3] not in found.candidates
    [message] = found.unreadable
    assert "hmr2.npz, frame 4: 3 of its numbers are not finite" in message


def test_the_documentation_names_every_tracker():
    table = (Path(__file__).parents[2] / "docs/data.md").read_text(encoding="utf-8")
    for tracker in TRACKERS:
        [line] = [line for line in table.splitlines() if line.startswith(f"| `{tracker.name}` |")]
        keys = tracker.keys
        for name in (
            *tracker.aliases,
            keys.root,
            *tracker.frames[:1],
            *(keys.pose or keys.joints)[:1],
            *keys.betas[:1],
        ):
            assert f"`{name}`" in line or not name or tracker.name in ("SMPL", "HMR2")


NUMBERS = st.sampled_from(
    [(72,), (6, 72), (1, 24, 3), (6, 23, 3, 3), (6, 3), (3, 3), (10,), (2, 10), (), (0,), (6,), (127, 3)]
)
ARRAYS = st.builds(
    lambda shape, value: np.full(shape, value), NUMBERS, st.sampled_from([0.1, 1, np.nan, np.inf, "x", None])
)
NAMES = sorted(
    {
        name
        for t in TRACKERS
        for name in (*t.keys.pose, *t.keys.betas, *t.keys.cam, *t.keys.joints, t.keys.root, *t.frames)
    }
    | {
        "frames",
        "tid",
        "track_ids",
        "smpl",
        "people",
        "smplx_cam",
        "smpl_params_incam",
        "results",
        "0001.png",
        "a2.jpg",
        "",
    }
)
CONTENT = st.recursive(
    ARRAYS | st.none() | st.integers() | st.text(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.integers(0, 2), inner, max_size=5)
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(content=CONTENT, name=st.sampled_from(["all.pkl", "0001.pkl", "0001_2.pkl"]))
def test_whatever_a_file_holds_it_is_bodies_or_a_refusal(content, name, tmp_path_factory):
    folder = tmp_path_factory.mktemp("any")
    (folder / name).write_bytes(pickle.dumps(content))
    try:
        found = read_raw_bodies(str(folder), "", FRAMES, True, Reading(TRACKERS))
    except UserError as error:
        assert str(folder) in str(error)
        return
    for candidate in (one for several in found.candidates.values() for one in several):
        assert candidate.row.shape == found.shape and candidate.row.dtype == np.float32
        assert np.isfinite(candidate.row).all()
