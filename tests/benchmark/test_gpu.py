"""The rehearsal of ``bench gpu`` on a CPU, and what becomes of parts that fail."""

import json
import time
from pathlib import Path

import pytest
import yaml

from opengait_meshgait.benchmark import gpu
from opengait_meshgait.benchmark.gpu import PARTS, Part, run_part
from opengait_meshgait.benchmark.gpu_parts import GpuCase
from opengait_meshgait.benchmark.network_workload import SpeedCase
from opengait_meshgait.cli.main import main
from opengait_meshgait.common.configs import read_yaml

CONFIGS = Path(__file__).parents[2] / "configs" / "meshgait"


def tiny(folder):
    """A tiny Mesh-Gait."""
    config = read_yaml(CONFIGS / "gait3d.yaml")
    config["model_cfg"]["backbone_cfg"]["channels"] = [4, 4, 8, 8]
    config["model_cfg"]["heatmap_cfg"] |= {"depth": 2, "channels": [4, 8, 8]}
    config["model_cfg"] |= {"HeatmapFeatures": {"channels": [8]}, "SeparateFCs": {"out_channels": 8}}
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def too_long(case):
    time.sleep(60)


def test_a_rehearsal_runs_every_part(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gpu, "run_part", lambda part, case: gpu.attempt(part.function, case))  # in this process
    size = ["--batch", "2", "2", "--frames", "3", "--rounds", "1", "--device", "cpu"]
    assert main(["bench", "gpu", "--cfgs", tiny(tmp_path), *size, "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "gpu.json").read_text())["parts"]
    assert {part["name"]: part["problem"] for part in found} == {
        "walkers, training": None,
        "OpenGait's trainer": "no --opengait ROOT",
        "recognition": None,
        "training steps": None,
        "networks in turns": None,
    }
    trained, _, recognised, stepped, compared = (part["figures"] for part in found)
    assert {*trained} == {"walkers drawn", "iteration, with data", "loss, first and last"}
    ways = ("as trained", "folded, channels last", "compiled as well")
    assert [*recognised] == [f"{precision}, {way}" for precision in ("fp32", "bf16") for way in ways]
    cosines = {name: float(figure.rpartition(" ")[2]) for name, figure in recognised.items()}
    assert all(cosine > (0.99999 if "fp32" in name else 0.99) for name, cosine in cosines.items())
    layouts = ("as trained", "channels last")
    assert [*stepped] == [f"{precision}, {layout}" for precision in ("fp32", "bf16") for layout in layouts]
    losses = [[*map(float, figure.partition("loss ")[2].split(" to "))] for figure in stepped.values()]
    assert all(last < first for first, last in losses)
    assert losses[1][0] == pytest.approx(losses[0][0], rel=1e-3)
    assert all(each == pytest.approx(losses[0], rel=0.1) for each in losses)
    assert [*compared] == ["tiny"] and "GiB" in compared["tiny"]
    assert "| OpenGait's trainer | not done | no --opengait ROOT |" in printed
    assert (tmp_path / "out" / "gpu.md").read_text() == printed


def test_one_that_takes_too_long_is_ended(tmp_path):
    case = GpuCase((), (), SpeedCase(2, 2, 3, True), 1, "cpu", None, tmp_path)
    began = time.monotonic()
    assert run_part(Part("slow", too_long, 0.5), case) == ({}, "took longer than 0.5 s")
    assert time.monotonic() - began < 30


def test_together_at_most_eight_minutes():
    assert sum(part.limit for part in PARTS) <= 480


def test_mistakes_are_told_at_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gpu, "run_part", None)
    assert main(["bench", "gpu", "--cfgs", "absent", "--device", "cpu", "--out", str(tmp_path)]) == 1
    assert "absent" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []
