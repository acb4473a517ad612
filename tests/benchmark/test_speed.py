"""The table of speed: what networks cost, and who is refused."""

import json
import os
from pathlib import Path

import pytest
import yaml

from opengait_meshgait.benchmark.interleaved import Measured, Measurement
from opengait_meshgait.benchmark.network_workload import BATCH, SEQUENCE, TRAINING, SpeedCase
from opengait_meshgait.benchmark.speed import speed_table
from opengait_meshgait.cli.main import main
from opengait_meshgait.common.configs import read_yaml

CONFIGS = Path(__file__).parents[2] / "configs" / "meshgait"
FEW = ["--frames", "2", "--rounds", "1", "--device", "cpu"]


def measured(name, seconds, sequences=4):
    """Somebody whose sequence takes ``seconds`` in each round, a batch twice and a training step ten times as much."""
    times = {SEQUENCE: 1, BATCH: 2, TRAINING: 10}
    turns = {
        task: [
            Measurement(factor * each, 3 * factor * each, 2**30 * (number + 1)) for number, each in enumerate(seconds)
        ]
        for task, factor in times.items()
    }
    return Measured(name, {"parameters": 1_500_000, "gflops": 2.345, "sequences": sequences}, turns)


def test_table_by_hand():
    # Twice as slow in every round, though the machine is ten times as slow in the last.
    rows = speed_table([measured("a", [0.1, 0.2, 1.0]), measured("b", [0.2, 0.4, 2.0])], "wall")
    assert rows[1] == ["a", "1.50 M", "2.3", "200", "1.00", "10.0", "2.00", "1.00", "3.00"]
    assert rows[2] == ["b", "1.50 M", "2.3", "400", "2.00", "5.0", "4.00", "2.00", "3.00"]
    assert {len(row) for row in rows} == {9}


def test_processor_clock():
    rows = speed_table([measured("a", [0.1])], "processor")
    assert rows[1][3:7] == ["300", "1.00", "6.7", "3.00"]


@pytest.fixture
def tiny_configs(tmp_path):
    """Two files: a tiny Mesh-Gait, and the same without its heatmap branch."""
    config = read_yaml(CONFIGS / "gait3d.yaml")
    config["model_cfg"]["backbone_cfg"]["channels"] = [4, 4, 8, 8]
    config["model_cfg"]["heatmap_cfg"] |= {"depth": 2, "channels": [4, 8, 8]}
    config["model_cfg"] |= {"HeatmapFeatures": {"channels": [8]}, "SeparateFCs": {"out_channels": 8}}
    config["model_cfg"]["SeparateBNNecks"]["class_num"] = 4
    (tmp_path / "both.yaml").write_text(yaml.safe_dump(config))
    config["model_cfg"] |= {"heatmap_cfg": None}
    config["loss_cfg"] = config["loss_cfg"][:2]
    (tmp_path / "silhouettes.yaml").write_text(yaml.safe_dump(config))
    return [str(tmp_path / "both.yaml"), str(tmp_path / "silhouettes.yaml")]


def test_networks_are_measured_interleaved(tiny_configs, tmp_path, capsys):
    command = ["bench", "speed", "--cfgs", *tiny_configs]
    assert main([*command, *FEW, "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "out/speed.md").read_text()
    assert "| both |" in printed and "| silhouettes |" in printed
    record = json.loads((tmp_path / "out/speed.json").read_text())
    ours, baseline = record["entrants"]
    assert ours["parameters"] > baseline["parameters"] and ours["gflops"] > baseline["gflops"]
    for entrant in record["entrants"]:
        assert {task: len(turns) for task, turns in entrant["turns"].items()} == {SEQUENCE: 1, BATCH: 1, TRAINING: 1}
        assert all(turn["seconds"] > 0 for turns in entrant["turns"].values() for turn in turns)
    assert (record["people"], record["each"], record["frames"]) == (2, 2, 2)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--cfgs", "absent.yaml"], "absent.yaml"),
        (["--cfgs", str(CONFIGS / "gait3d.yaml"), "--models", "GaitSet"], "add --opengait ROOT"),
        (["--cfgs", str(CONFIGS / "gait3d.yaml"), "--opengait", "."], "is no checkout of OpenGait"),
    ],
)
def test_mistakes_are_reported_before_the_work(more, message, tmp_path, capsys):
    assert main(["bench", "speed", *more, "--out", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", [["--batch", "1", "4"], ["--rounds", "0"], ["--frames", "many"]])
def test_wrong_usage(more, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["bench", "speed", "--cfgs", "a.yaml", *more])
    assert exit_.value.code == 2
    assert "expected a whole number" in capsys.readouterr().err


def test_the_work_is_the_same_for_all():
    case = SpeedCase(people=3, each=2, frames=4, half=False)
    assert case.labels().tolist() == [0, 0, 1, 1, 2, 2]
    sils = case.silhouettes()
    assert sils.shape == (6, 4, 64, 64) and set(sils.unique().tolist()) == {0, 255}
    assert 0.1 < (sils > 0).float().mean() < 0.5
    assert case.bodies().shape == (6, 4, 85)
    assert case.bodies().equal(case.bodies())


@pytest.mark.skipif("OPENGAIT_ROOT" not in os.environ, reason="set OPENGAIT_ROOT to a checkout of OpenGait")
def test_the_models_of_opengait(tmp_path):
    from opengait_meshgait.benchmark.opengait_workloads import MODELS

    command = ["bench", "speed", "--cfgs", str(CONFIGS / "gait3d_silhouette.yaml"), "--frames", "3", "--rounds", "1"]
    command += ["--device", "cpu", "--opengait", os.environ["OPENGAIT_ROOT"], "--out", str(tmp_path)]
    assert main(command) == 0
    ours, *theirs = json.loads((tmp_path / "speed.json").read_text())["entrants"]
    assert [one["name"] for one in theirs] == [f"OpenGait {name}" for name in MODELS]
    base = theirs[0]
    # The same network.
    assert base["parameters"] == ours["parameters"]
    assert base["gflops"] == pytest.approx(ours["gflops"], rel=1e-3)
