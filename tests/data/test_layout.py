"""Names decide which file is what, and a folder that cannot be used is known before the training."""

import json
import logging
import shutil

import numpy as np
import pytest

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.layout import find_sequences, holds_joints, read_partition


def touch(root, *names, sequence="0001/nm-01/000"):
    folder = root / sequence
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b".")


@pytest.mark.parametrize(
    ("names", "sils", "bodies", "weights"),
    [
        (["0-sils.pkl", "1-smpls.pkl"], "0-sils.pkl", "1-smpls.pkl", None),
        (["sils-seq0.pkl", "smpls-seq0.pkl"], "sils-seq0.pkl", "smpls-seq0.pkl", None),  # Gait3D's two files merged
        (
            ["0-SMPL.pkl", "1-Silhouettes.pkl"],
            "1-Silhouettes.pkl",
            "0-SMPL.pkl",
            None,
        ),  # the order of names is no matter
        (["seq0.pkl", "smpls-seq0.pkl"], "seq0.pkl", "smpls-seq0.pkl", None),
        (["0-depth.pkl", "1-sils.pkl", "2-smpls.pkl", "a.txt", ".0-sils.pkl.7.tmp"], "1-sils.pkl", "2-smpls.pkl", None),
        (["0-sils.pkl", "1-joints.pkl"], "0-sils.pkl", "1-joints.pkl", None),
        (["0-sils.pkl", "1-joints.pkl", "2-smpls.pkl"], "0-sils.pkl", "2-smpls.pkl", None),  # parameters tell more
        (["0-sils.pkl", "1-smpls.pkl", "2-weights.pkl"], "0-sils.pkl", "1-smpls.pkl", "2-weights.pkl"),
        (["000.pkl", "1-Joints.pkl", "smpl-weights.pkl"], "000.pkl", "1-Joints.pkl", "smpl-weights.pkl"),
    ],
)
def test_names_tell_silhouettes_bodies_and_weights(tmp_path, names, sils, bodies, weights):
    touch(tmp_path, *names)
    (found,) = find_sequences(tmp_path, ["0001"], with_bodies=True)
    folder = tmp_path / "0001" / "nm-01" / "000"
    wanted = (str(folder / sils), str(folder / bodies), None if weights is None else str(folder / weights))
    assert (found.sils_path, found.bodies_path, found.weights_path) == wanted
    assert holds_joints(found.bodies_path) == ("oints" in bodies)
    (alone,) = find_sequences(tmp_path, ["0001"], with_bodies=False)
    assert (alone.sils_path, alone.bodies_path, alone.weights_path) == (wanted[0], None, None)
    assert (found.label, found.type, found.view, found.name) == ("0001", "nm-01", "000", "0001-nm-01-000")


def test_a_lone_pickle_is_silhouettes_and_bodies_are_not_looked_for_in_vain(tmp_path):
    touch(tmp_path, "000.pkl")
    touch(tmp_path, "sils.pkl", "smpls-a.pkl", "smpls-b.pkl", sequence="0001/nm-01/090")
    lone, two = find_sequences(tmp_path, ["0001"], with_bodies=False)
    assert lone.sils_path.endswith("000.pkl")
    assert lone.bodies_path is None and two.bodies_path is None


def test_order_is_the_partitions_then_sorted_and_stray_files_are_passed_over(tmp_path):
    for sequence in ("0002/nm/000", "0001/nm/090", "0001/nm/018", "0001/bg/000"):
        touch(tmp_path, "sils.pkl", sequence=sequence)
    (tmp_path / "partition.json").write_text("{}")
    (tmp_path / "0001" / "nm" / "Thumbs.db").write_text("")
    (tmp_path / "0001" / ".cache").mkdir()
    names = [info.name for info in find_sequences(tmp_path, ["0002", "0001"], with_bodies=False)]
    assert names == ["0002-nm-000", "0001-bg-000", "0001-nm-018", "0001-nm-090"]


def test_links_are_followed(tmp_path):
    touch(tmp_path / "store", "sils.pkl")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "0001").symlink_to(tmp_path / "store" / "0001")
    assert len(find_sequences(tmp_path / "root", ["0001"], with_bodies=False)) == 1


def test_data_in_use_masks_files_by_place_as_in_opengait(tmp_path):
    touch(tmp_path, "0-sils-aligned.pkl", "1-sils-raw.pkl", "2-smpls.pkl")
    with pytest.raises(UserError, match="several pickles may be the silhouettes"):
        find_sequences(tmp_path, ["0001"], with_bodies=True)
    (found,) = find_sequences(tmp_path, ["0001"], with_bodies=True, data_in_use=[False, True, True])
    assert found.sils_path.endswith("1-sils-raw.pkl")
    with pytest.raises(UserError, match=r"no bodies (.|\n)*\[True, False, False\] leaves out files"):
        find_sequences(tmp_path, ["0001"], with_bodies=True, data_in_use=[True, False, False])
    with pytest.raises(UserError, match=r"must be a list of true and false.*found \[0, 1\]"):
        find_sequences(tmp_path, ["0001"], with_bodies=True, data_in_use=[0, 1])


def test_names_decide_where_data_in_use_was_made_for_other_folders(tmp_path):
    touch(tmp_path, "0-pose.pkl", "1-sils.pkl", "2-smpls.pkl")
    (found,) = find_sequences(tmp_path, ["0001"], with_bodies=True, data_in_use=[True, True])
    assert found.sils_path.endswith("1-sils.pkl") and found.bodies_path.endswith("2-smpls.pkl")


@pytest.mark.parametrize(
    ("names", "with_bodies", "message"),
    [
        ([], False, r"0001/nm-01/000: no silhouettes \(\*sil\*.pkl\) among \[\]"),
        (["0-smpls.pkl"], True, r"no silhouettes \(\*sil\*.pkl\) among \[0-smpls.pkl\]"),
        (["a.pkl", "b.pkl"], False, r"no silhouettes \(\*sil\*.pkl\) among \[a.pkl, b.pkl\]"),
        (["0-sils.pkl"], True, r"no bodies \(\*smpl\*.pkl, or \*joint\*.pkl for joints alone\) among \[0-sils.pkl\]"),
        (["1-weights.pkl", "2-joints.pkl"], False, r"no silhouettes \(\*sil\*.pkl\) among"),
        (["1-weights.pkl", "0-sils.pkl"], True, r"no bodies"),
        (["sils.pkl", "joints-a.pkl", "joints-b.pkl"], True, r"may be the bodies \(joints-a.pkl, joints-b.pkl\)"),
        (
            ["sils.pkl", "smpl.pkl", "weight.pkl", "weights.pkl"],
            True,
            r"may be the weights \(weight.pkl, weights.pkl\)",
        ),
        (["sils-a.pkl", "sils-b.pkl"], False, r"several pickles may be the silhouettes \(sils-a.pkl, sils-b.pkl\)"),
        (["sils.pkl", "smpl.pkl", "smplx.pkl"], True, r"several pickles may be the bodies \(smpl.pkl, smplx.pkl\)"),
    ],
)
def test_unusable_folders_are_named(tmp_path, names, with_bodies, message):
    touch(tmp_path, *names)
    touch(tmp_path, "sils.pkl", "smpls.pkl", sequence="0001/nm-01/090")
    with pytest.raises(UserError, match=message) as error:
        find_sequences(tmp_path, ["0001"], with_bodies)
    assert str(error.value).startswith(f"1 of 2 sequences in {tmp_path} are unusable:")


def test_empty_files_and_dead_links_are_found_without_reading(tmp_path):
    touch(tmp_path, "0-sils.pkl", "1-smpls.pkl")
    touch(tmp_path, "0-sils.pkl", "1-smpls.pkl", sequence="0001/nm-01/090")
    (tmp_path / "0001" / "nm-01" / "000" / "0-sils.pkl").write_bytes(b"")
    link = tmp_path / "0001" / "nm-01" / "090" / "1-smpls.pkl"
    link.unlink()
    link.symlink_to(tmp_path / "gone.pkl")
    with pytest.raises(UserError, match="2 of 2 sequences") as error:
        find_sequences(tmp_path, ["0001"], with_bodies=True)
    assert "000: 0-sils.pkl is empty (0 bytes)" in str(error.value)
    assert "090: 1-smpls.pkl cannot be read (No such file or directory)" in str(error.value)
    with pytest.raises(UserError, match="1 of 2 sequences"):
        find_sequences(tmp_path, ["0001"], with_bodies=False)


def test_parameters_and_joints_do_not_mix(tmp_path):
    touch(tmp_path, "0-sils.pkl", "1-smpls.pkl")
    touch(tmp_path, "0-sils.pkl", "1-joints.pkl", sequence="0001/nm-01/090")
    with pytest.raises(UserError, match=r"0001-nm-01-000 has 1-smpls.pkl and 0001-nm-01-090 has 1-joints.pkl.*one way"):
        find_sequences(tmp_path, ["0001"], with_bodies=True)
    assert len(find_sequences(tmp_path, ["0001"], with_bodies=False)) == 2


def test_many_unusable_folders_make_a_short_message(tmp_path):
    for i in range(40):
        touch(tmp_path, sequence=f"0001/nm-01/{i:03d}")
    with pytest.raises(UserError, match="40 of 40 sequences") as error:
        find_sequences(tmp_path, ["0001"], with_bodies=False)
    assert "and 35 more" in str(error.value)
    assert str(error.value).count("\n") == 7


def test_absent_people_are_one_warning(tmp_path, caplog):
    touch(tmp_path, "sils.pkl")
    (tmp_path / "0002").mkdir()
    with caplog.at_level(logging.WARNING):
        found = find_sequences(tmp_path, ["0001", "0002", "0003"], with_bodies=False)
    assert len(found) == 1
    (record,) = caplog.records
    assert "2 of the partition's 3 ids have no sequence" in record.message
    assert "'0002', '0003'" in record.message


def test_a_foreign_partition_shows_both_sides(tmp_path):
    touch(tmp_path, "sils.pkl", sequence="00001/00/000")
    with pytest.raises(UserError, match=r"None of the partition's 2 ids.*\['0001', '0002'\].*has \['00001'\]"):
        find_sequences(tmp_path, ["0001", "0002"], with_bodies=False)


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(UserError, match="dataset_root .*nowhere is not a folder"):
        find_sequences(tmp_path / "nowhere", ["0001"], with_bodies=False)


def test_partition_splits(data_cfg):
    assert read_partition(data_cfg["dataset_partition"], "train") == [f"{i:04d}" for i in range(1, 6)]
    assert read_partition(data_cfg["dataset_partition"], "val") == ["0006"]
    assert read_partition(data_cfg["dataset_partition"], "test") == ["0007", "0008"]
    with pytest.raises(ValueError, match="split must be one of"):
        read_partition(data_cfg["dataset_partition"], "training")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "Cannot read"),
        ("{", "not valid JSON"),
        ([], "must be a JSON object"),
        ({"TEST_SET": ["1"]}, "has no 'TRAIN_SET'.*TEST_SET"),
        ({"TRAIN_SET": []}, r"must be a list of ids.*found \[\]"),
        ({"TRAIN_SET": [1, 2]}, r"each a string.*found \[1, 2\]"),
        ({"TRAIN_SET": {"a": 1}}, "must be a list of ids"),
    ],
)
def test_bad_partitions(tmp_path, content, message):
    path = tmp_path / "partition.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UserError, match=message):
        read_partition(path, "train")


def test_a_dataset_without_bodies_names_its_first_sequences(data_cfg, tmp_path):
    for path in (tmp_path / "walkers" / "0001").rglob("1-smpls.pkl"):
        path.unlink()
    shutil.rmtree(tmp_path / "walkers" / "0005" / "nm-02" / "090")
    with pytest.raises(UserError, match="4 of 19 sequences.*\n  0001/nm-01/000: no bodies"):
        find_sequences(data_cfg["dataset_root"], [f"{i:04d}" for i in np.arange(1, 6)], with_bodies=True)
