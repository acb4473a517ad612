"""What a user gets wrong is told before an iteration is trained."""

import json

import pytest

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.engine.trainer import Trainer
from opengait_meshgait.engine.training import train


@pytest.fixture(autouse=True)
def no_training(monkeypatch):
    """No mistake gets as far as the loop."""
    monkeypatch.setattr(Trainer, "run", lambda self: pytest.fail("training has begun"))


def set_key(raw, path, value):
    *parents, last = path.split(".")
    for key in parents:
        raw = raw[int(key)] if isinstance(raw, list) else raw.setdefault(key, {})
    raw[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("model_cfg.backbone_cfg.type", "ResNet", "Unknown backbone 'ResNet'. Did you mean 'ResNet9'"),
        (
            "model_cfg.backbone_cfg.chanels",
            [4],
            "chanels: ResNet9 has no such argument. Did you mean 'channels'",
        ),
        (
            "model_cfg.heatmap_cfg.type",
            "Heatmap",
            "Unknown heatmap estimator 'Heatmap'. Did you mean 'Heatm",
        ),
        ("model_cfg.heatmap_cfg.markers", 32, "64"),
        ("model_cfg.SeparateFCs.in_channels", 7, "SeparateFCs.in_channels is 7"),
        ("model_cfg.bin_num", [5], "bin_num"),
        ("model_cfg.SeparateBNNecks.class_num", 3, "Set class_num: 4"),
        ("model_cfg.body_cfg.body", "absent.npz", "absent.npz"),
        ("model_cfg.augment_cfg.flop", 0.5, "Did you mean 'flip'"),
        ("loss_cfg.0.type", "Triplet", "Unknown loss 'Triplet'. Did you mean 'TripletLoss'"),
        ("loss_cfg.0.magin", 0.2, "loss_cfg.0.magin: TripletLoss has no such argument. Did you mean 'margin'"),
        ("loss_cfg.0.log_prefix", "tripet", "Did you mean 'triplet'"),
        ("loss_cfg.1.log_prefix", "triplet", "triplet"),
        ("loss_cfg.2.norm", "l3", "l1"),
        ("trainer_cfg.transform.0.type", "BaseSilCuting", "Did you mean 'BaseSilCuttingTransform'"),
        ("evaluator_cfg.transform.0.type", "BaseSilCuting", "Did you mean 'BaseSilCuttingTransform'"),
        ("trainer_cfg.sampler.batch_size", [5, 2], "asks for 5 ids"),
        ("trainer_cfg.sampler.batch_size", [1, 2], "triplets need two or more"),
        ("trainer_cfg.restore_hint", 100, "Run-00100.pt is missing"),
        ("trainer_cfg.restore_hint", "absent.pt", "absent.pt is missing"),
        ("optimizer_cfg.lr", "fast", "optimizer_cfg.lr: found 'fast' (text); expected a number"),
        ("optimizer_cfg.lr", -1, "SGD refuses"),
        ("scheduler_cfg.milestones", 3, "MultiStepLR refuses"),
        ("data_cfg.dataset_root", "absent", "dataset_root absent is not a folder"),
        ("data_cfg.dataset_partition", "absent.json", "Cannot read absent.json"),
        ("data_cfg.test_dataset_name", "CASIAB", "Did you mean 'CASIA-B'"),
        ("evaluator_cfg.eval_func", "evaluate_Gait3D", "PROBE_SET"),
    ],
)
def test_mistakes(raw, tmp_path, path, value, message):
    raw["trainer_cfg"]["with_test"] = True
    set_key(raw, path, value)
    with pytest.raises(UserError) as error:
        train(make_config(raw), device="cpu", quiet=True, output=tmp_path)
    assert message in str(error.value)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "no silhouettes"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "truncated"),
        (lambda path: path.write_bytes(path.with_name("1-smpls.pkl").read_bytes()), "0-sils.pkl"),
    ],
    ids=["missing", "empty", "truncated", "other"],
)
@pytest.mark.parametrize("cache", [False, True])
def test_damaged_data(raw, make_dataset, tmp_path, damage, message, cache):
    partition = make_dataset(tmp_path / "data")
    path = tmp_path / "data" / "0003" / "bg-01" / "090" / "0-sils.pkl"
    damage(path)
    raw["data_cfg"] |= {"dataset_root": str(tmp_path / "data"), "dataset_partition": str(partition), "cache": cache}
    with pytest.raises(UserError) as error:
        train(make_config(raw), device="cpu", quiet=True, output=tmp_path)
    assert message in str(error.value)
    assert "0003/bg-01/090" in str(error.value)


def test_gait3d_protocol_needs_its_own_partition(raw, partition, tmp_path):
    raw["trainer_cfg"]["with_test"] = True
    raw["evaluator_cfg"]["eval_func"] = "evaluate_Gait3D"
    raw["data_cfg"]["dataset_partition"] = str(tmp_path / "p.json")
    (tmp_path / "p.json").write_text(json.dumps({**json.loads(partition.read_text()), "PROBE_SET": ["9999-nm-01-000"]}))
    with pytest.raises(UserError, match="None of the 1 probes"):
        train(make_config(raw), device="cpu", quiet=True, output=tmp_path / "out")


def test_no_cuda(config, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="--device cuda"):
        train(config, device="cuda", output=tmp_path)
