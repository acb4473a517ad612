"""The demo from end to end, with few people and few iterations."""

import json

import pytest

from opengait_meshgait.benchmark import demo
from opengait_meshgait.cli.main import main
from opengait_meshgait.evaluation.comparison import Difference

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
    "model_cfg.Discriminant.components=20",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("with space") / "demo"
    with pytest.MonkeyPatch.context() as patch:
        few = {"ids": 10, "train": 3, "val": 2, "views": (0, 90), "frames": 10}
        patch.setattr(demo, "WALKERS", demo.WALKERS | few)
        assert main(["demo", "--out", str(out), "--set", *TINY]) == 0
    return out


def test_results_have_two_networks_of_the_same_budget_each_with_both_heads(folder):
    results = json.loads((folder / "results.json").read_text())
    rows = {run["name"]: run for run in results["runs"]}
    assert [*rows] == ["silhouettes", "Mesh-Gait", "silhouettes + LDA head", "Mesh-Gait + LDA head"]
    assert [run["matched"] for run in rows.values()] == ["embeddings", "embeddings", "lda", "lda"]
    assert {run["iterations"] for run in rows.values()} == {4}
    baseline, ours = rows["silhouettes"], rows["Mesh-Gait"]
    assert set(ours["rank1"]) == {"NM", "BG", "CL"}
    assert baseline["mpjpe_mm"] is None and baseline["marker_error_mm"] is None
    assert ours["mpjpe_mm"] > 0
    assert ours["marker_error_mm"].keys() == {"first", "last"}
    assert ours["parameters"] > baseline["parameters"]
    # The same weights.
    for name in ("silhouettes", "Mesh-Gait"):
        head = rows[f"{name} + LDA head"]
        assert (head["mpjpe_mm"], head["parameters"]) == (rows[name]["mpjpe_mm"], rows[name]["parameters"])
    assert len({p.parent.parent.name for p in (folder / "runs").rglob("*.pt")}) == 2
    assert results["schema"] == 2
    assert results["versions"]["torch"]
    assert "train Mesh-Gait" in results["seconds"]


def test_differences_are_paired_within_each_head(folder):
    results = json.loads((folder / "results.json").read_text())
    mean = {each["name"]: each for each in results["differences"] if each["condition"] == "mean"}
    assert {name: each["reference"] for name, each in mean.items()} == {
        "Mesh-Gait": "silhouettes",
        "Mesh-Gait + LDA head": "silhouettes + LDA head",
    }
    rank1 = {run["name"]: sum(run["rank1"].values()) / 3 for run in results["runs"]}
    for name, each in mean.items():
        assert each["difference"] == pytest.approx(rank1[name] - rank1[each["reference"]])
        assert each["low"] <= each["difference"] <= each["high"]
        assert (
            f"{name} against {each['reference']}: {each['difference']:+.1f} points (95 % interval" in results["verdict"]
        )


def test_verdict_says_whether_the_interval_leaves_a_doubt():
    found = {
        ("a", "b"): {"mean": Difference(4.8, 1.2, 8.4, 1, 24)},
        ("c", "d"): {"mean": Difference(-1.0, -3.0, 1.0, 1, 24)},
    }
    text = demo.verdict(found)
    assert "a against b: +4.8 points (95 % interval +1.2 … +8.4), larger." in text
    assert "c against d: -1.0 points (95 % interval -3.0 … +1.0), not enough to tell." in text


def test_report_is_whole_and_self_contained(folder):
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 9
    assert "silhouettes + LDA head" in page
    assert len(list((folder / "pictures").glob("*.png"))) == 9
    assert "http://" not in page
    assert "https://" not in page
