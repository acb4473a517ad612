"""The benchmark on recorded people from end to end: a few of them, tiny networks, two iterations."""

import json
import re
from functools import partial

import numpy as np
import pytest
import torch
import yaml

from opengait_meshgait.benchmark import recorded_data
from opengait_meshgait.benchmark.recorded_data import Size
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import JOINT_NAMES
from opengait_meshgait.cli.main import main
from opengait_meshgait.engine import trainer
from opengait_meshgait.walkers.gait import walk
from opengait_meshgait.walkers.gait_model import load_gait
from opengait_meshgait.walkers.person import Person
from opengait_meshgait.walkers.stride import SIDES, make_foot

SILHOUETTES = {"type": "BaseSilCuttingTransform"}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Nine people with two walks each, and a tenth with one."""
    folder, body = tmp_path_factory.mktemp("recordings"), load_body()
    joints = body.joints(torch.zeros(72), torch.zeros(10)).numpy()
    feet = tuple(make_foot(body.v_template.numpy(), body.weights.numpy(), joints, side) for side in SIDES)
    parents = np.array(body.parents)
    for number in range(1, 11):
        person = Person.draw(0, number, variety=1.0)
        for take in (1, 2) if number < 10 else (1,):
            motion = walk(person.style, joints, feet, 45, np.random.default_rng([number, take]))
            np.savez(
                folder / f"P{number:02d}_{take}.npz",
                names=np.array(JOINT_NAMES),
                parents=parents,
                offsets=joints - np.where(parents[:, None] < 0, joints, joints[parents]),
                local_rot=motion.local(body.parents),
                root=motion.pelvis,
                fps=25.0,
            )
    return folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Two drawn people, walks of three frames; a gait model of the recorded people alone, which is faster."""
    monkeypatch.setitem(recorded_data.SIZES, "small", Size(2, {"nm": 1}, 3, 3, (0, 90)))
    monkeypatch.setattr(recorded_data, "fit_gait", partial(recorded_data.fit_gait, broaden=0.0))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Silhouettes alone, and the same with a heatmap branch."""
    raw = {
        "data_cfg": {"dataset_name": "Walkers", "dataset_root": "none", "dataset_partition": "none", "num_workers": 0},
        "model_cfg": {
            "backbone_cfg": {
                "type": "ResNet9", "block": "BasicBlock", "channels": [4] * 4, "layers": [1, 1, 1, 1],
                "strides": [2, 2, 1, 1], "maxpool": False,
            },
            "SeparateFCs": {"out_channels": 4},
            "SeparateBNNecks": {"class_num": 1},
            "bin_num": [2],
        },
        "trainer_cfg": {
            "enable_float16": False, "save_name": "Sils", "total_iter": 2, "save_iter": 1, "log_iter": 1,
            "sampler": {"batch_size": [2, 2], "frames_num_fixed": 2}, "transform": [SILHOUETTES],
        },
        "evaluator_cfg": {"sampler": {"batch_size": 8}, "transform": [SILHOUETTES]},
    }  # fmt: skip
    mesh = {
        "data_cfg": {"data_in_use": [True, True]},
        "model_cfg": {
            "heatmap_cfg": {"type": "HeatmapEstimator", "markers": 64, "depth": 2, "channels": [4, 8, 8]},
            "HeatmapFeatures": {"channels": [4]},
        },
        "trainer_cfg": {"save_name": "Mesh", "transform": [SILHOUETTES, {"type": "NoOperation"}]},
        "evaluator_cfg": {"transform": [SILHOUETTES, {"type": "NoOperation"}]},
    }
    folder = tmp_path_factory.mktemp("configs")
    (folder / "sils.yaml").write_text(yaml.safe_dump(raw))
    merged = {key: {**raw[key], **mesh.get(key, {})} for key in raw}
    merged["model_cfg"] = {**raw["model_cfg"], **mesh["model_cfg"]}
    (folder / "mesh.yaml").write_text(yaml.safe_dump(merged))
    return [str(folder / "sils.yaml"), str(folder / "mesh.yaml")]


class Stopped(Exception):
    """Stands for a kill."""


@pytest.fixture
def trained(monkeypatch):
    """The iterations that are trained, as (fold, run, iteration); ``trained.stop`` ends the process at one of them."""

    class Iterations(list):
        stop = None

    found = Iterations()
    advance = trainer.Trainer._advance

    def recorded(self, iteration, batch):
        fold = self.folder.parents[3].name
        one = (fold, self.folder.name.rpartition("-")[0], iteration)
        if one == found.stop:
            raise Stopped
        found.append(one)
        return advance(self, iteration, batch)

    monkeypatch.setattr(trainer.Trainer, "_advance", recorded)
    return found


def bench(recordings, files, out, *more, seeds="0", test=()):
    motion = ["--motion", *map(str, recordings)]
    tested = ["--test-motion", *map(str, test)] if test else []
    arguments = [*motion, *tested, "--cfgs", *files, "--seeds", seeds, "--device", "cpu", "--workers", "1"]
    return main(["bench", "recorded", *arguments, "--out", str(out), *more])


def partition(folder):
    return json.loads((folder / "partition.json").read_text())


@pytest.fixture(scope="module")
def finished(recordings, files, tmp_path_factory):
    """A finished benchmark in three folds: its folder and what was printed, made on first use in two sittings."""
    out = tmp_path_factory.mktemp("with space") / "bench"
    made = {}

    def get(trained, capsys):
        if not made:
            trained.stop = ("fold-3", "Mesh-s0", 1)
            with pytest.raises(Stopped):
                bench(sorted(recordings.iterdir()), files, out, "--folds", "3")
            made["first"] = [*trained]
            made["partial"] = json.loads((out / "results.json").read_text())
            trained.clear()
            trained.stop = None
            capsys.readouterr()
            assert bench(sorted(recordings.iterdir()), files, out, "--folds", "3") == 0
            made["second"], made["printed"] = [*trained], capsys.readouterr().out
        return out, made

    return get


def test_goes_on_where_it_was_stopped(finished, trained, capsys, recordings, files):
    out, made = finished(trained, capsys)
    runs = [(f"fold-{fold}", f"{name}-s0", i) for fold in (1, 2, 3) for name in ("Sils", "Mesh") for i in (0, 1)]
    assert made["first"] == runs[:-1]
    assert made["second"] == runs[-1:]
    # Of a table over all folds there was one row so far.
    assert [line for line in made["partial"]["markdown"][1].splitlines() if "%" in line][0].startswith("| Sils |")
    assert made["partial"]["differences"] == {"clean": [], "damaged": []}
    before = (out / "results.json").read_bytes()
    trained.clear()
    assert bench(sorted(recordings.iterdir()), files, out, "--folds", "3") == 0
    assert trained == []
    assert capsys.readouterr().out == made["printed"]
    assert json.loads(before)["configs"] == json.loads((out / "results.json").read_text())["configs"]


def test_nothing_is_learned_from_the_people_of_a_test(finished, trained, capsys):
    out, _ = finished(trained, capsys)
    folds = json.loads((out / "folds.json").read_text())["folds"]
    assert sorted(name for fold in folds.values() for name in fold["test"]) == [f"P{n:02d}" for n in range(1, 11)]
    for name, fold in folds.items():
        assert load_gait(str(out / name / "gait.npz")).people == fold["train"]
        drawn = json.loads((out / name / "drawn" / "dataset.json").read_text())["options"]
        procedural, learned = drawn["gait"]
        assert procedural == "procedural" and learned["people"] == fold["train"]
        labels = {key: [f"1_{int(person[1:]):04d}" for person in fold[key]] for key in ("train", "val", "test")}
        assert partition(out / name / "train") == {
            "TRAIN_SET": ["drawn_0001", "drawn_0002", *labels["train"]],
            "VAL_SET": labels["val"],
        }
        there = {path.name for path in (out / name / "train").iterdir() if path.is_dir()}
        assert there == {"drawn_0001", "drawn_0002", *labels["train"], *labels["val"]}
        worlds = {}
        for copy in ("clean", "damaged"):
            assert partition(out / name / copy) == {"TRAIN_SET": [], "TEST_SET": labels["test"]}
            assert {path.name for path in (out / name / copy).iterdir() if path.is_dir()} == {*labels["test"]}
            options = json.loads((out / name / copy / "dataset.json").read_text())["options"]
            (worlds[copy],) = (made["world"] for made in options.values())
        assert worlds["clean"].pop("damage")["probability"] == 0
        assert worlds["damaged"].pop("damage")["probability"] == 1
        # The same cameras, which training did not have.
        assert worlds["clean"] == worlds["damaged"]
        assert worlds["clean"]["height"] != drawn["world"]["height"]


def test_one_table_over_all_folds(finished, trained, capsys):
    out, made = finished(trained, capsys)
    results = json.loads((out / "results.json").read_text())
    assert made["printed"].strip() == "\n\n".join(results["markdown"]) == (out / "results.md").read_text().strip()
    headings = [part for part in results["markdown"] if part.startswith("#")]
    assert headings == ["### clean", "### damaged"]
    starts = [part.split("|")[1].strip() for part in results["markdown"] if part.startswith("|")]
    assert starts == 2 * ["", "Rank-1 (%) by difference of views", "Rank-1", "mAP", "bodies by view", "by fold"]
    table = results["markdown"][1]
    for title in ("Rank-1 NM", "mAP NM", "mINP NM", "MPJPE", "PA-MPJPE", "MPVPE", "swaps", "IoU", "IoU < 0.70"):
        assert f" {title} |" in table.splitlines()[0]
    for copy, found in results["differences"].items():
        rank1, of_map = found
        assert (rank1["measure"], of_map["measure"]) == ("Rank-1", "mAP")
        for each, figure in ((rank1, "R1"), (of_map, "mAP")):
            assert (each["name"], each["reference"], each["people"], each["seeds"]) == ("Mesh", "Sils", 9, 1)
            # Three people of two views in each fold: pooled figures are the means over folds.
            means = [
                np.mean([run["metrics"][f"NM@{figure}"] for runs in one["runs"][copy].values() for run in runs])
                for one in results["configs"]
            ]
            assert each["difference"] == pytest.approx(means[1] - means[0], abs=0.02)
            title = "Rank-1 NM" if figure == "R1" else "mAP NM"
            place = 1 if copy == "clean" else results["markdown"].index("### damaged") + 1
            lines = [[cell.strip() for cell in line.split("|")] for line in results["markdown"][place].splitlines()]
            assert lines[3][lines[0].index(title)] == f"{means[1]:.1f} %"
        by_fold = [part for part in results["markdown"] if part.startswith("| by fold")][0]
        assert re.match(r"\| by fold \| fold-1 \| fold-2 \| fold-3 \|", by_fold)
        assert "| Mesh, MPJPE |" in by_fold and "| Sils, MPJPE |" not in by_fold
    assert (out / "rank1-damaged.png").read_bytes().startswith(b"\x89PNG")


def test_choices_are_made_on_validation_people(finished, trained, capsys, recordings, files):
    out, _ = finished(trained, capsys)
    trained.clear()
    assert bench(sorted(recordings.iterdir()), files[:1], out, "--folds", "3", "--split", "val") == 0
    assert trained == []
    results = json.loads((out / "results.json").read_text())
    folds = json.loads((out / "folds.json").read_text())["folds"]
    (one,) = results["configs"]
    # In this protocol a person may validate in several folds.
    assert one["runs"]["val"].keys() == folds.keys()
    for name, (run,) in one["runs"]["val"].items():
        tested = {place.split("/")[0] for place in run["probes"]["NM"]}
        assert tested <= {f"1_{int(person[1:]):04d}" for person in folds[name]["val"]}


def test_another_protocol_in_the_same_folder_is_refused(finished, trained, capsys, recordings, files):
    out, _ = finished(trained, capsys)
    paths = sorted(recordings.iterdir())
    for given, more, message in (
        (paths, ["--folds", "3", "--world", "studio"], "folds made with view_bin 1.0, and now view_bin is 0.0"),
        (paths[:-1], ["--folds", "3"], "folds made with P10/P10_1.npz"),
    ):
        assert bench(given, files, out, *more) == 1
        assert message in capsys.readouterr().err


def test_transfer(recordings, files, trained, capsys, tmp_path):
    others = tmp_path / "others"
    others.mkdir()
    paths = sorted(recordings.iterdir())
    for path in paths[12:16]:
        # Of the same names as two who train, but other people.
        number = int(path.stem[1:3]) - 6
        (others / f"P{number:02d}_{path.stem[-1]}.npz").write_bytes(path.read_bytes())
    out = tmp_path / "bench"
    assert bench(paths[:12], files[:1], out, "--drawn", "3", test=sorted(others.iterdir())) == 0
    printed = capsys.readouterr().out
    folds = json.loads((out / "folds.json").read_text())["folds"]
    assert [*folds] == ["transfer"]
    assert folds["transfer"]["test"] == ["2/P01", "2/P02"]
    assert len(folds["transfer"]["val"]) == 4
    assert partition(out / "transfer" / "clean")["TEST_SET"] == ["2_0001", "2_0002"]
    taught = partition(out / "transfer" / "train")["TRAIN_SET"]
    assert [label for label in taught if label.startswith("drawn")] == ["drawn_0001", "drawn_0002", "drawn_0003"]
    assert "by fold" not in printed
    capsys.readouterr()
    assert bench(paths[:12], files[:1], tmp_path / "again", test=paths[10:14]) == 1
    assert "is the same recording as one of 1/P06" in capsys.readouterr().err


@pytest.mark.parametrize(
    "more, message",
    [
        (["--set", "data_cfg.dataset_root=x"], "makes its data itself"),
        (["--set", "evaluator_cfg.eval_func=evaluate_Gait3D"], "eval_func is evaluate_Gait3D"),
        (["--folds", "5"], "too few for 5 folds"),
        (["--match", "lda", "--folds", "2"], "too few for 2 folds"),
        (["--world", "stret"], "Did you mean 'street'"),
    ],
)
def test_mistakes_are_told_before_anything_is_made(more, message, recordings, files, trained, capsys, tmp_path):
    folds = [] if "--folds" in more else ["--folds", "3"]
    assert bench(sorted(recordings.iterdir()), files, tmp_path / "bench", *folds, *more) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "bench").exists()


def test_one_name_in_two_folders_may_be_two_people(recordings, files, trained, capsys, tmp_path):
    first, *paths = sorted(recordings.iterdir())
    (tmp_path / "P02_9.npz").write_bytes(first.read_bytes())
    assert bench([*paths, tmp_path / "P02_9.npz"], files, tmp_path / "bench", "--folds", "3") == 1
    assert "give each folder a --motion of its own" in capsys.readouterr().err
