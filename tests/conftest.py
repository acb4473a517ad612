"""Settings for the whole suite, and a tiny dataset in OpenGait's layout with configs for it."""

import gc
import importlib.util
import json
import os
import pickle
import resource
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import settings

from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import ROOT_TURN
from opengait_meshgait.common.pictures import normalize_silhouette
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.walkers import WalkerSet
from opengait_meshgait.walkers.sequence import film_walk
from opengait_meshgait.walkers.world import WORLDS

settings.register_profile("suite", deadline=None, max_examples=30, derandomize=True)
settings.load_profile("suite")


def pytest_collection_finish():
    """What has been imported stays: looking for garbage in it so often took a twentieth of the suite's time."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Two pytest workers on two cores: more threads than that only wait for each other. And sums come out the same,
    with workers and without."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def no_16_bits_by_itself():
    """Values are compared to 1e-5 and bytes with bytes, on processors with bfloat16 as on those without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
        yield


@pytest.fixture(scope="session")
def render_walk():
    """One walk as a gait dataset holds it: by view silhouettes, uint8 [T, 64, 64], and frames, float32 [T, 85]."""
    body = load_body()

    def render(name, views, frames, seed, world=WORLDS["studio"]):
        filmed = film_walk(body, name, WalkerSet(views=views, frames=frames, seed=seed, world=world))
        return {view: (np.stack([*map(normalize_silhouette, seen)]), smpls) for view, (seen, smpls) in filmed.items()}

    return render


@pytest.fixture(scope="session")
def ellipses():
    """A function that gives silhouettes as high as their pictures, uint8 [frames, size, size]."""

    def make(frames, size=64):
        row, column = np.mgrid[:size, :size] + 0.5 - size / 2
        inside = (4 * column / size) ** 2 + (2 * row / size) ** 2 < 1
        return np.repeat(inside[None] * np.uint8(255), frames, 0)

    return make


TYPES = ("nm-01", "nm-02", "bg-01", "cl-01")
VIEWS = ("000", "090")


def write_dataset(root, people=6, train=4, frames=8, seed=0, **more):
    """Ellipses as silhouettes and little poses as bodies; returns the partition's path."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:64, :64]
    ids = [f"{person:04d}" for person in range(1, people + 1)]
    for label in ids:
        width = rng.uniform(6, 16)
        for kind in TYPES:
            for view in VIEWS:
                folder = root / label / kind / view
                folder.mkdir(parents=True)
                swing = width + 4 * np.sin(np.arange(frames) + rng.uniform(0, 6)) + 2 * (kind[:2] == "cl")
                ellipse = ((column - 32) / swing[:, None, None]) ** 2 + ((row - 32) / 32) ** 2 < 1
                smpls = np.concatenate(
                    [np.tile([1.0, 0, 0], (frames, 1)), rng.normal(0, 0.1, (frames, 72)), np.full((frames, 10), 0.1)], 1
                )
                # The root turns the body, which stands with y up, into the camera's y down.
                smpls[:, ROOT_TURN] = [np.pi, 0, 0]
                with (folder / "0-sils.pkl").open("wb") as file:
                    pickle.dump((ellipse * 255).astype(np.uint8), file)
                with (folder / "1-smpls.pkl").open("wb") as file:
                    pickle.dump(smpls.astype(np.float32), file)
    partition = root.parent / f"{root.name}.json"
    partition.write_text(json.dumps({"TRAIN_SET": ids[:train], "TEST_SET": ids[train:], **more}))
    return partition


@pytest.fixture(scope="session")
def partition(tmp_path_factory):
    """Six people: four to train with, two to test with."""
    return write_dataset(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture(scope="session")
def make_dataset():
    """A function that writes such a dataset into a folder of one's own."""
    return write_dataset


@pytest.fixture
def raw(partition):
    """A config of a tiny Mesh-Gait for these data, as a YAML file would hold it."""
    return {
        "data_cfg": {
            "dataset_name": "Tiny",
            "dataset_root": str(partition.with_suffix("")),
            "dataset_partition": str(partition),
            "data_in_use": [True, True],
            "num_workers": 0,
            "test_dataset_name": "Walkers",
        },
        "model_cfg": {
            "backbone_cfg": {
                "type": "ResNet9", "block": "BasicBlock", "channels": [4, 4, 8, 8], "layers": [1, 1, 1, 1],
                "strides": [2, 2, 1, 1], "maxpool": False,
            },
            "heatmap_cfg": {"type": "HeatmapEstimator", "markers": 64, "depth": 2, "channels": [4, 8, 8]},
            "HeatmapFeatures": {"channels": [8]},
            "Discriminant": {"channels": 4, "components": 20},
            "SeparateFCs": {"out_channels": 8},
            "SeparateBNNecks": {"class_num": 4},
            "bin_num": [4],
        },
        "loss_cfg": [
            {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2},
            {"type": "CrossEntropyLoss", "log_prefix": "softmax", "loss_term_weight": 0.1},
            {"type": "MarkerLoss", "log_prefix": "marker"},
            {"type": "JointLoss", "log_prefix": "joint", "warmup": 4},
            {"type": "MeshLoss", "log_prefix": "mesh", "norm": "l2"},
        ],
        "optimizer_cfg": {"solver": "SGD", "lr": 0.02},
        "scheduler_cfg": {"scheduler": "MultiStepLR", "milestones": [6]},
        "trainer_cfg": {
            "enable_float16": False, "save_name": "Run", "total_iter": 8, "save_iter": 4, "log_iter": 2,
            "sampler": {"batch_size": [4, 2], "frames_num_fixed": 2},
            "transform": [{"type": "BaseSilCuttingTransform"}, {"type": "NoOperation"}],
        },
        "evaluator_cfg": {
            "sampler": {"batch_size": 4},
            "transform": [{"type": "BaseSilCuttingTransform"}, {"type": "NoOperation"}],
        },
    }  # fmt: skip


@pytest.fixture
def config(raw):
    """The same, checked."""
    return make_config(raw)


@pytest.fixture
def baseline(raw):
    """``raw`` without its heatmap branch."""
    raw["model_cfg"] |= {"heatmap_cfg": None, "HeatmapFeatures": None}
    raw["loss_cfg"] = raw["loss_cfg"][:2]
    raw["data_cfg"]["data_in_use"] = [True, False]
    for section in ("trainer_cfg", "evaluator_cfg"):
        raw[section]["transform"] = raw[section]["transform"][:1]
    return raw


@pytest.fixture
def load_opengait(monkeypatch):
    """A function that loads modules of an OpenGait checkout by path, without its package, which needs torchvision.

    It takes their folder, what they find in OpenGait's ``utils``, and their names, in an order that imports allow.
    """
    if not (root := os.environ.get("OPENGAIT_ROOT")):
        pytest.skip("OPENGAIT_ROOT names no OpenGait checkout")

    def load(folder, utils, *names):
        place = Path(root) / "opengait" / folder
        stand_in, package = ModuleType("utils"), ModuleType("opengait_by_path")
        vars(stand_in).update(utils)
        package.__path__ = [str(place)]
        monkeypatch.setitem(sys.modules, "utils", stand_in)
        monkeypatch.setitem(sys.modules, package.__name__, package)
        found = []
        for name in names:
            spec = importlib.util.spec_from_file_location(f"{package.__name__}.{name}", place / f"{name}.py")
            found.append(importlib.util.module_from_spec(spec))
            monkeypatch.setitem(sys.modules, spec.name, found[-1])
            spec.loader.exec_module(found[-1])
        return found

    return load


@pytest.fixture
def room():
    """Says how large files may grow, bytes: writing beyond fails as it does where no space is left."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
