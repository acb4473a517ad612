"""Markers put right: what the LDA head makes of true ones, of true depth, of the right sides."""

import json

import pytest
import torch

from opengait_meshgait.benchmark.oracle import ORACLES, bench_oracle
from opengait_meshgait.cli.main import main
from opengait_meshgait.engine import testing
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.engine.training import train
from opengait_meshgait.walkers import WalkerSet, write_walkers

TINY = [
    "model_cfg.backbone_cfg.channels=[4,4,4,4]",
    "model_cfg.heatmap_cfg.channels=[4,4,8]",
    "model_cfg.SeparateFCs.out_channels=4",
    "model_cfg.SeparateBNNecks.class_num=3",
    "trainer_cfg.total_iter=2",
    "trainer_cfg.enable_float16=false",
    "trainer_cfg.sampler.batch_size=[2,2]",
    "trainer_cfg.sampler.frames_num_fixed=2",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny trained run: its config, and the folder of runs."""
    root, output = tmp_path_factory.mktemp("oracle") / "walkers", tmp_path_factory.mktemp("runs")
    write_walkers(WalkerSet(ids=7, train=3, val=2, views=(0, 90), frames=4, seqs={"nm": 2}, seed=0), root, 1)
    places = [f"data_cfg.dataset_root={root}", f"data_cfg.dataset_partition={root / 'partition.json'}"]
    config = load_config("walkers_small_shared", [*TINY, *places])
    train(config, "cpu", quiet=True, output=output)
    return config, output


def test_a_row_for_each_way_and_the_first_is_what_a_test_finds(trained, tmp_path):
    config, output = trained
    table = bench_oracle(config, None, "cpu", tmp_path, output=output)
    rows = {row["markers"]: row for row in json.loads((tmp_path / "oracle.json").read_text())["rows"]}
    assert [*rows] == [*ORACLES] and all(name in table for name in ORACLES)
    tested = testing.test(config, None, "cpu", quiet=True, output=output)
    assert rows["as estimated"]["rank1"] == pytest.approx(tested["rank1"])
    assert rows["as estimated"]["error_mm"] == pytest.approx(tested["bodies"]["marker_mm"], rel=1e-3)
    for key in ("iou", "iou_low_percent"):
        assert rows["as estimated"][key] == pytest.approx(tested[key], abs=1e-4)
    assert rows["true"]["error_mm"] == 0 and rows["true"]["iou"] > 0.75
    for better in ("true depth", "true x and y", "true left and right", "without the sequence's mean error"):
        assert rows[better]["error_mm"] <= rows["as estimated"]["error_mm"] + 1e-6


def test_the_ways_put_right_what_they_name():
    true, flip = torch.randn(5, 4, 3), torch.tensor([1, 0, 3, 2])
    estimated = true + torch.tensor([1.0, 2.0, 3.0])
    found = {name: way(estimated, true, flip) for name, way in ORACLES.items()}
    torch.testing.assert_close(found["true depth"] - true, torch.tensor([1.0, 2.0, 0.0]).expand_as(true))
    torch.testing.assert_close(found["true x and y"] - true, torch.tensor([0.0, 0.0, 3.0]).expand_as(true))
    torch.testing.assert_close(found["without the sequence's mean error"], true)
    torch.testing.assert_close(found["with the sequence's mean error alone"], estimated)
    torch.testing.assert_close(ORACLES["true left and right"](true[:, flip], true, flip), true)


def test_without_markers_in_the_head_it_is_refused(capsys):
    assert main(["bench", "oracle", "--cfgs", "walkers_small_silhouette_lda"]) == 1
    assert "it needs a heatmap_cfg, bodies" in capsys.readouterr().err
