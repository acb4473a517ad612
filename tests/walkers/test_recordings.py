import json
import shlex

import numpy as np
import pytest

from opengait_meshgait.body.layout import BETAS
from opengait_meshgait.cli.main import main
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_pickle
from opengait_meshgait.data import FrameSampling, GaitDataset
from opengait_meshgait.walkers import WalkerSet, write_walkers
from opengait_meshgait.walkers.options import make_partition
from opengait_meshgait.walkers.person import Person, WalkName
from opengait_meshgait.walkers.recordings import RecordedSet
from opengait_meshgait.walkers.sequence import film_walk


@pytest.fixture
def files(tmp_path, clip, write_npz, write_bvh):
    """Two walks of Zoe (one of 9 frames), one of A B, as they were recorded."""
    folder = tmp_path / "recorded walks"
    folder.mkdir()
    short = clip | {key: clip[key][:9] for key in ("local_rot", "root")}
    del clip["subject"], short["subject"]
    return [
        write_bvh(folder / "Zoe_b.bvh", short),
        write_npz(folder / "Zoe_a.npz", clip),
        write_npz(folder / "x.npz", clip | {"subject": np.array("A B")}),
    ]


def test_the_dataset_says_who_is_who(tmp_path, files, body, overlap):
    out = tmp_path / "set"
    options = RecordedSet.of_files(files, frames=12, views=(0, 90), train=1)
    record = write_walkers(options, out, workers=1)
    assert record == json.loads((out / "dataset.json").read_text())
    keys = ("person", "file", "id", "type", "frames")
    assert [tuple(entry[key] for key in keys) for entry in record["options"]["recordings"]] == [
        ("A B", "x.npz", "0001", "nm-01", 40),
        ("Zoe", "Zoe_a.npz", "0002", "nm-01", 40),
        ("Zoe", "Zoe_b.bvh", "0002", "nm-02", 9),
    ]
    assert record["counts"] == {"ids": 2, "walks": 3, "sequences": 6, "frames": 2 * (12 + 12 + 9)}
    assert json.loads((out / "partition.json").read_text()) == {
        "TRAIN_SET": ["0001"],
        "TEST_SET": ["0002"],
        "PROBE_SET": ["0002-nm-02-000", "0002-nm-02-090"],
    }
    for walk, frames in (("0001/nm-01", 12), ("0002/nm-01", 12), ("0002/nm-02", 9)):
        for view in ("000", "090"):
            silhouettes, smpls = (read_pickle(out / walk / view / name) for name in ("0-sils.pkl", "1-smpls.pkl"))
            assert silhouettes.shape == (frames, 64, 64) and smpls.shape == (frames, 85)
            np.testing.assert_allclose(smpls[0, BETAS], Person.draw(0, int(walk[:4])).betas, rtol=1e-6)
            assert overlap(silhouettes, smpls).min() > 0.75
    sampling = FrameSampling("all_ordered")
    data_cfg = {"dataset_root": str(out), "dataset_partition": str(out / "partition.json"), "data_in_use": [True, True]}
    assert len(GaitDataset(data_cfg, "test", with_bodies=True, frames=sampling)) == 4


def test_a_second_run_goes_on_and_other_recordings_are_refused(tmp_path, files, clip, write_npz):
    out = tmp_path / "set"
    options = RecordedSet.of_files(files, frames=3, views=(90,), train=1)
    write_walkers(options, out, workers=1)
    path = out / "0002" / "nm-02" / "090" / "0-sils.pkl"
    before, kept = path.read_bytes(), out / "0001" / "nm-01" / "090" / "0-sils.pkl"
    stamp = kept.stat().st_mtime_ns
    path.unlink()
    write_walkers(options, out, workers=1)
    assert path.read_bytes() == before and kept.stat().st_mtime_ns == stamp
    more = [*files, write_npz(files[0].with_name("y.npz"), clip | {"subject": np.array("A B")})]
    with pytest.raises(UserError, match="recording 0002/nm-01 Zoe_a.npz, and now recording 0002/nm-01 is y.npz"):
        write_walkers(RecordedSet.of_files(more, frames=3, views=(90,), train=1), out, workers=1)
    write_npz(files[1], clip | {"fps": np.float64(30)})
    with pytest.raises(UserError, match="Zoe_a.npz, whose content has changed"):
        write_walkers(RecordedSet.of_files(files, frames=3, views=(90,), train=1), out, workers=1)


@pytest.mark.parametrize("raw", ["gait3d", "oumvlp"])
def test_raw_layouts_take_recordings_too(tmp_path, files, raw):
    options = RecordedSet.of_files(files, frames=10, views=(90,))
    write_walkers(options, tmp_path / "raw", workers=1, raw=raw)
    assert len(list((tmp_path / "raw").rglob("*.png"))) == 10 + 10 + 9


def test_the_command(tmp_path, files, capsys):
    motion = shlex.join(map(str, files))
    command = f"walkers --motion {motion} --frames 2 --views 90,0 --workers 1 --train 0 --out {tmp_path / 'set'}"
    assert main(shlex.split(command)) == 0
    output = capsys.readouterr().out
    assert "2 people in 3 recordings:\n  A B: x.npz\n  Zoe: Zoe_a.npz, Zoe_b.bvh\n" in output
    assert "2 people, 6 sequences, 12 frames" in output
    assert "1 have one walk only (0001)" in output
    for option in ("--ids 3", "--seqs nm:2", "--variety 1"):
        assert main(shlex.split(f"walkers --motion {files[0]} {option} --out {tmp_path / 'other'}")) == 1
        assert f"{option.split()[0]} and --motion contradict" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_without_frames_recordings_are_taken_whole(files):
    options = RecordedSet.of_files(files)
    assert [options.length(walk) for walk in options.walks()] == [40, 40, 9]


def test_one_walk_twice_is_refused(tmp_path, files):
    with pytest.raises(UserError, match="Zoe_a.npz would both be the walk Zoe_a of Zoe"):
        RecordedSet.of_files([files[1], files[0], files[1]])


def test_a_wrong_file_is_reported_before_anything_is_written(tmp_path, files, capsys):
    files[0].write_text(files[0].read_text().rsplit(" ", 1)[0])
    assert main(shlex.split(f"walkers --motion {shlex.join(map(str, files))} --out {tmp_path / 'set'}")) == 1
    output = capsys.readouterr().err
    assert "Zoe_b.bvh, line" in output and "values, where 75 are expected" in output
    assert not (tmp_path / "set").exists()


def test_with_one_body_only_gait_differs(body):
    people = [Person.draw(3, number, same_body=True) for number in (1, 2, 5)]
    assert all(np.array_equal(person.betas, people[0].betas) for person in people)
    assert len({repr(person.wardrobe) for person in people}) == 1
    assert [repr(person.style) for person in people] == [repr(Person.draw(3, number).style) for number in (1, 2, 5)]
    own = film_walk(body, WalkName(2, "nm", 1), WalkerSet(views=(90,), frames=2, seed=3))[90][1]
    shared = film_walk(body, WalkName(2, "nm", 1), WalkerSet(views=(90,), frames=2, seed=3, same_body=True))[90][1]
    assert not np.array_equal(own[:, BETAS], shared[:, BETAS])
    np.testing.assert_allclose(shared[0, BETAS], people[0].betas, rtol=1e-6)


def test_the_last_walk_of_each_is_the_probe(files):
    options = RecordedSet.of_files(files, views=(0, 90), train=0)
    assert make_partition(options)["PROBE_SET"] == ["0001-nm-01-090", "0002-nm-02-000", "0002-nm-02-090"]
    assert make_partition(WalkerSet(ids=1, views=(0,), seqs={"nm": 2, "bg": 1}, train=0))["PROBE_SET"] == [
        "0001-nm-02-000",
        "0001-bg-01-000",
    ]
