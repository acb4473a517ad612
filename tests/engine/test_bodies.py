"""Training and testing where bodies are joints alone, or do not count."""

import pickle

import numpy as np
import pytest
import torch

from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import BETAS, POSE
from opengait_meshgait.data.collate import collate
from opengait_meshgait.engine import build
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.engine.training import train
from opengait_meshgait.recipe.training_step import TrainingStep


@pytest.fixture
def bodies(raw, make_dataset, tmp_path):
    """A function that writes the tiny dataset anew, with joints alone or with weights, and points ``raw`` to it."""

    def write(joints=False, weight=None):
        partition = make_dataset(tmp_path / "data")
        raw["data_cfg"] |= {"dataset_root": str(tmp_path / "data"), "dataset_partition": str(partition)}
        body = load_body()
        for path in (tmp_path / "data").rglob("1-smpls.pkl"):
            smpls = torch.from_numpy(pickle.loads(path.read_bytes()))
            if joints:
                path.unlink()
                points = body.joints(smpls[:, POSE], smpls[:, BETAS]).numpy()
                path.with_name("1-joints.pkl").write_bytes(pickle.dumps(points))
            if weight is not None:
                path.with_name("2-weights.pkl").write_bytes(pickle.dumps(np.full(len(smpls), weight, np.float32)))
        return tmp_path / "data"

    return write


def run(raw, output):
    """Two iterations between two tests; what they logged, and the body errors of the tests."""
    raw["trainer_cfg"] |= {"with_test": True, "total_iter": 2, "save_iter": 2, "log_iter": 1}
    result = train(make_config(raw), device="cpu", quiet=True, output=output)
    scalars = [record["scalars"] for record in result.records if "scalars" in record]
    assert len(scalars) == 2 and all(np.isfinite([*values.values()]).all() for values in scalars)
    return scalars, [evaluation["bodies"] for evaluation in result.evaluations]


def steps(raw, count=1):
    """Losses of so many steps on one batch, and the first one's gradients of the heatmap estimator."""
    config = make_config(raw)
    torch.manual_seed(0)
    preparation = build.build_preparation(config, training=True)
    net = build.build_network(config, preparation.supervision)
    dataset = build.build_train_set(config, True)
    batch = collate([dataset[index, index] for index in (0, 1, 8, 9)], packed=False)
    step = TrainingStep(net, build.build_losses(config), preparation)
    optimizer, losses, gradients = torch.optim.Adam(net.parameters(), 0.01), [], None
    for _ in range(count):
        optimizer.zero_grad()
        result = step(batch, 100)
        result.loss.backward()
        gradients = gradients or {name: p.grad.clone() for name, p in net.HeatmapEstimator.named_parameters()}
        losses.append(result.loss.item())
        optimizer.step()
    return losses, gradients


@pytest.mark.parametrize("weight", [None, 0.5])
def test_joints_alone_train_and_are_measured(raw, bodies, tmp_path, weight):
    bodies(joints=True, weight=weight)
    raw["model_cfg"]["augment_cfg"] = {"flip": 0.5, "affine": {"probability": 1, "degrees": 5}}
    logged, errors = run(raw, tmp_path / "out")
    for scalars in logged:
        for name in ("marker/loss", "marker/marker_mm", "mesh/loss", "mesh/mpvpe_mm"):
            assert scalars[f"scalar/{name}"] == 0
        assert scalars["scalar/joint/mpjpe_mm"] > 10
    assert [found.keys() for found in errors] == [
        {"mpjpe_mm", "mpjpe_root_mm", "mpjpe_pa_mm", "legs_swapped_percent"}
    ] * 2


def test_joints_alone_teach_the_heatmaps(raw, bodies):
    bodies(joints=True)
    raw["loss_cfg"], raw["model_cfg"]["Discriminant"] = raw["loss_cfg"][2:], None
    losses, gradients = steps(raw, 10)
    assert all(gradient.any() for gradient in gradients.values())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("joints", [False, True])
def test_weights_of_zero_leave_recognition_alone(raw, bodies, tmp_path, joints):
    bodies(joints, weight=0)
    logged, errors = run(raw, tmp_path / "out")
    for scalars in logged:
        assert all(scalars[f"scalar/{name}/loss"] == 0 for name in ("marker", "joint", "mesh"))
        assert scalars["scalar/softmax/loss"] > 0
    assert errors == [{}] * 2
    raw["loss_cfg"], raw["model_cfg"]["Discriminant"] = raw["loss_cfg"][2:], None
    losses, gradients = steps(raw)
    assert losses == [0] and not any(gradient.any() for gradient in gradients.values())


def test_equal_weights_are_no_weights(raw, bodies):
    raw["loss_cfg"], raw["model_cfg"]["Discriminant"] = raw["loss_cfg"][2:], None
    _, plain = steps(raw)
    bodies(weight=0.5)
    _, halved = steps(raw)
    for name, gradient in plain.items():
        torch.testing.assert_close(halved[name], gradient, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("bodies_in", ["data of zeros", "no data"])
def test_silhouettes_teach_the_heatmaps_without_any_body(raw, bodies, tmp_path, bodies_in):
    for path in bodies().rglob("1-smpls.pkl"):
        if bodies_in == "data of zeros":
            path.write_bytes(pickle.dumps(np.zeros_like(pickle.loads(path.read_bytes()))))
        else:
            path.unlink()
    raw["loss_cfg"] = [*raw["loss_cfg"][:2], {"type": "SilhouetteLoss", "log_prefix": "silhouette"}]
    if bodies_in == "no data":
        raw["data_cfg"]["data_in_use"] = [True]
        for section in ("trainer_cfg", "evaluator_cfg"):
            raw[section]["transform"] = raw[section]["transform"][:1]
    raw["trainer_cfg"] |= {"with_test": True, "total_iter": 8, "save_iter": 8, "log_iter": 4}
    raw["loss_cfg"][-1]["loss_term_weight"] = 40
    raw["optimizer_cfg"] = {"solver": "AdamW", "lr": 0.01}
    result = train(make_config(raw), device="cpu", quiet=True, output=tmp_path / "out")
    first, second = (r["scalars"] for r in result.records if "scalars" in r)
    assert second["scalar/silhouette/loss"] < 0.9 * first["scalar/silhouette/loss"]
    assert {f"scalar/silhouette/{name}" for name in ("inside", "fill", "iou", "ramp")} < first.keys()
    tests = result.evaluations
    assert (
        not any(test["bodies"] or test["sequences_with_bodies"] for test in tests)
        and tests[-1]["iou"] > tests[0]["iou"]
    )


def test_sequences_with_and_without_bodies_side_by_side(raw, bodies, tmp_path, capsys):
    """Half of the people have none: what there is is told and measured."""
    folder = bodies()
    for label in ("0001", "0002", "0005"):
        for path in (folder / label).rglob("1-smpls.pkl"):
            path.write_bytes(pickle.dumps(np.zeros_like(pickle.loads(path.read_bytes()))))
    raw["trainer_cfg"] |= {"with_test": True, "total_iter": 1, "save_iter": 1}
    result = train(make_config(raw), device="cpu", output=tmp_path / "out")
    assert "16 of 32 training sequences have bodies." in capsys.readouterr().err
    test = result.evaluations[-1]
    assert test["sequences_with_bodies"] == 8 and "True bodies are known of 8 of the 16 sequences." in test["notes"]
    for path in (folder / "0005").rglob("*"):
        if path.name == "1-smpls.pkl":
            path.write_bytes((folder / "0006" / "nm-01" / "000" / "1-smpls.pkl").read_bytes())
    raw["trainer_cfg"]["save_name"] = "Again"
    all_known = train(make_config(raw), device="cpu", quiet=True, output=tmp_path / "out").evaluations[-1]
    # Not by those whose bodies are not known; but the networks learned from the same ones.
    assert all_known["sequences_with_bodies"] == 16
    assert test["bodies"]["mpjpe_mm"] != pytest.approx(all_known["bodies"]["mpjpe_mm"])
    assert test["iou"] == pytest.approx(all_known["iou"])
