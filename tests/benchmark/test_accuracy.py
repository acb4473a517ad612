"""The accuracy benchmark from end to end, with tiny networks on a handful of walkers."""

import json
import re
from pathlib import Path

import pytest
import yaml

from opengait_meshgait.benchmark.accuracy_plan import plan
from opengait_meshgait.cli.main import main
from opengait_meshgait.engine import trainer
from opengait_meshgait.walkers import WalkerSet, write_walkers
from opengait_meshgait.walkers.world import WORLDS

SILHOUETTES = {"type": "BaseSilCuttingTransform"}


@pytest.fixture(scope="module")
def walkers(tmp_path_factory):
    """Five people: two train, one validates, two test."""
    root = tmp_path_factory.mktemp("walkers") / "five"
    options = WalkerSet(ids=5, train=2, val=1, views=(0, 90), frames=6, seqs={"nm": 2, "cl": 1}, seed=0)
    write_walkers(options, root, 1)
    return root


def config(root, name, width, **more):
    """A tiny silhouette-only network."""
    raw = {
        "data_cfg": {
            "dataset_name": "Walkers",
            "dataset_root": str(root),
            "dataset_partition": str(root / "partition.json"),
            "num_workers": 0,
        },
        "model_cfg": {
            "model": "MeshGait",
            "backbone_cfg": {
                "type": "ResNet9", "block": "BasicBlock", "channels": [width] * 4, "layers": [1, 1, 1, 1],
                "strides": [2, 2, 1, 1], "maxpool": False,
            },
            "SeparateFCs": {"out_channels": 4},
            "SeparateBNNecks": {"class_num": 2},
            "bin_num": [2],
        },
        "trainer_cfg": {
            "enable_float16": False, "save_name": name, "total_iter": 4, "save_iter": 2, "log_iter": 1,
            "sampler": {"batch_size": [2, 2], "frames_num_fixed": 2}, "transform": [SILHOUETTES],
        },
        "evaluator_cfg": {"sampler": {"batch_size": 8}, "transform": [SILHOUETTES]},
    }  # fmt: skip
    for key, value in more.items():
        section, key = key.split("__")
        raw[section][key] = value
    return raw


@pytest.fixture(scope="module")
def files(walkers, tmp_path_factory):
    """A narrow network and a wide one, which has a heatmap branch and bodies to be measured."""
    folder = tmp_path_factory.mktemp("configs")
    wide = config(walkers, "Wide", 4)
    wide["data_cfg"]["data_in_use"] = [True, True]
    wide["model_cfg"] |= {
        "heatmap_cfg": {"type": "HeatmapEstimator", "markers": 64, "depth": 2, "channels": [4, 8, 8]},
        "HeatmapFeatures": {"channels": [4]},
    }
    for section in ("trainer_cfg", "evaluator_cfg"):
        wide[section]["transform"] = [SILHOUETTES, {"type": "NoOperation"}]
    return write(folder, narrow=config(walkers, "Narrow", 4), wide=wide)


def write(folder, **raws):
    paths = []
    for name, raw in raws.items():
        paths.append(folder / f"{name}.yaml")
        paths[-1].write_text(yaml.safe_dump(raw))
    return [str(path) for path in paths]


def bench(files, out, *more, seeds="0,1"):
    return main(["bench", "accuracy", "--cfgs", *files, "--seeds", seeds, "--device", "cpu", "--out", str(out), *more])


class Stopped(Exception):
    """Stands for a kill."""


@pytest.fixture
def trained(monkeypatch):
    """The iterations that are trained, as (run, iteration); ``trained.stop`` ends the process at one of them."""

    class Iterations(list):
        stop = None

    found = Iterations()
    advance = trainer.Trainer._advance

    def recorded(self, iteration, batch):
        name = self.folder.name.rpartition("-")[0]
        if (name, iteration) == found.stop:
            raise Stopped
        found.append((name, iteration))
        return advance(self, iteration, batch)

    monkeypatch.setattr(trainer.Trainer, "_advance", recorded)
    return found


ALL = [(f"{name}-s{seed}", iteration) for seed in (0, 1) for name in ("Narrow", "Wide") for iteration in range(4)]


@pytest.fixture(scope="module")
def finished(files, tmp_path_factory):
    """A finished table: its folder and what was printed, made on first use in two sittings."""
    out = tmp_path_factory.mktemp("with space") / "bench"
    made = {}

    def get(trained, capsys):
        if not made:
            # Killed in the last run, after its checkpoint of iteration 2.
            trained.stop = ("Wide-s1", 3)
            with pytest.raises(Stopped):
                bench(files, out)
            made["first"], made["partial"] = [*trained], json.loads((out / "results.json").read_text())
            capsys.readouterr()
            trained.clear()
            trained.stop = None
            assert bench(files, out) == 0
            made["second"], made["printed"] = [*trained], capsys.readouterr().out
        return out, made

    return get


def test_a_run_in_the_middle_goes_on_and_finished_ones_are_read(finished, trained, capsys):
    _, made = finished(trained, capsys)
    assert made["first"] == ALL[:-1]
    assert made["second"] == ALL[-2:]
    assert [len(one["runs"]) for one in made["partial"]["configs"]] == [2, 1]
    first, *_ = made["partial"]["differences"]
    assert (first["name"], first["reference"], first["condition"], first["seeds"]) == ("Wide", "Narrow", "NM", 1)


def test_nothing_is_done_twice(finished, trained, capsys, files):
    out, made = finished(trained, capsys)
    trained.clear()
    assert bench(files, out) == 0
    assert trained == []
    assert capsys.readouterr().out == made["printed"]


def test_several_at_a_time_are_the_same(finished, trained, capsys, files, tmp_path):
    out, _ = finished(trained, capsys)
    trained.clear()
    assert bench(files[:1], tmp_path, "--jobs", "2", seeds="0") == 0
    assert trained == []  # in this process
    one, several = (json.loads((folder / "results.json").read_text())["configs"][0] for folder in (out, tmp_path))
    assert several["runs"][0]["probes"] == one["runs"][0]["probes"]
    (log,) = (tmp_path / "logs").iterdir()
    assert log.name.startswith("Narrow-s0-") and "4/4 loss=" in log.read_text()


def test_tables(finished, trained, capsys):
    _, made = finished(trained, capsys)
    accuracy, views, differences, of_map, *notes = made["printed"].strip().split("\n\n")
    header, _, narrow, wide = ([cell.strip() for cell in line.split("|")[1:-1]] for line in accuracy.splitlines())
    assert header == [
        *("", "Rank-1 NM", "Rank-1 CL", "mean", "mAP NM", "mAP CL", "mINP NM", "mINP CL"),
        *(
            "MPJPE",
            "MPVPE",
            "PA-MPJPE",
            "PA-MPVPE",
            "swaps",
            "IoU",
            "IoU < 0.70",
            "parameters",
            "GFLOPs",
            "s / iteration",
        ),
    ]
    assert (narrow[0], wide[0]) == ("Narrow", "Wide")
    assert all(re.fullmatch(r"\d+\.\d ± \d+\.\d %", cell) for row in (narrow, wide) for cell in row[1:8])
    assert narrow[8:15] == ["–"] * 7
    assert all(re.fullmatch(r"\d+ ± \d+ mm", cell) for cell in wide[8:12])
    assert re.fullmatch(r"\d+\.\d ± \d+\.\d %", wide[12])
    assert float(narrow[16]) < float(wide[16])
    assert views.splitlines()[0] == "| Rank-1 (%) by difference of views | 90° |"
    assert [line.split("|")[1].strip() for line in views.splitlines()[2:]] == [
        *("Narrow, NM", "Wide, NM", "Narrow, CL", "Wide, CL"),
    ]
    for measure, table in (("Rank-1", differences), ("mAP", of_map)):
        assert table.startswith(f"| {measure} | against |")
        assert [line.split("|")[3].strip() for line in table.splitlines()[2:]] == ["NM", "CL", "mean"]
    assert any("Costs differ" in note for note in notes)


def test_results(finished, trained, capsys):
    out, made = finished(trained, capsys)
    results = json.loads((out / "results.json").read_text())
    assert (results["seeds"], results["split"]) == ([0, 1], "test")
    assert results["machine"]
    assert results["versions"]["torch"]
    assert "\n\n".join(results["markdown"]) == made["printed"].rstrip("\n")
    for one in results["configs"]:
        assert [run["seed"] for run in one["runs"]] == [0, 1]
        for run in one["runs"]:
            assert run["iterations"] == 4
            # Two people, seen from two views, of which the other one is compared.
            assert {c: len(probes) for c, probes in run["probes"].items()} == {"NM": 4, "CL": 4}
            assert 25 * "".join(run["probes"]["CL"].values()).count("1") == run["metrics"]["CL@R1"]
    narrow, wide = ([run["rank1"] for run in one["runs"]] for one in results["configs"])
    difference, of_map = (each for each in results["differences"] if each["condition"] == "mean")
    assert difference["measure"] == "Rank-1"
    assert difference["difference"] == pytest.approx(sum(wide) / 2 - sum(narrow) / 2)
    narrow, wide = (
        [(run["metrics"]["NM@mAP"] + run["metrics"]["CL@mAP"]) / 2 for run in one["runs"]] for one in results["configs"]
    )
    assert of_map["measure"] == "mAP"
    assert of_map["difference"] == pytest.approx(sum(wide) / 2 - sum(narrow) / 2, abs=0.01)
    for each in (difference, of_map):
        assert each["low"] <= each["difference"] <= each["high"]
    assert (out / "rank1.png").read_bytes().startswith(b"\x89PNG")


def test_a_changed_config_is_trained_anew_and_the_old_one_stays(walkers, trained, capsys, tmp_path):
    files = write(tmp_path, narrow=config(walkers, "Narrow", 2))
    out = tmp_path / "bench"
    bench(files, out, seeds="0")
    before = (out / "results.json").read_text()
    trained.clear()
    bench(files, out, "--set", "optimizer_cfg.lr=0.02", seeds="0")
    assert trained == [("Narrow-s0", iteration) for iteration in range(4)]
    trained.clear()
    # What is tested is no matter of training, and neither is when weights are saved.
    bench(files, out, "--set", "evaluator_cfg.metric=cos", "trainer_cfg.save_iter=3", seeds="0")
    assert trained == []
    assert (out / "results.json").read_text() != before
    bench(files, out, "--split", "val", seeds="0")
    assert trained == []
    (run,) = json.loads((out / "results.json").read_text())["configs"][0]["runs"]
    assert (run["split"], run["sequences"]) == ("val", 6)
    assert len([*(out / "runs" / "Walkers" / "MeshGait").iterdir()]) == 2
    # Other people of the same names in the same place.
    described = json.loads((walkers / "dataset.json").read_text())
    described["options"]["seed"] = 1
    original = (walkers / "dataset.json").read_bytes()
    try:
        (walkers / "dataset.json").write_text(json.dumps(described))
        bench(files, out, seeds="0")
    finally:
        (walkers / "dataset.json").write_bytes(original)
    assert len(trained) == 4


def test_trained_networks_are_tested_on_other_people(walkers, trained, capsys, tmp_path):
    files, out = write(tmp_path, narrow=config(walkers, "Narrow", 2)), tmp_path / "bench"
    bench(files, out, seeds="0")
    own = json.loads((out / "results.json").read_text())
    trained.clear()
    others = tmp_path / "noisy"
    write_walkers(
        WalkerSet(
            ids=5, train=2, val=1, views=(0, 90), frames=6, seqs={"nm": 2}, seed=0, world=WORLDS["studio"].damaged(0.5)
        ),
        others,
        1,
    )
    bench(files, out, "--on", str(others), seeds="0")
    assert trained == []
    results = json.loads((out / "results.json").read_text())
    (run,) = results["configs"][0]["runs"]
    assert (own["on"], results["on"], run["sequences"], [*run["probes"]]) == (None, str(others), 8, ["NM"])
    # Neither takes the place of the other.
    bench(files, out, seeds="0")
    assert trained == []
    assert json.loads((out / "results.json").read_text())["configs"] == own["configs"]
    capsys.readouterr()
    assert bench(files, out, "--on", str(tmp_path / "absent")) == 1
    assert "absent/partition.json" in capsys.readouterr().err


@pytest.fixture
def bodies_and_wide(files):
    """Two iterations of 3D alone, and one of the wide network."""
    bodies, wide = (yaml.safe_load(Path(files[1]).read_text()) for _ in range(2))
    bodies["trainer_cfg"] |= {"save_name": "Bodies", "total_iter": 2}
    bodies["loss_cfg"] = [{"type": "JointLoss", "log_prefix": "joint"}]
    wide["trainer_cfg"]["total_iter"] = 1
    return bodies, wide


def test_3d_is_learned_first(walkers, bodies_and_wide, trained, capsys, tmp_path):
    bodies, wide = bodies_and_wide
    narrow, other = config(walkers, "Narrow", 4, trainer_cfg__total_iter=1), config(tmp_path, "Other", 4)
    paths, out = write(tmp_path, narrow=narrow, wide=wide, first=bodies, other=other), tmp_path / "out"
    assert bench(paths[:2], out, "--first", paths[2], seeds="0") == 0
    assert trained == [("Narrow-s0", 0), ("Bodies-s0", 0), ("Bodies-s0", 1), ("Wide-s0", 0)]
    assert "Wide began with the weights of Bodies after 2 iterations." in capsys.readouterr().out
    assert json.loads((out / "results.json").read_text())["first"] == paths[2]
    trained.clear()
    assert bench(paths[:2], out, "--first", paths[2], seeds="0") == 0
    assert trained == []
    # Without it, it is another training.
    assert bench(paths[:2], out, seeds="0") == 0
    assert trained == [("Wide-s0", 0)]
    assert bench(paths[:2], out, "--first", paths[3], seeds="0") == 1


def test_3d_is_learned_once_for_all_seeds(bodies_and_wide, trained, capsys, tmp_path):
    bodies, wide = bodies_and_wide
    (path, before), out = write(tmp_path, wide=wide, first=bodies), tmp_path / "out"
    assert bench([path], out, "--first-seed", "7", seeds="0,1") == 1
    assert "--first-seed 7: no config is trained before. Say which: --first FILE." in capsys.readouterr().err
    assert bench([path], out, "--first", before, "--first-seed", "7", seeds="0,1") == 0
    assert trained == [("Bodies-s7", 0), ("Bodies-s7", 1), ("Wide-s0", 0), ("Wide-s1", 0)]
    told = "Wide began with the weights of Bodies after 2 iterations, which was trained once, with seed 7."
    assert told in capsys.readouterr().out
    results = json.loads((out / "results.json").read_text())
    assert (results["first"], results["first_seed"]) == (before, 7)
    # With each seed, it is another training.
    trained.clear()
    assert bench([path], out, "--first", before, seeds="0") == 0
    assert trained == [("Bodies-s0", 0), ("Bodies-s0", 1), ("Wide-s0", 0)]


def test_rows_say_which_head_was_matched(walkers, trained, capsys, tmp_path):
    files, out = write(tmp_path, head=config(walkers, "Narrow", 2, model_cfg__Discriminant={})), tmp_path / "bench"
    found = {}
    for match in (None, "embeddings", "lda"):
        assert bench(files, out, *([] if match is None else ["--match", match]), seeds="0") == 0
        (found[match],) = json.loads((out / "results.json").read_text())["configs"]
    # Trained once; what None means is known, and other features are tested anew.
    assert len(trained) == 4
    assert found[None] == found["lda"]
    for match, name in (("embeddings", "Narrow"), ("lda", "Narrow + LDA head")):
        assert (found[match]["name"], found[match]["matched"]) == (name, match)
        assert [run["matched"] for run in found[match]["runs"]] == [match]
    plain = write(tmp_path, plain=config(walkers, "Plain", 2))
    assert bench(plain, out, "--match", "lda", seeds="0") == 1
    assert "has no LDA head" in capsys.readouterr().err
    assert len(trained) == 4


def test_same_save_names_do_not_collide(walkers, trained, capsys, tmp_path):
    files = write(tmp_path, a=config(walkers, "Same", 2), b=config(walkers, "Same", 3))
    bench(files, tmp_path / "bench", seeds="0")
    assert len(trained) == 8
    printed = capsys.readouterr().out
    assert "| Same (a.yaml) |" in printed
    assert "| Same (b.yaml) |" in printed
    assert "no other seed, as there is one only" in printed


@pytest.mark.parametrize(
    "change, message",
    [
        ({}, "train and test the same network"),
        ({"model_cfg__SeparateBNNecks": {"class_num": 3}}, "class_num: 2 in .*a.yaml, 3 in .*b.yaml"),
        ({"data_cfg__dataset_name": "Others", "data_cfg__test_dataset_name": "Walkers"}, "dataset_name: Walkers in"),
        ({"data_cfg__test_dataset_name": "CASIA-B"}, "test_dataset_name: Walkers in .*, CASIA-B in"),
        ({"evaluator_cfg__eval_func": "evaluate_Gait3D"}, "eval_func: evaluate_indoor_dataset in"),
        ({"data_cfg__dataset_partition": "absent.json"}, "absent.json"),
        ({"data_cfg__dataset_root": "absent"}, "dataset_root: .* absent in"),
        ({"loss_cfg__": [{"type": "TripletLos", "log_prefix": "triplet"}]}, "Did you mean 'TripletLoss'"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(change, message, walkers, trained, capsys, tmp_path):
    second = config(walkers, "Second", 2)
    for key, value in change.items():
        section, key = key.split("__")
        second.update({section: value}) if not key else second[section].update({key: value})
    files = write(tmp_path, a=config(walkers, "First", 2), b=second)
    assert bench(files, tmp_path / "bench") == 1
    assert re.search(message, capsys.readouterr().err)
    assert trained == []


def test_validation_needs_a_validation_set(walkers, capsys, tmp_path):
    content = json.loads((walkers / "partition.json").read_text())
    del content["VAL_SET"]
    (tmp_path / "p.json").write_text(json.dumps(content))
    files = write(tmp_path, a=config(walkers, "First", 2, data_cfg__dataset_partition=str(tmp_path / "p.json")))
    assert bench(files, tmp_path / "bench", "--split", "val") == 1
    assert "meshgait walkers --val N" in capsys.readouterr().err


def test_protocol_of_gait3d(walkers, capsys, tmp_path):
    files = write(tmp_path, a=config(walkers, "First", 2, evaluator_cfg__eval_func="evaluate_Gait3D"))
    assert bench(files, tmp_path / "bench", "--split", "val") == 1
    assert "PROBE_SET in" in capsys.readouterr().err
    assert bench(files, tmp_path / "bench", seeds="0") == 0
    table, *_ = capsys.readouterr().out.split("\n\n")
    assert [cell.strip() for cell in table.splitlines()[0].split("|")[2:6]] == ["Rank-1", "Rank-5", "mAP", "mINP"]


def test_networks_are_compared_with_the_baseline_of_the_same_head(walkers, files, tmp_path):
    narrow, wide = (yaml.safe_load(Path(file).read_text()) for file in files)
    for raw, name in ((narrow, "NarrowLda"), (wide, "WideLda")):
        raw["model_cfg"]["Discriminant"] = {"marker_weight": 0.5}
        raw["trainer_cfg"]["save_name"] = name
    more = write(tmp_path, narrow_lda=narrow, wide_lda=wide)
    planned = plan([*map(str, files), *map(str, more)], [], "test")
    assert {each.name: each.baseline for each in planned} == {
        "Narrow": None,
        "Wide": "Narrow",
        "NarrowLda + LDA head": None,
        "WideLda + LDA head": "NarrowLda + LDA head",
    }


def test_a_baseline_of_another_width_serves_where_there_is_none_of_the_same(files, tmp_path):
    narrow, wide = (yaml.safe_load(Path(file).read_text()) for file in files)
    wider, lda = (yaml.safe_load(yaml.safe_dump(narrow)) for _ in range(2))
    for raw, name, width in ((wider, "Wider", 5), (lda, "WiderLda", 5)):
        raw["model_cfg"]["backbone_cfg"]["channels"] = [width] * 4
        raw["trainer_cfg"]["save_name"] = name
    lda["model_cfg"]["Discriminant"] = {}
    others = write(tmp_path, lda=lda, wider=wider)
    baselines = {each.name: each.baseline for each in plan([*others, files[1]], [], "test")}
    assert baselines == {"WiderLda + LDA head": None, "Wider": None, "Wide": "Wider"}
    assert {each.name: each.baseline for each in plan([*others, *files], [], "test")}["Wide"] == "Narrow"


def test_seeds_are_those_of_the_option(files, capsys, tmp_path):
    assert bench(files, tmp_path, "--set", "trainer_cfg.seed=3") == 1
    assert "the seeds are those of --seeds" in capsys.readouterr().err
    for seeds in ("0,0", "0,-1", "0;1", ""):
        with pytest.raises(SystemExit) as stopped:
            bench(files, tmp_path, seeds=seeds)
        assert stopped.value.code == 2


def test_processes_are_refused(files, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert bench(files, tmp_path) == 1
    assert "without torchrun" in capsys.readouterr().err
