"""From raw folders to training data, whole datasets at a time."""

import filecmp
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from opengait_meshgait.body.layout import BETAS, POSE
from opengait_meshgait.cli.main import main
from opengait_meshgait.common.pictures import normalize_silhouette
from opengait_meshgait.prepare.layouts import LAYOUTS

FRAMES = 6
SCRIPTS = Path(__file__).parents[2] / "datasets" / "pretreatment"
SEQUENCES = [(label, "nm-01", view) for label in ("0001", "0002") for view in ("000", "090")]


def load(path):
    return pickle.loads(path.read_bytes())


def same(left, right):
    """Whether two folders hold the same files with the same bytes."""
    files = [sorted(str(p.relative_to(f)) for p in f.rglob("*") if p.is_file()) for f in (left, right)]
    assert files[0] == files[1]
    return filecmp.cmpfiles(left, right, files[0], shallow=False)[1:] == ([], [])


def test_gait3d_becomes_training_data(gait3d, walk, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["prepare", "gait3d", "--root", str(gait3d), "--out", str(out), "--workers", "1"]) == 0
    pictures, smpls = walk
    for names in SEQUENCES:
        folder = out.joinpath(*names)
        assert sorted(p.name for p in folder.iterdir()) == ["0-sils.pkl", "1-smpls.pkl", "2-weights.pkl"]
        np.testing.assert_array_equal(load(folder / "0-sils.pkl"), [normalize_silhouette(p) for p in pictures])
        np.testing.assert_array_equal(load(folder / "1-smpls.pkl"), smpls)
        assert load(folder / "2-weights.pkl").min() > 0.8  # the pictures are of these very bodies
    record = json.loads((out / "prepare.json").read_text())
    assert record["complete"] and record["frames"]["kept"] == FRAMES * len(SEQUENCES) == record["bodies"]["bodies"]
    assert record["iou"]["median"] > 0.8
    assert cv2.imread(str(out / "worst.png")) is not None
    assert "4 of 4 sequences prepared" in capsys.readouterr().out


def test_what_loads_slowly_is_not_loaded(gait3d, tmp_path):
    """Sympy by PyTorch, or Matplotlib: each takes as long as preparing hundreds of frames."""
    command = ["prepare", "gait3d", "--root", str(gait3d), "--out", str(tmp_path / "out"), "--workers", "1"]
    code = f"import sys; from opengait_meshgait.cli.main import main; assert main({command}) == 0; " + (
        "sys.exit(', '.join({'sympy', 'matplotlib'} & {*sys.modules}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_without_bodies_frames_of_zeros_say_so(gait3d, tmp_path):
    out = tmp_path / "out"
    more = ["--bodies", "none", "--workers", "1"]
    assert main(["prepare", "gait3d", "--root", str(gait3d), "--out", str(out), *more]) == 0
    for names in SEQUENCES:
        folder = out.joinpath(*names)
        assert sorted(p.name for p in folder.iterdir()) == ["0-sils.pkl", "1-smpls.pkl"]
        frames = load(folder / "1-smpls.pkl")
        assert frames.shape == (FRAMES, 85) and frames.dtype == np.float32 and not frames.any()
    assert json.loads((out / "prepare.json").read_text())["bodies"]["without_body"] == FRAMES * len(SEQUENCES)


def test_frames_are_joined_by_name(gait3d, walk, write_pictures, tmp_path):
    pictures, smpls = walk
    first = gait3d / "2D_Silhouettes/0001/nm-01/000"
    (first / "0002.png").unlink()  # no silhouette: its body goes too
    write_pictures(tmp_path / "black", [np.zeros_like(pictures[0])])
    shutil.copy(tmp_path / "black/0001.png", first / "0004.png")  # OpenGait drops it, and so its body
    (gait3d / "3D_SMPLs/0001/nm-01/000/0005.npz").unlink()  # no body: the silhouette stays
    assert main(["prepare", "gait3d", "--root", str(gait3d), "--out", str(tmp_path / "out"), "--workers", "1"]) == 0
    folder = tmp_path / "out/0001/nm-01/000"
    kept = [0, 2, 4, 5]
    np.testing.assert_array_equal(load(folder / "0-sils.pkl"), [normalize_silhouette(pictures[f]) for f in kept])
    expected = smpls[kept]
    expected[2] = 0
    np.testing.assert_array_equal(load(folder / "1-smpls.pkl"), expected)
    np.testing.assert_array_equal(load(folder / "2-weights.pkl") > 0, [True, True, False, True])
    lines = (tmp_path / "out/sequences.jsonl").read_text().splitlines()
    account = json.loads(lines[0])
    assert account["sequence"] == "0001/nm-01/000"
    assert (account["frames"], account["kept"], account["too_little"]) == (5, 4, 1)
    assert (account["bodies"], account["without_body"], account["without_silhouette"]) == (5, 1, 2)
    assert account["ious"][2] is None


def test_bodies_of_another_pose_get_no_weight(gait3d, save_romp, tmp_path, capsys):
    lying = np.zeros(72)
    lying[:3] = [np.pi / 2, 0, 0]  # seen from below: nothing like a person who stands
    for number in range(1, FRAMES + 1):
        path = gait3d / f"3D_SMPLs/0001/nm-01/000/{number:04d}.npz"
        save_romp(path, lying)
    assert main(["prepare", "gait3d", "--root", str(gait3d), "--out", str(tmp_path / "out"), "--workers", "1"]) == 0
    assert not load(tmp_path / "out/0001/nm-01/000/2-weights.pkl").any()
    assert "1 sequences whose bodies disagree with their silhouettes" in capsys.readouterr().out
    record = json.loads((tmp_path / "out/prepare.json").read_text())
    assert record["bodies"]["masked"] == FRAMES and list(record["disagreeing"]) == ["0001/nm-01/000"]


def test_specks_are_counted_and_can_be_left_out(gait3d, walk, write_pictures, tmp_path, capsys):
    specks = [np.pad(picture, ((0, 40), (0, 0))) for picture in walk[0]]
    for picture in specks[1:]:
        picture[-3:, :3] = 255
    write_pictures(gait3d / "2D_Silhouettes/0001/nm-01/000", specks)
    command = ["prepare", "gait3d", "--root", str(gait3d), "--silhouettes-only", "--workers", "1", "--out"]
    for option, same_as_alone in (([], False), (["--largest"], True)):
        out = tmp_path / str(same_as_alone)
        assert main([*command, str(out), *option]) == 0
        assert f"{FRAMES - 1} frames hold several parts" in capsys.readouterr().out
        alone = np.array([normalize_silhouette(picture) for picture in walk[0]])
        assert (load(out / "0001/nm-01/000/0-sils.pkl") == alone).all() == same_as_alone
        np.testing.assert_array_equal(load(out / "0001/nm-01/090/0-sils.pkl"), alone)


def test_any_number_of_workers_gives_the_same_bytes(gait3d, tmp_path):
    for workers in ("1", "2"):
        out = ["--out", str(tmp_path / workers), "--workers", workers]
        assert main(["prepare", "gait3d", "--root", str(gait3d), "--silhouettes-only", *out]) == 0
    assert same(tmp_path / "1", tmp_path / "2")


def test_a_second_run_does_nothing_again(gait3d, tmp_path):
    command = ["prepare", "gait3d", "--root", str(gait3d), "--out", str(tmp_path / "out"), "--silhouettes-only"]
    assert main([*command, "--workers", "1"]) == 0
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.pkl")}
    shutil.rmtree(tmp_path / "out/0002/nm-01/090")
    (tmp_path / "out/sequences.jsonl").open("a").write('{"sequence": "torn')
    assert main([*command, "--workers", "1"]) == 0
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.pkl")}
    assert before.keys() == after.keys()
    changed = [p for p in before if before[p] != after[p]]
    assert changed == [tmp_path / "out/0002/nm-01/090/0-sils.pkl"]


def written(out):
    """How many sequences are done."""
    journal = out / "sequences.jsonl"
    return len(journal.read_text().splitlines()) if journal.exists() else 0


def test_killed_and_run_again_equals_an_uninterrupted_run(walk, write_pictures, tmp_path):
    pictures, _ = walk
    for number in range(150):
        write_pictures(tmp_path / "raw" / f"{number:03d}" / "00" / "000", np.concatenate([pictures] * 3))
    command = [sys.executable, "-m", "opengait_meshgait", "prepare", "generic", "--root", str(tmp_path / "raw")]
    command += ["--workers", "2"]
    assert subprocess.run([*command, "--out", str(tmp_path / "whole")], capture_output=True).returncode == 0
    out, kills = tmp_path / "killed", 0
    for _ in range(3):
        before = written(out)
        process = subprocess.Popen(
            [*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        while process.poll() is None and written(out) < before + 10:
            time.sleep(0.002)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills, "the run was over before it could be killed: give it more to do"
    assert 0 < written(out) < 150
    assert subprocess.run([*command, "--out", str(out)], capture_output=True).returncode == 0
    assert same(tmp_path / "whole", tmp_path / "killed")


def test_unicode_and_spaces_in_paths(walk, write_pictures, tmp_path):
    pictures, smpls = walk
    root = tmp_path / "Gang länge 步态"
    write_pictures(root / "Zoë 1" / "mit Tasche" / "90 °", pictures)
    np.savez(root / "Zoë 1" / "mit Tasche" / "90 °" / "body smpl.npz", poses=smpls[:, POSE], betas=smpls[0, BETAS])
    out = tmp_path / "aus gabe é"
    assert main(["prepare", "generic", "--root", str(root), "--out", str(out), "--workers", "1"]) == 0
    np.testing.assert_array_equal(load(out / "Zoë 1/mit Tasche/90 °/1-smpls.pkl")[:, 3:], smpls[:, 3:])


@pytest.mark.parametrize("dataset", ["gait3d", "generic"])
def test_scripts_run_by_path(dataset, tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPTS / f"{dataset}.py", "--root", "nowhere", "--out", "out"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("meshgait prepare: No ") and "nowhere" in done.stderr


def test_every_dataset_has_its_script():
    scripts = {path.stem: path.read_text() for path in SCRIPTS.glob("*.py")}
    assert scripts.keys() == LAYOUTS.keys()
    for name, script in scripts.items():
        assert script.partition('"""\n')[2] == scripts["gait3d"].partition('"""\n')[2].replace("gait3d", name)
        assert f"`meshgait prepare {name}`" in script and f"pretreatment/{name}.py --root" in script
