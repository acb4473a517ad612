"""Every bad input has its own message, exit code 1, no traceback, and leaves nothing half-written."""

import json
import os
import pickle
import resource
import shutil

import cv2
import numpy as np
import pytest

from opengait_meshgait.body.layout import BETAS, POSE
from opengait_meshgait.cli.main import main

PICTURE = "2D_Silhouettes/0001/nm-01/000/0003.png"
BODY = "3D_SMPLs/0001/nm-01/000/0003.npz"
BAD = "0001/nm-01/000"


class Harm:
    """Pickles to a call that leaves a trace."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.fixture
def fails(tmp_path, capsys):
    """Run ``meshgait prepare``; it must fail, name the bad sequence, and leave whole folders only."""

    def run(dataset, root, *more, prepared=None):
        out = tmp_path / "out"
        assert main(["prepare", dataset, "--root", str(root), "--out", str(out), "--workers", "1", *more]) == 1
        captured = capsys.readouterr()
        leftovers = [p for p in out.rglob("*") if p.name.startswith(".")] if out.is_dir() else []
        assert not leftovers
        if prepared is not None:
            assert BAD in captured.out and not (out / BAD).exists()
            assert len(list(out.glob("*/*/*"))) == prepared
            assert not json.loads((out / "prepare.json").read_text())["complete"]
        return captured.out + captured.err

    return run


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def darken(root, write_pictures):
    write_pictures(root / "2D_Silhouettes" / BAD, np.zeros((6, 40, 40), np.uint8))


def change(root, write_pictures, function):
    folder = (root / PICTURE).parent
    write_pictures(folder, [function(cv2.imread(str(path), 0)) for path in sorted(folder.iterdir())])


def break_link(path):
    path.unlink()
    path.symlink_to("nowhere")


PICTURES = {
    "truncated": (lambda root, _: truncate(root / PICTURE), "is damaged or truncated"),
    "empty file": (lambda root, _: (root / PICTURE).write_bytes(b""), "is empty (0 bytes)"),
    "no picture": (lambda root, _: (root / PICTURE).write_text("hello"), "no picture"),
    "unreadable": (lambda root, _: break_link(root / PICTURE), "Cannot read"),
    "a folder": (lambda root, _: ((root / PICTURE).unlink(), (root / PICTURE).mkdir()), "Cannot read"),
    "a frame twice": (lambda root, _: shutil.copy(root / PICTURE, root / PICTURE.replace("0003", "3")), "same frame"),
    "no frames": (lambda root, _: [p.unlink() for p in (root / PICTURE).parent.iterdir()], "holds no silhouettes"),
    "all black": (darken, "6 hardly show anybody"),
    "black on white": (lambda root, write: change(root, write, np.invert), "invert black people on white"),
    "other kinds too": (lambda root, _: (root / PICTURE).with_name("0007.jpg").touch(), "would be left out"),
}


@pytest.mark.parametrize("inside", ["", "new", "0001/new"])
def test_output_among_generic_sequences(inside, walk, write_pictures, tmp_path, capsys):
    root = tmp_path / "raw"
    write_pictures(root / BAD, walk[0])
    before = sorted(root.rglob("*"))
    assert main(["prepare", "generic", "--root", str(root), "--out", str(root / inside)]) == 1
    assert f"lies in the root {root}, where every folder is a raw sequence" in capsys.readouterr().err
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize("case", PICTURES)
def test_pictures(case, gait3d, write_pictures, fails):
    harm, message = PICTURES[case]
    harm(gait3d, write_pictures)
    assert message in fails("gait3d", gait3d, "--silhouettes-only", prepared=3)


def rename(folder):
    for path in sorted(folder.iterdir()):
        path.rename(path.with_name(f"frame_{path.name}"))


BODIES = {
    "no results": (lambda path, _: np.savez(path, nothing=np.zeros(3)), "no poses or pose or smpl_thetas or thetas"),
    "truncated": (lambda path, _: truncate(path), "is not an npz archive, or is truncated"),
    "empty file": (lambda path, _: path.write_bytes(b""), "is not an npz archive"),
    "unreadable": (lambda path, _: break_link(path), "Cannot read"),
    "NaN": (lambda path, save: save(path, [np.nan] * 72), "72 of its numbers are not finite"),
    "71 numbers": (lambda path, save: save(path, [0.1] * 71), "poses has 71 numbers, as [71]; expected 72"),
    "few betas": (lambda path, save: save(path, [0.1] * 72, [0.0] * 9), "betas has 9 numbers; expected 10"),
    "odd camera": (lambda path, save: save(path, [0.1] * 72, cam=[1.0, 0.0]), "cam has 2 numbers"),
    "no camera": (
        lambda path, _: np.savez(path, results=np.array([{"poses": np.ones(72), "betas": np.ones(10)}], object)),
        "no camera (cam or camera) among its keys: poses, betas",
    ),
    "no numbers": (lambda path, save: save(path, ["x"] * 72), "could not convert"),
    "a body twice": (lambda path, _: shutil.copy(path, path.with_name("3.npz")), "same frame"),
    "other names": (lambda path, _: rename(path.parent), "None of the 6 body files"),
}


@pytest.mark.parametrize("case", BODIES)
def test_bodies(case, gait3d, save_romp, fails):
    harm, message = BODIES[case]
    harm(gait3d / BODY, save_romp)
    output = fails("gait3d", gait3d, prepared=3)
    assert message in output


@pytest.mark.parametrize("form", ["npz", "pkl"])
def test_files_that_would_run_code(form, walk, write_pictures, fails, tmp_path):
    folder, trace = tmp_path / "raw" / BAD, tmp_path / "trace"
    write_pictures(folder, walk[0])
    if form == "npz":
        np.savez(folder / "0003.npz", results=np.array([Harm(trace)], object))
    else:
        (folder / "smpl.pkl").write_bytes(pickle.dumps(Harm(trace)))
    output = fails("generic", tmp_path / "raw", prepared=0)
    assert "it asks for posix.mkdir" in output and not trace.exists()


def test_bad_frames_can_be_dropped(gait3d, tmp_path, capsys):
    truncate(gait3d / PICTURE)
    truncate(gait3d / BODY.replace("0003", "0005"))
    command = ["prepare", "gait3d", "--root", str(gait3d), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert main(command) == 1
    capsys.readouterr()
    shutil.rmtree(tmp_path / "out")
    assert main([*command, "--drop-bad"]) == 0
    output = capsys.readouterr().out
    assert "1 frames dropped: they cannot be read" in output and "1 cannot be read" in output
    weights = pickle.loads((tmp_path / "out" / BAD / "2-weights.pkl").read_bytes())
    np.testing.assert_array_equal(weights > 0, [True, True, True, False, True])


def test_a_repaired_sequence_is_added(gait3d, tmp_path):
    whole = (gait3d / PICTURE).read_bytes()
    truncate(gait3d / PICTURE)
    command = ["prepare", "gait3d", "--root", str(gait3d), "--out", str(tmp_path / "out"), "--silhouettes-only"]
    assert main([*command, "--workers", "1"]) == 1
    (gait3d / PICTURE).write_bytes(whole)
    assert main([*command, "--workers", "1"]) == 0
    assert json.loads((tmp_path / "out/prepare.json").read_text())["complete"]


@pytest.mark.parametrize("alone", [["--silhouettes-only"], ["--bodies", "none"]])
@pytest.mark.parametrize(
    "of_bodies",
    [
        ["--pose-key", "p"],
        ["--joints-key", "j"],
        ["--tracker", "WHAM"],
        ["--first-frame", "3"],
        ["--y-up"],
        ["--body", "b"],
    ],
)
def test_options_of_bodies_with_none_to_read(alone, of_bodies, gait3d, fails):
    assert f"leaves bodies alone, and {of_bodies[0]} is of bodies" in fails("gait3d", gait3d, *alone, *of_bodies)


def lengths(folder, smpls):
    np.savez(folder / "smpl.npz", poses=smpls[:4, POSE], betas=smpls[0, BETAS])


def names_twice(folder, smpls):
    np.savez(folder / "smpl.npz", poses=smpls[:, POSE], betas=smpls[0, BETAS], frames=["0001", "0002"] * 3)


def two_kinds(folder, smpls):
    np.savez(folder / "0001.npz", poses=smpls[0, POSE], betas=smpls[0, BETAS])
    np.savez(folder / "0002.npz", joints=np.ones((24, 3)))


def rotations(folder, smpls):
    np.savez(folder / "smpl.npz", poses=np.zeros((6, 23, 3, 3)), betas=smpls[0, BETAS])


def odd_poses(folder, smpls):
    np.savez(folder / "smpl.npz", poses=np.zeros((72, 71)), betas=smpls[0, BETAS])  # 71 frames of 72, when read wrongly


GENERIC = {
    "71 numbers": (odd_poses, "poses has 5112 numbers, as [72, 71]"),
    "lengths": (lengths, "holds 4 bodies, and there are 6 silhouettes"),
    "names twice": (names_twice, "names 6 frames, 2 of them different"),
    "two kinds": (two_kinds, "joints alone"),
    "23 matrices": (rotations, "24 matrices"),
    "text": (lambda folder, _: (folder / "smpl.pkl").write_text("poses"), "may be truncated or of another kind"),
}


@pytest.mark.parametrize("case", GENERIC)
def test_generic_bodies(case, walk, write_pictures, fails, tmp_path):
    harm, message = GENERIC[case]
    write_pictures(tmp_path / "raw" / BAD, walk[0])
    harm(tmp_path / "raw" / BAD, walk[1])
    assert message in fails("generic", tmp_path / "raw", prepared=0)


def dump(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(array))


def test_pickles_of_another_size(fails, ellipses, tmp_path):
    dump(tmp_path / "raw" / BAD / "000.pkl", ellipses(4, 128))
    assert "expected 64 x 64" in fails("generic", tmp_path / "raw", prepared=0)


def test_merged_pickles_of_different_lengths(fails, ellipses, tmp_path):
    dump(tmp_path / "raw" / BAD / "sils-000.pkl", ellipses(4))
    dump(tmp_path / "raw" / BAD / "smpls-000.pkl", np.ones((5, 85), np.float32))
    assert "holds 5 bodies, and there are 4 silhouettes" in fails("generic", tmp_path / "raw", prepared=0)


OUMVLP = {
    "no JSON": ("{", (), "is not valid JSON"),
    "no joints": (json.dumps({"verts": [], "theta": []}), (), "no hc3d among its keys: verts, theta"),
    "23 joints": (json.dumps({"hc3d": np.ones((23, 3)).tolist()}), (), "hc3d has 69 numbers"),
    "no such pose": (
        json.dumps({"theta": np.ones(72).tolist(), "hc3d": np.ones((24, 3)).tolist()}),
        ("--pose-key", "pose", "--betas-key", "beta", "--joints-key", "j3d"),
        "no pose or j3d among its keys: theta, hc3d",
    ),
}


@pytest.mark.parametrize("case", OUMVLP)
def test_oumvlp(case, walk, write_pictures, fails, tmp_path):
    content, options, message = OUMVLP[case]
    write_pictures(tmp_path / "raw/Silhouette_000-00/0001", walk[0][:1])
    folder = tmp_path / "raw/OUMVLP-Mesh/0001/000_00"
    folder.mkdir(parents=True)
    (folder / "0001.json").write_text(content)
    assert message in fails("oumvlp", tmp_path / "raw", *options)


def test_oumvlp_upside_down(walk, write_pictures, fails, tmp_path):
    write_pictures(tmp_path / "raw/Silhouette_000-00/0001", walk[0][:1])
    folder = tmp_path / "raw/OUMVLP-Mesh/0001/000_00"
    folder.mkdir(parents=True)
    joints = np.zeros((24, 3))
    joints[15, 1] = 1.7  # the head, y up
    (folder / "0001.json").write_text(json.dumps({"hc3d": joints.tolist()}))
    assert "give --y-up" in fails("oumvlp", tmp_path / "raw")
    shutil.rmtree(tmp_path / "out")
    command = ["prepare", "oumvlp", "--root", str(tmp_path / "raw"), "--out", str(tmp_path / "out"), "--y-up"]
    assert main([*command, "--workers", "1"]) == 0
    np.testing.assert_allclose(pickle.loads((tmp_path / "out/0001/00/000/1-joints.pkl").read_bytes())[0, 15, 1], -1.7)


def test_folders_of_oumvlp_mesh_without_a_view(walk, write_pictures, fails, tmp_path):
    write_pictures(tmp_path / "raw/Silhouette_000-00/0001", walk[0][:1])
    (tmp_path / "raw/OUMVLP-Mesh/0001/front").mkdir(parents=True)
    assert "front: 1 folders of bodies have another name than the layout's, which is like 00001/090_00" in fails(
        "oumvlp", tmp_path / "raw"
    )


def test_no_root(fails, tmp_path):
    (tmp_path / "Gait3D").mkdir()
    assert "Gait is not a folder" in (output := fails("gait3d", tmp_path / "Gait")) and "holds: Gait3D" in output
    assert "is no folder either" in fails("gait3d", tmp_path / "Gait/raw")


def test_the_wrong_root(gait3d, fails):
    output = fails("gait3d", gait3d / "2D_Silhouettes")
    assert "0001, 0002" in output and f"The layout begins in {gait3d}: give that folder" in output


def test_no_bodies(gait3d, fails):
    shutil.rmtree(gait3d / "3D_SMPLs")
    assert "or take --silhouettes-only" in fails("gait3d", gait3d)


@pytest.mark.parametrize("dataset", ["gait3d", "oumvlp", "generic"])
def test_nothing_found(dataset, fails, tmp_path):
    (tmp_path / "raw/2D_Silhouettes").mkdir(parents=True)
    (tmp_path / "raw/readme.txt").touch()
    output = fails(dataset, tmp_path / "raw", *(["--silhouettes-only"] if dataset != "generic" else []))
    assert "No sequence found: looked for" in output and "2D_Silhouettes, readme.txt" in output


def test_out_is_a_file(gait3d, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["prepare", "gait3d", "--root", str(gait3d), "--out", str(tmp_path / "file")]) == 1
    assert "is a file" in capsys.readouterr().err


def test_out_holds_something_else(gait3d, fails, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").touch()
    assert "holds files but no prepare.json" in fails("gait3d", gait3d)


def test_out_was_prepared_otherwise(gait3d, fails, tmp_path):
    command = ["prepare", "gait3d", "--root", str(gait3d), "--out", str(tmp_path / "out"), "--silhouettes-only"]
    assert main([*command, "--workers", "1"]) == 0
    assert "made with size 64, and now size is 128" in fails("gait3d", gait3d, "--silhouettes-only", "--size", "128")


def test_out_cannot_be_written(gait3d, capsys):
    # Root may write everywhere but there.
    assert main(["prepare", "gait3d", "--root", str(gait3d), "--out", "/proc/meshgait"]) == 1
    assert "Cannot write to /proc/meshgait" in capsys.readouterr().err


def test_full_disk(gait3d, fails, tmp_path):
    # Writing beyond the limit fails as it does where no space is left.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, limits[1]))
    try:
        output = fails("gait3d", gait3d, "--silhouettes-only")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "Cannot write to" in output and "run again to resume" in output
    assert not list((tmp_path / "out").rglob("*.pkl"))
    command = ["prepare", "gait3d", "--root", str(gait3d), "--out", str(tmp_path / "out"), "--silhouettes-only"]
    assert main([*command, "--workers", "1"]) == 0


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--workers", "0", "give at least 1"),
        ("--size", "63", "an even number"),
        ("--size", "1000000", "an even number of pixels up to 1024"),
        ("--min-iou", "1.5", "between 0 and 1"),
        ("--pose-key", "theta", "give both --pose-key and --betas-key"),
        ("--body", "SMPL_NEUTRAL.pkl", "No body file at SMPL_NEUTRAL.pkl"),
    ],
)
def test_options(option, value, message, gait3d, capsys, tmp_path):
    dataset = "oumvlp" if option == "--pose-key" else "gait3d"
    command = ["prepare", dataset, "--root", str(gait3d), "--out", str(tmp_path / "out")]
    assert main([*command, option, value]) == 1
    assert message in capsys.readouterr().err
