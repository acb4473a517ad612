"""The demo from end to end, with few people and few iterations."""

import json

import pytest

from opengait_meshgait.benchmark import demo
from opengait_meshgait.cli.main import main

TINY = [
    "trainer_cfg.total_iter=4",
    "trainer_cfg.save_iter=2",
    "trainer_cfg.log_iter=1",
    "scheduler_cfg.total_steps=4",
    "trainer_cfg.sampler.batch_size=[2, 2]",
    "trainer_cfg.sampler.frames_num_fixed=2",
    "model_cfg.backbone_cfg.channels=[4, 4, 8, 8]",
    "model_cfg.heatmap_cfg.channels=[4, 8, 8]",
    "model_cfg.HeatmapFeatures.channels=[4, 8]",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("with space") / "demo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "WALKERS", {"ids": 10, "train": 3, "val": 2, "views": (0, 90), "frames": 10})
        assert main(["demo", "--out", str(out), "--set", *TINY]) == 0
    return out


def test_results_have_both_runs_with_the_same_budget(folder):
    results = json.loads((folder / "results.json").read_text())
    baseline, ours = results["runs"]
    assert (baseline["name"], ours["name"]) == ("silhouette-only", "Mesh-Gait")
    assert baseline["iterations"] == ours["iterations"] == 4
    assert set(ours["rank1"]) == {"NM", "BG", "CL"}
    assert baseline["mpjpe_mm"] is None
    assert ours["mpjpe_mm"] > 0
    assert ours["marker_error_mm"].keys() == {"first", "last"}
    assert ours["parameters"] > baseline["parameters"]
    assert results["verdict"]
    assert results["versions"]["torch"]
    assert "train Mesh-Gait" in results["seconds"]


def test_report_is_whole_and_self_contained(folder):
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 5
    assert "silhouette-only" in page
    assert len(list((folder / "pictures").glob("*.png"))) == 5
    assert "http://" not in page
    assert "https://" not in page
