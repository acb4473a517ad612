import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from opengait_meshgait.cli.main import main
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_pickle
from opengait_meshgait.data import FrameSampling, GaitDataset
from opengait_meshgait.walkers import WalkerSet, dataset, write_walkers
from opengait_meshgait.walkers.person import WalkName
from opengait_meshgait.walkers.world import WORLDS

STUDIO = WORLDS["studio"]
OPTIONS = WalkerSet(ids=3, views=(0, 90), seqs={"nm": 2, "bg": 1, "cl": 1}, frames=5, world=STUDIO.damaged(0.3))


def digest(folder):
    """Name and hash of every file, but of dataset.json, which holds the command."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "dataset.json"
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("walkers") / "set"
    return out, write_walkers(OPTIONS, out, workers=1, command="meshgait walkers …")


def test_the_layout_is_opengaits(written, render_walk):
    out, _ = written
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.pkl"))
    assert len(files) == 3 * 4 * 2 * 2
    assert files[:2] == ["0001/bg-01/000/0-sils.pkl", "0001/bg-01/000/1-smpls.pkl"]
    assert sorted(path.name for path in out.iterdir()) == ["0001", "0002", "0003", "dataset.json", "partition.json"]
    expected = render_walk(WalkName(2, "cl", 1), OPTIONS.views, 5, OPTIONS.seed, OPTIONS.world)[90]
    for name, array in zip(("0-sils.pkl", "1-smpls.pkl"), expected):
        read = read_pickle(out / "0002" / "cl-01" / "090" / name)
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array)


def test_the_reader_takes_it(written):
    out, _ = written
    data_cfg = {"dataset_root": str(out), "dataset_partition": str(out / "partition.json"), "data_in_use": [True, True]}
    sampling = FrameSampling("all_ordered")
    dataset = GaitDataset(data_cfg, "train", with_bodies=True, frames=sampling)
    assert dataset.label_set == ["0001", "0002"] and len(dataset) == 16
    sequence = dataset[(0, 0)]
    assert sequence.sils.shape == (5, 64, 64) and sequence.bodies.shape == (5, 85)


def test_dataset_json_says_how_it_was_made(written):
    out, record = written
    assert json.loads((out / "dataset.json").read_text()) == record
    assert record["complete"] and record["command"] == "meshgait walkers …"
    assert record["counts"] == {"ids": 3, "walks": 12, "sequences": 24, "frames": 120}
    assert record["options"]["seqs"] == {"nm": 2, "bg": 1, "cl": 1} and record["options"]["train"] == 2
    assert len(record["body"]["fingerprint"]) == 16
    assert record["options"]["world"]["distance"] == {"uniform": [9.0, 12.0]}
    assert record["options"]["world"]["damage"]["level"] == [0.3, 0.3]


def test_the_studio_is_what_walkers_were_before_there_were_worlds(tmp_path):
    """Figures of commit fc0d48e; other processors may differ in the last digits."""
    write_walkers(WalkerSet(ids=1, views=(54,), seqs={"nm": 1}, frames=2, seed=7), tmp_path / "set", workers=1)
    silhouettes, frames = (
        read_pickle(tmp_path / "set/0001/nm-01/054" / name) for name in ("0-sils.pkl", "1-smpls.pkl")
    )
    np.testing.assert_allclose(silhouettes.sum((1, 2), dtype=int), [174283, 169334], rtol=1e-3)
    expected = [
        [1.0435541868209839, 0.05467570945620537, -0.08923894166946411, -2.6124119758605957, -0.28882649540901184],
        [1.0410610437393188, 0.05299961566925049, -0.09073565155267715, -2.6268250942230225, -0.28882649540901184],
    ]
    np.testing.assert_allclose(frames[:, [0, 1, 2, 3, 84]], expected, rtol=1e-4)


def test_two_workers_write_the_same_bytes(written, tmp_path):
    write_walkers(OPTIONS, tmp_path / "set", workers=2)
    assert digest(tmp_path / "set") == digest(written[0])


@pytest.mark.parametrize(("workers", "frames", "expected"), [(None, 5, 1), (None, 11_000, 2), (2, 5, 2)])
def test_processes_start_where_there_is_work_for_them(workers, frames, expected, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(dataset, "run_jobs", lambda function, jobs, workers, start: asked.append(workers) or [])
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    write_walkers(WalkerSet(ids=1, views=(0,), seqs={"nm": 1}, frames=frames), tmp_path / "set", workers=workers)
    assert asked == [expected]


def test_another_seed_writes_other_bytes(written, tmp_path):
    options = WalkerSet(ids=1, views=(0,), seqs={"nm": 1}, frames=5, seed=1, world=OPTIONS.world)
    write_walkers(options, tmp_path / "set", workers=1)
    name = "0001/nm-01/000/0-sils.pkl"
    assert digest(tmp_path / "set")[name] != digest(written[0])[name]


def test_what_is_missing_is_written_and_nothing_else(written, tmp_path):
    out = tmp_path / "set"
    shutil.copytree(written[0], out)
    shutil.rmtree(out / "0001" / "nm-02")
    (out / "0002" / "cl-01" / "090" / "1-smpls.pkl").unlink()
    (out / ".unfinished" / "0003-nm-01-000").mkdir(parents=True)
    (out / ".unfinished" / "0003-nm-01-000" / "0-sils.pkl").write_bytes(b"half")
    kept = out / "0003" / "nm-01" / "000" / "0-sils.pkl"
    before = kept.stat().st_mtime_ns
    write_walkers(OPTIONS, out, workers=1)
    assert digest(out) == digest(written[0])
    assert kept.stat().st_mtime_ns == before


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path):
    options = ["--ids", "12", "--views", "0,90", "--seqs", "nm:2", "--frames", "4", "--workers", "1"]
    command = [sys.executable, "-m", "opengait_meshgait", "walkers", "--out", str(tmp_path / "killed"), *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    while process.poll() is None and len(list(tmp_path.glob("killed/00*"))) < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "partition.json").exists()
    assert json.loads((tmp_path / "killed" / "dataset.json").read_text())["complete"] is False
    for name in ("killed", "whole"):
        assert main(["walkers", "--out", str(tmp_path / name), *options]) == 0
    assert digest(tmp_path / "killed") == digest(tmp_path / "whole")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 5}, "made with seed 0, and now seed is 5"),
        ({"frames": 6}, "frames 5, and now frames is 6"),
        ({"world": STUDIO}, r"made with probability 1\.0, and now probability is 0\.0"),
        ({"world": WORLDS["street"]}, r"made with view_bin 0\.0, and now view_bin is 1\.0"),
        ({"views": (0, 180)}, r"views \[0, 90\]"),
        ({"train": 1}, "train 2, and now train is 1"),
    ],
)
def test_other_options_are_refused(written, change, message):
    with pytest.raises(UserError, match=message):
        write_walkers(WalkerSet(**{**vars(OPTIONS), **change}), written[0], workers=1)


def test_out_is_a_file(tmp_path):
    (tmp_path / "set").write_text("")
    with pytest.raises(UserError, match="is a file"):
        write_walkers(OPTIONS, tmp_path / "set")


def test_out_is_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write to"):
        write_walkers(OPTIONS, tmp_path / "file" / "set")


def test_out_holds_something_else(tmp_path):
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(UserError, match="holds files but no dataset.json"):
        write_walkers(OPTIONS, tmp_path)


def test_out_has_a_broken_record(tmp_path):
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        write_walkers(OPTIONS, tmp_path)


def test_out_has_another_record(tmp_path):
    (tmp_path / "dataset.json").write_text('{"name": "mine"}')
    with pytest.raises(UserError, match="already holds"):
        write_walkers(OPTIONS, tmp_path)


def test_no_workers(tmp_path):
    with pytest.raises(UserError, match="workers is 0"):
        write_walkers(OPTIONS, tmp_path / "set", workers=0)


def test_the_command_reports_mistakes_without_a_traceback(tmp_path, capsys):
    assert main(["walkers", "--out", str(tmp_path / "set"), "--seqs", "xx:4"]) == 1
    assert "unknown condition 'xx'" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()
