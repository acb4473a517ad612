"""The markers command, with a body of few vertices."""

import pickle
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.sparse

from opengait_meshgait.body.archetypes import farthest_point_markers
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.markers import load_markers, pose_body
from opengait_meshgait.body.pose_samples import sample_poses
from opengait_meshgait.cli.main import main
from opengait_meshgait.prepare import markers as marker_actions


@pytest.fixture(scope="module")
def body_file(tmp_path_factory) -> Path:
    """Some 90 vertices of the stand-in body, under faces without meaning."""
    body = load_body()
    mirror = body.mirror.numpy()
    kept = np.unique(np.concatenate([np.arange(0, len(mirror), 37), mirror[np.arange(0, len(mirror), 37)]]))
    place = {int(vertex): number for number, vertex in enumerate(kept)}
    arrays = {key: getattr(body, key).numpy()[kept] for key in ("v_template", "shapedirs", "weights")}
    near = np.linalg.norm(arrays["v_template"] - body.joint_template.numpy()[:, None], axis=2)
    path = tmp_path_factory.mktemp("with space") / "few.npz"
    np.savez(
        path,
        **arrays,
        J_regressor=np.eye(len(kept))[near.argmin(1)],
        kintree_table=np.array([[0, *body.parents[1:]], range(24)]),
        f=np.arange(3 * (len(kept) // 3)).reshape(-1, 3),
        mirror=np.array([place[int(vertex)] for vertex in mirror[kept]]),
    )
    return path


@pytest.fixture
def few_poses(monkeypatch):
    monkeypatch.setattr(marker_actions, "LEARNED_POSES", 120)
    monkeypatch.setattr(marker_actions, "HELD_OUT_POSES", 40)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """Ten people who walk, in a prepared folder."""
    root = tmp_path_factory.mktemp("dataset")
    pose, betas = sample_poses(400, seed=7)
    frames = np.concatenate([np.ones((200, 3), np.float32), pose[:200], betas[:200]], 1).reshape(10, 20, 85)
    for number, sequence in enumerate(frames):
        path = root / f"{number:04}" / "nm-01" / "090" / "1-smpls.pkl"
        path.parent.mkdir(parents=True)
        sequence.dump(path)
    return root


def rows(printed: str) -> list[list[str]]:
    """The body of the Markdown table."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in printed.splitlines() if "|" in line][2:]


@pytest.mark.parametrize("count", [16, 17, 40])
def test_learn_writes_markers_that_fit_the_body(body_file, few_poses, tmp_path, capsys, count):
    out = tmp_path / "new" / "markers.npz"
    assert main(["markers", "learn", "--body", str(body_file), "--k", str(count), "--out", str(out)]) == 0
    markers = load_markers(out, load_body(body_file))
    assert (markers.num_markers, markers.name) == (count, f"few-{count}")
    printed = capsys.readouterr().out
    assert markers.fingerprint in printed
    table = rows(printed)
    assert [row[:2] for row in table] == [
        ["walking", "learned"],
        ["walking", "farthest-point"],
        ["any pose", "learned"],
        ["any pose", "farthest-point"],
    ]
    assert float(table[0][2]) < float(table[1][2]) and float(table[2][2]) < float(table[3][2])


def test_learn_from_a_dataset(body_file, dataset, few_poses, tmp_path, capsys):
    outs = tmp_path / "theirs.npz", tmp_path / "ours.npz"
    for out, poses in zip(outs, (["--poses", str(dataset)], [])):
        command = ["markers", "learn", "--body", str(body_file), "--k", "16", "--out", str(out), *poses]
        assert main(command) == 0
    printed = capsys.readouterr().out
    assert "from 120 poses" in printed
    assert [row[0] for row in rows(printed)[:2]] == ["people held out"] * 2
    theirs, ours = map(load_markers, outs)
    assert theirs.fingerprint != ours.fingerprint


def test_vertices_without_a_counterpart_become_no_markers(body_file, few_poses, tmp_path, capsys):
    """As in a mesh whose two sides are not alike."""
    arrays = dict(np.load(body_file))
    asymmetric, out = tmp_path / "asymmetric.npz", tmp_path / "markers.npz"
    left = np.flatnonzero(arrays["v_template"][:, 0] > 0.02)
    for share, code in ((3, 0), (1, 1)):
        alone = np.concatenate([left[::share], arrays["mirror"][left[::share]]])
        mirror = arrays["mirror"].copy()
        mirror[alone] = alone
        np.savez(asymmetric, **(arrays | {"mirror": mirror}))
        command = ["markers", "learn", "--body", str(asymmetric), "--k", "24", "--out", str(out)]
        assert main(command) == code
        if code == 0:
            assert not set(load_markers(out).vertex_ids.tolist()) & set(alone.tolist())
            assert float(rows(capsys.readouterr().out)[0][2]) < 40
    assert f"of {len(mirror)} may become markers" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["15", "97", "-64", "6.4", "many"])
def test_numbers_of_markers_out_of_range(capsys, count):
    with pytest.raises(SystemExit) as caught:
        main(["markers", "learn", "--out", "x.npz", f"--k={count}"])
    assert caught.value.code == 2
    assert f"'{count}' is not a number of markers from 16 to 96" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["markers"], ["markers", "learn"], ["markers", "forget"]])
def test_wrong_usage(capsys, command):
    with pytest.raises(SystemExit) as caught:
        main(command)
    assert caught.value.code == 2
    assert re.search("required|invalid choice", capsys.readouterr().err)


def test_bad_places_for_the_file_are_told_before_the_work(body_file, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(marker_actions, "learn_markers", None)
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "file").touch()
    for out, message in {
        "folder.npz": "is a folder",
        "markers.pkl": "should end in .npz",
        "file/markers.npz": "Cannot make the folder",
    }.items():
        assert main(["markers", "learn", "--body", str(body_file), "--out", str(tmp_path / out)]) == 1
        assert message in capsys.readouterr().err


def test_show_draws_the_markers_of_the_stand_in_and_of_others(body_file, few_poses, tmp_path, capsys):
    out = tmp_path / "new" / "shown.png"
    assert main(["markers", "show", "--out", str(out)]) == 0
    picture = cv2.imread(str(out))
    assert min(picture.shape[:2]) > 800 and picture.std() > 10
    assert "64 virtual markers of anny-standin" in capsys.readouterr().out
    markers = tmp_path / "markers.npz"
    assert main(["markers", "learn", "--body", str(body_file), "--k", "16", "--out", str(markers)]) == 0
    command = ["markers", "show", "--body", str(body_file), "--markers", str(markers), "--out", str(out)]
    assert main(command) == 0
    assert "16 virtual markers of few" in capsys.readouterr().out


def test_show_refuses_markers_of_another_body(body_file, tmp_path, capsys):
    out = tmp_path / "shown.png"
    assert main(["markers", "show", "--body", str(body_file), "--out", str(out)]) == 1
    assert "meshgait markers learn" in capsys.readouterr().err
    assert not out.exists()


def test_import_converts_published_markers(body_file, tmp_path, capsys):
    body = load_body(body_file)
    vertices = len(body.v_template)
    head = np.arange(0, vertices, 9)
    covered = np.setdiff1d(np.arange(vertices), head)
    meshes, _ = pose_body(body, *sample_poses(60, seed=3))
    alone = np.arange(len(covered))  # counterparts may lie in the head: none, for the sake of the test
    learned = farthest_point_markers(meshes[:, covered], alone, 32)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    scipy.sparse.save_npz(theirs / "vm_A_sym.npz", scipy.sparse.csc_matrix(learned["interpolation"].T.astype(float)))
    choice = np.eye(len(covered))[:, learned["vertex_ids"]]
    scipy.sparse.save_npz(theirs / "vm_B_sym.npz", scipy.sparse.csc_matrix(choice))
    np.savez(theirs / "vm_info.npz", vm_flip_pairs=np.array([[0, 1]]), vm_K=32)

    out = tmp_path / "markers.npz"
    command = ["markers", "import", "--from", str(theirs), "--body", str(body_file), "--out", str(out)]
    assert main(command) == 1
    assert f"No smpl_indices.pkl at {theirs / 'smpl_indices.pkl'}" in capsys.readouterr().err
    assert not out.exists()
    (theirs / "smpl_indices.pkl").write_bytes(pickle.dumps({"head": head}))
    assert main(command) == 0
    markers = load_markers(out, body)
    np.testing.assert_allclose(markers.interpolation[covered], learned["interpolation"], atol=1e-6)
    table = rows(capsys.readouterr().out)
    assert [row[1] for row in table] == [f"{len(covered)} covered", f"{len(head)} others"] * 2
    (tmp_path / "indices.pkl").write_bytes(pickle.dumps({"head": head[1:]}))
    assert main([*command, "--indices", str(tmp_path / "indices.pkl")]) == 1
    assert f"The markers cover {len(covered)} vertices" in capsys.readouterr().err
