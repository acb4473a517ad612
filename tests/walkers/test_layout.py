import hashlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
import torch

from opengait_meshgait.body.layout import BETAS, POSE
from opengait_meshgait.cli.main import main
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_pickle
from opengait_meshgait.common.npz import read_npz_objects
from opengait_meshgait.common.pictures import normalize_silhouette
from opengait_meshgait.walkers import WalkerSet, write_walkers
from opengait_meshgait.walkers.layout import Gait3DLayout, OUMVLPLayout
from opengait_meshgait.walkers.person import WalkName
from opengait_meshgait.walkers.world import WORLDS

DAMAGED = WORLDS["studio"].damaged(0.6)
OPTIONS = WalkerSet(
    ids=3, views=(0, 90), seqs={"bg": 1, "nm": 2}, frames=4, world=WORLDS["studio"].damaged(0.6), train=1, val=1
)
TYPES = ("bg-01", "nm-01", "nm-02")
FRAMES = ("0001", "0002", "0003", "0004")
SEQUENCES = [(label, kind, view) for label in ("0001", "0002", "0003") for kind in TYPES for view in ("000", "090")]
RAW = ("gait3d", "oumvlp")


def digest(folder):
    """Name and hash of every file, but of dataset.json, which holds the command."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "dataset.json"
    }


def place(raw, label, kind, view):
    """Folders of silhouettes and bodies, as users of the datasets know them."""
    if raw == "gait3d":
        return f"2D_Silhouettes/{label}/{kind}/{view}", f"3D_SMPLs/{label}/{kind}/{view}"
    number = f"{TYPES.index(kind):02d}"
    return f"Silhouette_{view}-{number}/{label}", f"OUMVLP-Mesh/{label}/{view}_{number}"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The same walkers in all layouts."""
    root = tmp_path_factory.mktemp("walkers")
    for raw in (None, *RAW):
        write_walkers(OPTIONS, root / (raw or "opengait"), workers=1, raw=raw)
    return root


@pytest.mark.parametrize(("raw", "ending"), [("gait3d", "npz"), ("oumvlp", "json")])
def test_the_layout_is_that_of_the_raw_dataset(written, raw, ending):
    expected = {"partition.json"}
    for sequence in SEQUENCES:
        sils, bodies = place(raw, *sequence)
        expected |= {f"{sils}/{frame}.png" for frame in FRAMES} | {f"{bodies}/{frame}.{ending}" for frame in FRAMES}
    assert set(digest(written / raw)) == expected
    assert not (written / raw / ".unfinished").exists()


@pytest.mark.parametrize("raw", RAW)
def test_normalised_pictures_are_the_silhouettes_to_train_with(written, raw):
    for label, kind, view in SEQUENCES:
        folder = written / raw / place(raw, label, kind, view)[0]
        pictures = [cv2.imread(str(folder / f"{frame}.png"), cv2.IMREAD_UNCHANGED) for frame in FRAMES]
        for picture in pictures:
            assert picture.dtype == np.uint8 and picture.shape == (180, 180)
            assert set(np.unique(picture)) == {0, 255}
        expected = read_pickle(written / "opengait" / label / kind / view / "0-sils.pkl")
        np.testing.assert_array_equal(np.stack([normalize_silhouette(picture) for picture in pictures]), expected)


def test_romp_files_hold_the_85_numbers(written):
    for label, kind, view in SEQUENCES:
        smpls = read_pickle(written / "opengait" / label / kind / view / "1-smpls.pkl")
        for frame, row in zip(FRAMES, smpls):
            file = written / "gait3d" / place("gait3d", label, kind, view)[1] / f"{frame}.npz"
            result = np.load(file, allow_pickle=True)["results"][()][0]
            assert {key: value.dtype for key, value in result.items()} == dict.fromkeys(
                ("cam", "poses", "betas"), np.float32
            )
            np.testing.assert_array_equal(np.concatenate([result[key] for key in ("cam", "poses", "betas")]), row)


def test_romp_files_ask_for_numpy_only(written):
    [result] = read_npz_objects(written / "gait3d/3D_SMPLs/0001/nm-01/000/0001.npz")["results"]
    assert result["poses"].shape == (72,)


def test_mesh_files_hold_joints_and_numbers(written, body):
    for label, kind, view in SEQUENCES:
        smpls = read_pickle(written / "opengait" / label / kind / view / "1-smpls.pkl")
        numbers = torch.from_numpy(smpls)
        joints = body.joints(numbers[:, POSE], numbers[:, BETAS]).numpy()
        folder = written / "oumvlp" / place("oumvlp", label, kind, view)[1]
        frames = [json.loads((folder / f"{frame}.json").read_text()) for frame in FRAMES]
        for frame, row, expected in zip(frames, smpls, joints):
            assert sorted(frame) == ["cam", "hc3d", "pose", "shape"]
            np.testing.assert_array_equal(np.float32(frame["cam"] + frame["pose"] + frame["shape"]), row)
            np.testing.assert_allclose(np.array(frame["hc3d"]), expected - expected[0], atol=1e-6)
            assert frame["hc3d"][0] == [0, 0, 0]
            assert frame["hc3d"][15][1] < -0.3 < 0.5 < frame["hc3d"][7][1], "y points down, from the head to the feet"


@pytest.mark.parametrize(("raw", "types"), [("gait3d", TYPES), ("oumvlp", ("00", "01", "02"))])
def test_the_partition_names_prepared_sequences(written, raw, types):
    partition = json.loads((written / raw / "partition.json").read_text())
    assert (partition["TRAIN_SET"], partition["VAL_SET"], partition["TEST_SET"]) == (["0001"], ["0002"], ["0003"])
    assert partition["PROBE_SET"] == [f"0003-{types[2]}-{view}" for view in ("000", "090")]


def test_dataset_json_tells_the_layout(written):
    records = {raw: json.loads((written / raw / "dataset.json").read_text()) for raw in ("opengait", *RAW)}
    for raw, record in records.items():
        assert record["layout"] == raw and record["complete"]
        assert record["counts"] == records["opengait"]["counts"] and record["options"] == records["opengait"]["options"]
    assert records["oumvlp"]["walks"] == {"00": "bg-01", "01": "nm-01", "02": "nm-02"}
    assert "hc3d" in " ".join(records["oumvlp"]["files"].values())


@pytest.mark.parametrize(("layout", "kind"), [(Gait3DLayout(), ".npz"), (OUMVLPLayout(OPTIONS), ".json")])
def test_black_pictures_are_written(layout, kind, body):
    smpls = np.zeros((2, 85), np.float32)
    bodies, pictures = layout.contents(body, np.zeros((2, 180, 180), np.uint8), smpls)
    assert len(bodies) == len(pictures) == 2
    for picture in pictures:
        assert not cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_UNCHANGED).any()
    folders = layout.folders(WalkName(1, "nm", 1), 0, 2)
    assert list(folders.values()) == [[f"0001{kind}", f"0002{kind}"], ["0001.png", "0002.png"]]


def test_long_walks_still_sort():
    for names in Gait3DLayout().folders(WalkName(1, "nm", 1), 0, 12000).values():
        assert names == sorted(names) and len(names) == 12000


def test_layouts_travel_to_worker_processes():
    walk = WalkName(1, "nm", 2)
    for layout in (Gait3DLayout(), OUMVLPLayout(OPTIONS)):
        assert pickle.loads(pickle.dumps(layout)).folders(walk, 90, 4) == layout.folders(walk, 90, 4)


@pytest.mark.parametrize("raw", RAW)
def test_half_a_sequence_is_written_again(written, tmp_path, raw):
    out = tmp_path / "set"
    shutil.copytree(written / raw, out)
    sils, bodies = zip(*(place(raw, *sequence) for sequence in SEQUENCES))
    shutil.rmtree(out / sils[0])
    shutil.rmtree(out / bodies[3])
    (out / sils[5] / "0002.png").unlink()
    next((out / bodies[8]).iterdir()).unlink()
    (out / ".unfinished" / "0001-bg-01-000").mkdir(parents=True)
    kept = out / sils[-1] / "0001.png"
    before = kept.stat().st_mtime_ns
    write_walkers(OPTIONS, out, workers=1, raw=raw)
    assert digest(out) == digest(written / raw)
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("raw", RAW)
def test_silhouettes_never_come_without_bodies(tmp_path, raw, monkeypatch):
    """The only order of renaming that a stop between the two folders may leave behind."""
    options = WalkerSet(ids=1, views=(0,), seqs={"nm": 1}, frames=2)
    path = type(tmp_path)
    rename, renamed = path.replace, []

    def stop_after_one(self, target):
        if self.is_dir():
            if renamed:
                raise KeyboardInterrupt
            renamed.append(target.relative_to(tmp_path / "set").parts[0])
        return rename(self, target)

    monkeypatch.setattr(path, "replace", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        write_walkers(options, tmp_path / "set", workers=1, raw=raw)
    assert renamed in (["3D_SMPLs"], ["OUMVLP-Mesh"])
    monkeypatch.undo()
    write_walkers(options, tmp_path / "set", workers=1, raw=raw)
    write_walkers(options, tmp_path / "whole", workers=1, raw=raw)
    assert digest(tmp_path / "set") == digest(tmp_path / "whole")


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path):
    options = ["--raw", "gait3d", "--ids", "8", "--views", "0,90", "--seqs", "nm:2", "--frames", "4", "--workers", "1"]
    command = [sys.executable, "-m", "opengait_meshgait", "walkers", "--out", str(tmp_path / "killed"), *options]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list(tmp_path.glob("killed/2D_Silhouettes/*"))) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert json.loads((tmp_path / "killed" / "dataset.json").read_text())["complete"] is False
    for name in ("killed", "whole"):
        assert main(["walkers", "--out", str(tmp_path / name), *options]) == 0
    assert digest(tmp_path / "killed") == digest(tmp_path / "whole")


@pytest.mark.parametrize(
    ("raw", "message"), [("oumvlp", "layout gait3d, and now layout is oumvlp"), (None, "opengait")]
)
def test_another_layout_is_refused(written, raw, message):
    with pytest.raises(UserError, match=message):
        write_walkers(OPTIONS, written / "gait3d", workers=1, raw=raw)


def test_an_unknown_layout_is_refused(tmp_path):
    with pytest.raises(UserError, match="Did you mean 'gait3d'"):
        write_walkers(OPTIONS, tmp_path / "set", raw="gait3")
    assert not (tmp_path / "set").exists()


def test_oumvlp_numbers_the_walks_of_all_people():
    class Uneven(WalkerSet):
        def walks(self):
            return [WalkName(1, "nm", 1), WalkName(2, "cl", 1), WalkName(2, "nm", 1)]

    assert OUMVLPLayout(Uneven(ids=2)).notes() == {"walks": {"00": "nm-01", "01": "cl-01"}}


def test_oumvlp_numbers_a_hundred_walks(tmp_path):
    OUMVLPLayout(WalkerSet(ids=1, seqs={"nm": 99, "bg": 1}))
    with pytest.raises(UserError, match="101 different walks"):
        write_walkers(WalkerSet(ids=1, seqs={"nm": 99, "bg": 2}), tmp_path / "set", raw="oumvlp")
