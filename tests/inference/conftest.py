"""A tiny dataset, and a tiny model trained on it for two iterations."""

import json
import pickle

import cv2
import numpy as np
import pytest
import torch

from opengait_meshgait.body.layout import ROOT_TURN
from opengait_meshgait.engine import testing as engine_test
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.engine.training import train
from opengait_meshgait.evaluation import evaluate_recognition
from opengait_meshgait.inference import load
from opengait_meshgait.networks import load_checkpoint

PEOPLE = ["0001", "0002", "0003", "0004"]


def silhouettes(rng, frames, size=64):
    """Ellipses that sway, uint8 [frames, size, size]."""
    pictures = np.zeros((frames, size, size), np.uint8)
    for picture in pictures:
        axes = (int(rng.integers(size // 10, size // 5)), size // 2)
        cv2.ellipse(picture, (size // 2, size // 2), axes, float(rng.uniform(-9, 9)), 0, 360, 255, -1)
    return pictures


@pytest.fixture
def sequences():
    """Six normalised sequences of different lengths, the longest in the middle."""
    rng = np.random.default_rng(1)
    return [silhouettes(rng, frames) for frames in (3, 7, 2, 9, 1, 3)]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """Four people, each seen twice from two views, sequences of 2 to 5 frames; with bodies. The root folder."""
    root = tmp_path_factory.mktemp("data") / "tiny"
    rng = np.random.default_rng(0)
    for person in PEOPLE:
        for kind in ("nm-01", "nm-02"):
            for view in ("000", "090"):
                folder = root / person / kind / view
                folder.mkdir(parents=True)
                frames = int(rng.integers(2, 6))
                bodies = rng.normal(scale=0.1, size=(frames, 85)).astype(np.float32)
                bodies[:, ROOT_TURN] = [np.pi, 0, 0]
                for name, content in (("0-sils", silhouettes(rng, frames)), ("1-smpls", bodies)):
                    with (folder / f"{name}.pkl").open("wb") as file:
                        pickle.dump(content, file)
    partition = {"TRAIN_SET": PEOPLE[:2], "TEST_SET": PEOPLE[2:]}
    root.with_suffix(".json").write_text(json.dumps(partition))
    return root


@pytest.fixture(scope="session")
def make_raw(dataset):
    """A function that gives the config of a tiny Mesh-Gait for these data, as a YAML file would hold it."""

    def make():
        transform = [{"type": "BaseSilCuttingTransform"}, {"type": "NoOperation"}]
        return {
            "data_cfg": {
                "dataset_name": "Tiny", "dataset_root": str(dataset),
                "dataset_partition": str(dataset.with_suffix(".json")), "data_in_use": [True, True], "num_workers": 0,
                "test_dataset_name": "Walkers",
            },
            "model_cfg": {
                "backbone_cfg": {
                    "type": "ResNet9", "block": "BasicBlock", "channels": [4, 4, 8, 8], "layers": [1, 1, 1, 1],
                    "strides": [2, 2, 1, 1], "maxpool": False,
                },
                "heatmap_cfg": {"type": "HeatmapEstimator", "markers": 64, "depth": 2, "channels": [4, 8, 8]},
                "HeatmapFeatures": {"channels": [8]},
                "SeparateFCs": {"out_channels": 8},
                "SeparateBNNecks": {"class_num": 2},
                "bin_num": [4],
            },
            "loss_cfg": [
                {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2},
                {"type": "MarkerLoss", "log_prefix": "marker"},
            ],
            "optimizer_cfg": {"solver": "SGD", "lr": 0.02},
            "trainer_cfg": {
                "enable_float16": False, "save_name": "Run", "total_iter": 2, "save_iter": 2, "log_iter": 2,
                "sampler": {"batch_size": [2, 2], "frames_num_fixed": 2}, "transform": transform,
            },
            "evaluator_cfg": {"sampler": {"batch_size": 4, "frames_all_limit": 720}, "transform": transform},
        }  # fmt: skip

    return make


@pytest.fixture(scope="session")
def checkpoint(make_raw, tmp_path_factory):
    """The file of a model trained for two iterations."""
    torch.manual_seed(0)
    return train(make_config(make_raw()), device="cpu", quiet=True, output=tmp_path_factory.mktemp("run")).checkpoint


@pytest.fixture(scope="session")
def with_lda_head(make_raw, tmp_path_factory):
    """Such a model with a fitted LDA head."""
    torch.manual_seed(0)
    raw = make_raw()
    # Less steep directions than two people's few sequences make, or rounding would show.
    raw["model_cfg"]["Discriminant"] = {"channels": 4, "components": 20, "shrinkage": 2.0, "marker_shrinkage": 1.0}
    found = train(make_config(raw), device="cpu", quiet=True, output=tmp_path_factory.mktemp("with_lda_head"))
    state = load_checkpoint(found.checkpoint)
    weights = state["model"]
    # After two iterations a body has no left and right, and its viewing angle would depend on rounding.
    weights["HeatmapEstimator.anchors.bias"].view(-1, 3)[:, 0] += 0.1 * weights["Discriminant.side"]
    torch.save(state, found.checkpoint)
    return load(found.checkpoint, device="cpu")


@pytest.fixture(scope="session")
def model(checkpoint):
    """The model itself."""
    return load(checkpoint, device="cpu")


@pytest.fixture(scope="session")
def engine_embeddings(checkpoint, make_raw, tmp_path_factory):
    """What the engine compares when it tests that model: names ``id/type/view``, and embeddings [8, c, p]."""
    caught = {}

    def catch(embeddings, labels, types, views, *protocol, **options):
        caught["names"] = [f"{label}/{kind}/{view}" for label, kind, view in zip(labels, types, views)]
        caught["embeddings"] = embeddings.numpy()
        return evaluate_recognition(embeddings, labels, types, views, *protocol, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_test, "evaluate_recognition", catch)
        engine_test.test(make_config(make_raw()), str(checkpoint), "cpu", True, tmp_path_factory.mktemp("test"))
    return caught["names"], caught["embeddings"]


@pytest.fixture
def change(checkpoint, tmp_path):
    """A function that writes the checkpoint once more, with entries changed or (None) taken out."""

    def write(**entries):
        state = {**load_checkpoint(checkpoint), **entries}
        torch.save({k: v for k, v in state.items() if v is not None}, tmp_path / "changed.pt")
        return tmp_path / "changed.pt"

    return write
