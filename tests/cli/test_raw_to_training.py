"""The whole way without a licensed byte: walkers as a raw dataset, prepared, looked at, trained on."""

import pickle

import pytest

from opengait_meshgait.cli.main import main

CONFIG = """
data_cfg:
  dataset_name: {name}
  dataset_root: {root}
  dataset_partition: {partition}
  data_in_use: [true, true]
  num_workers: 0
  test_dataset_name: {name}
loss_cfg:
  - {{type: TripletLoss, log_prefix: triplet, margin: 0.2}}
  - {{type: MarkerLoss, log_prefix: marker}}
  - {{type: JointLoss, log_prefix: joint}}
  - {{type: MeshLoss, log_prefix: mesh, norm: l2}}
model_cfg:
  backbone_cfg: {{type: Plain, layers_cfg: [BC-4, M, FC-6-1, M, BC-8]}}
  heatmap_cfg: {{type: HeatmapEstimator, markers: 64, depth: 4, channels: [4, 6, 8]}}
  HeatmapFeatures: {{channels: [4, 6]}}
  SeparateFCs: {{out_channels: 8}}
  SeparateBNNecks: {{class_num: 4}}
  bin_num: [4]
trainer_cfg:
  enable_float16: false
  total_iter: 2
  save_iter: 2
  log_iter: 1
  save_name: tiny
  sampler: {{batch_size: [2, 2], frames_num_fixed: 4}}
  transform: [{{type: BaseSilCuttingTransform}}, {{type: NoOperation}}]
evaluator_cfg:
  transform: [{{type: BaseSilCuttingTransform}}, {{type: NoOperation}}]
"""


@pytest.mark.parametrize(
    ("layout", "name", "bodies"), [("gait3d", "Walkers", "1-smpls.pkl"), ("oumvlp", "OUMVLP", "1-joints.pkl")]
)
def test_raw_to_training(layout, name, bodies, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    walkers = ["--ids", "6", "--views", "0,90", "--seqs", "nm:2", "--frames", "5", "--train", "4", "--workers", "1"]
    assert main(["walkers", "--raw", layout, "--out", "raw", *walkers]) == 0
    assert main(["prepare", layout, "--root", "raw", "--out", "prepared", "--workers", "1"]) == 0
    assert "type the same again with --train N or --partition FILE" in capsys.readouterr().out
    folders = sorted((tmp_path / "prepared").glob("*/*/*"))
    assert len(folders) == 6 * 2 * 2
    for folder in folders:
        assert [path.name for path in sorted(folder.iterdir())] == ["0-sils.pkl", bodies, "2-weights.pkl"]
        assert pickle.loads((folder / "2-weights.pkl").read_bytes()).min() > 0.5
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(name=name, root="prepared", partition="raw/partition.json"))
    capsys.readouterr()
    assert main(["doctor", "--cfgs", "config.yaml"]) == 0
    assert "Ready to train" in capsys.readouterr().out
    assert main(["train", "--cfgs", "config.yaml", "--device", "cpu"]) == 0
    assert list((tmp_path / "output").glob("*/*/tiny/checkpoints/tiny-00002.pt"))
