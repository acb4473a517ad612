"""Partitions and configs beside prepared data."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opengait_meshgait.cli.main import main
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_json
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.prepare.layouts import LAYOUTS
from opengait_meshgait.prepare.ready import TrainingPlan, write_ready
from opengait_meshgait.prepare.sequence import Preparation


def sequences(people):
    return [f"{person}/nm-{number:02d}/{view}" for person in people for number in (1, 2) for view in ("000", "090")]


def write(tmp_path, people, dataset="casiab", with_bodies=False, **plan):
    said = write_ready(TrainingPlan(**plan), Preparation(dataset, Path()), tmp_path, sequences(people), with_bodies)
    (path,) = tmp_path.glob("*.yaml")
    return read_json(tmp_path / "partition.json"), load_config(path), said


@pytest.mark.parametrize("with_bodies", [False, True])
@pytest.mark.parametrize("dataset", LAYOUTS)
def test_every_dataset_has_a_config_that_is_filled_in(dataset, with_bodies, tmp_path):
    people = [f"{number:05d}train" for number in range(1, 6)]
    partition, config, said = write(tmp_path, [*people, "00001", "probe"], dataset, with_bodies, train=3)
    data = config.data_cfg
    assert (data.dataset_root, data.dataset_partition) == (str(tmp_path), str(tmp_path / "partition.json"))
    assert config.model_cfg.SeparateBNNecks.class_num == config.trainer_cfg.sampler.batch_size[0] == 3
    assert (config.model_cfg.heatmap_cfg is not None) == with_bodies == (data.data_in_use == [True, True])
    assert len(partition["TRAIN_SET"]) == 3
    assert ("PROBE_SET" in partition) == (config.evaluator_cfg.eval_func == "evaluate_Gait3D")
    doctor, train = said.splitlines()[-2:]
    assert doctor == f"  meshgait doctor --cfgs {tmp_path}/{config.trainer_cfg.save_name}.yaml"
    assert train == doctor.replace("doctor", "train")


def test_batches_grow_no_larger_than_the_configs(tmp_path):
    _, config, _ = write(tmp_path, [f"{number:03d}" for number in range(1, 125)], train=74)
    assert config.trainer_cfg.sampler.batch_size == [8, 16] and config.model_cfg.SeparateBNNecks.class_num == 74


@pytest.mark.parametrize(
    ("dataset", "title", "train"), [("casiab", "CASIA-B", 74), ("casiae", "CASIA-E", 200), ("ccpg", "CCPG", 100)]
)
def test_the_first_people_are_those_of_opengait(dataset, title, train, tmp_path):
    if not (root := os.environ.get("OPENGAIT_ROOT")):
        pytest.skip("set OPENGAIT_ROOT to an OpenGait checkout to compare with its partitions")
    theirs = json.loads(Path(root, "datasets", title, f"{title}.json").read_text())
    people = theirs["TRAIN_SET"] + theirs["TEST_SET"]
    assert write(tmp_path, people, dataset, train=train)[0] == theirs


def test_numbers_count_as_numbers(tmp_path):
    partition, *_ = write(tmp_path, ["1000", "999", "1", "20"], "casiae", train=3)
    assert partition == {"TRAIN_SET": ["1", "20", "999"], "TEST_SET": ["1000"]}


def test_grew_says_itself_who_is_trained_on(tmp_path):
    partition, *_ = write(tmp_path, ["00001train", "00002train", "00003train", "00001", "probe"], "grew", train=2)
    assert partition == {"TRAIN_SET": ["00001train", "00002train"], "TEST_SET": ["00001", "probe"]}


@settings(max_examples=15)
@given(st.integers(3, 60), st.floats(0, 1, exclude_min=True, exclude_max=True), st.booleans())
def test_everyone_is_trained_on_or_tested(tmp_path_factory, number, share, by_number):
    people = [f"{n}" for n in range(number)]
    folder = tmp_path_factory.mktemp("ready")
    train = round(share * number) if by_number else share
    if not 2 <= round(share * number) < number:
        with pytest.raises(UserError, match=f"of {number} people: expected 2 to {number - 1}"):
            write(folder, people, train=train)
        assert not list(folder.iterdir())
        return
    partition, *_ = write(folder, people, train=train)
    assert sorted(partition["TRAIN_SET"] + partition["TEST_SET"]) == sorted(people)
    assert len(partition["TRAIN_SET"]) == round(share * number)


def test_probes_are_the_first_of_everyone_who_has_others(tmp_path):
    names = ["1/a/0", "2/a/0", "3/b/0", "3/a/10", "3/a/9", "4/a/0"]
    write_ready(TrainingPlan(train=2), Preparation("generic", Path()), tmp_path, names, False)
    assert read_json(tmp_path / "partition.json")["PROBE_SET"] == ["3-a-9"]
    with pytest.raises(UserError, match="None of the 1 people to test with has two sequences"):
        write_ready(TrainingPlan(train=3), Preparation("generic", Path()), tmp_path, names, False)


def test_a_partition_is_cut_to_those_who_are_there(tmp_path):
    file = tmp_path / "theirs.json"
    file.write_text(
        json.dumps(
            {
                "TRAIN_SET": ["1", "2", "9"],
                "VAL_SET": ["3"],
                "TEST_SET": ["4", "5", "8", "7"],
                "PROBE_SET": ["4-nm-01-000", "8-nm-01-000"],
            }
        )
    )
    partition, config, said = write(tmp_path / "out", ["1", "2", "3", "4", "5"], "gait3d", partition=file)
    assert partition == {
        "TRAIN_SET": ["1", "2"], "VAL_SET": ["3"], "TEST_SET": ["4", "5"], "PROBE_SET": ["4-nm-01-000"],
    }  # fmt: skip
    assert config.model_cfg.SeparateBNNecks.class_num == 2
    assert "1 of TRAIN_SET" in said and "2 of TEST_SET" in said and "1 of PROBE_SET" in said and "VAL_SET" not in said


BAD = {
    "no people": ({"TRAIN_SET": ["1"]}, "should have lists of ids, TRAIN_SET and TEST_SET"),
    "a list": (["1"], "should have lists of ids, TRAIN_SET and TEST_SET"),
    "numbers": ({"TRAIN_SET": [1], "TEST_SET": ["2"]}, "TRAIN_SET in .* should be a list of names, each in quotes"),
    "text": ({"TRAIN_SET": ["1"], "TEST_SET": "2"}, "TEST_SET in .* should be a list of names, each in quotes"),
    "others": (
        {"TRAIN_SET": ["007"], "TEST_SET": ["2"]},
        "None of the 1 ids of TRAIN_SET in .*, such as 007, is among the 3 prepared",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_partitions(case, tmp_path):
    content, message = BAD[case]
    (tmp_path / "bad.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        write(tmp_path, ["1", "2", "3"], partition=tmp_path / "bad.json")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.json"]


def test_ones_own_config_over_a_shipped_one(tmp_path):
    (tmp_path / "small.yaml").write_text(
        "trainer_cfg: {save_name: mine, total_iter: 3}\ndata_cfg: {test_dataset_name: OUMVLP}\n"
    )
    people, out = [f"{number}" for number in range(6)], tmp_path / "out"
    _, config, _ = write(out, people, train=0.5, config=["walkers_gaitset_silhouette", str(tmp_path / "small.yaml")])
    assert config.model_cfg.backbone_cfg["type"] == "GaitSet"
    assert (config.trainer_cfg.save_name, config.trainer_cfg.total_iter) == ("mine", 3)
    # The dataset's own in place of the walkers', the user's in place of the dataset's.
    assert (config.data_cfg.dataset_name, config.data_cfg.test_dataset_name) == ("CASIA-B", "OUMVLP")


def test_a_config_that_learns_from_bodies_needs_some(tmp_path):
    with pytest.raises(UserError, match="casiab_lda learns from bodies.*--config casiab_silhouette"):
        write(tmp_path, ["1", "2", "3"], train=2, config=["casiab_lda"])
    assert not list(tmp_path.iterdir())
    zeros = Preparation("casiab", Path(), silhouettes_only=True, zero_bodies=True)  # for SilhouetteLoss
    plan = TrainingPlan(train=2, config=["casiab_lda"])
    assert "casiab_lda.yaml" in write_ready(plan, zeros, tmp_path, sequences(["1", "2", "3"]), False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--config", "casiab"], "give --partition or --train"),
        (["--train", "2", "--config", "casiabb"], "Did you mean 'casiab"),
        (["--train", "9"], "--train 9 is 9 of 2 people"),
        (["--partition", "nowhere.json"], "nowhere.json"),
    ],
)
def test_mistakes(options, message, gait3d, tmp_path, capsys):
    command = ["prepare", "gait3d", "--root", str(gait3d), "--out", str(tmp_path / "out"), "--silhouettes-only"]
    assert main([*command, "--workers", "1", *options]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*.yaml")) and not (tmp_path / "out/partition.json").exists()


@pytest.mark.parametrize("train", ["0", "1.0", "1.5", "-2", "half", "nan"])
def test_shares_that_are_none(train, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["prepare", "casiab", "--root", "raw", "--out", "out", "--train", train])
    assert stopped.value.code == 2 and "expected" in capsys.readouterr().err


def test_nothing_is_written_beside_data_with_problems(gait3d, tmp_path, capsys):
    (gait3d / "2D_Silhouettes/0001/nm-01/000/0003.png").write_bytes(b"")
    (gait3d / "2D_Silhouettes/0003").symlink_to(gait3d / "2D_Silhouettes/0002")
    command = ["prepare", "gait3d", "--root", str(gait3d), "--out", str(tmp_path / "out"), "--silhouettes-only"]
    command += ["--workers", "1", "--train", "2"]
    assert main(command) == 1
    assert not list(tmp_path.glob("out/*.yaml")) and "Next:" not in capsys.readouterr().out
    assert main([*command[:-2], "--drop-bad", "--train", "2"]) == 1  # made with other options
    (gait3d / "2D_Silhouettes/0001/nm-01/000/0003.png").unlink()
    assert main(command) == 0
    assert "Next:\n  meshgait doctor --cfgs" in capsys.readouterr().out
