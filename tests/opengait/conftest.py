"""A copy of the OpenGait that OPENGAIT_ROOT names, unedited and attached, and tiny data for it."""

import functools
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from opengait_meshgait.body import layout
from opengait_meshgait.opengait.attach import attach
from opengait_meshgait.opengait.checkout import Checkout

ROOT = os.environ.get("OPENGAIT_ROOT")
HERE = Path(__file__).parent


def environment(**more):
    """Variables for Python with CPUs in the place of GPUs."""
    path = os.pathsep.join([str(HERE / "cpu"), str(HERE.parents[1])])
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", **more, "PYTHONPATH": path}


def run(*command, cwd, status=0, **env):
    """Run Python in that environment; what it says."""
    env = environment(**env)
    command = [sys.executable, *map(str, command)]
    done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == status, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def copy_opengait(tmp_path_factory):
    """A function that copies OpenGait, under git, as it was cloned."""
    if not ROOT:
        pytest.skip("set OPENGAIT_ROOT to a checkout of OpenGait to run this")
    missing = Checkout(ROOT).missing_packages()
    if missing:
        pytest.skip(f"the OpenGait in OPENGAIT_ROOT needs {', '.join(missing)}")

    def copy():
        root = tmp_path_factory.mktemp("checkout") / "OpenGait"
        shutil.copytree(Path(ROOT) / "opengait", root / "opengait", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("configs/default.yaml", "datasets/Gait3D/Gait3D.json", "datasets/OUMVLP/OUMVLP.json"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(ROOT) / name, root / name)
        shutil.copy(Path(ROOT) / ".gitignore", root)
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "x"]):
            subprocess.run(["git", "-C", root, *command], check=True)
        return root

    return copy


@pytest.fixture(scope="session")
def pristine(copy_opengait):
    """A checkout that MeshGait is never attached to."""
    return copy_opengait()


@pytest.fixture(scope="session")
def checkout(copy_opengait):
    """A checkout with MeshGait attached."""
    root = copy_opengait()
    attach(root)
    return root


@pytest.fixture(scope="session")
def cpu():
    """A function that runs a Python command with CPUs in the place of GPUs."""
    return run


@pytest.fixture(scope="session")
def cpu_environment():
    """The variables of such a command, without those of torchrun."""
    return environment()


@pytest.fixture(scope="session")
def python(checkout):
    """A function that runs a Python command in the checkout, as one process that OpenGait takes for the only one."""
    with socket.socket() as free:
        free.bind(("", 0))
        port = str(free.getsockname()[1])
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return functools.partial(run, cwd=checkout, **alone)


@pytest.fixture(scope="session")
def main(python):
    """A function that runs the literal command with a config and a phase."""

    def literal(config, phase, *more, **options):
        return python("opengait/main.py", "--cfgs", config, "--phase", phase, *more, **options)

    return literal


def write_sequence(folder, rng, frames=5):
    """Ellipses with holes as silhouettes, and standing bodies that sway, named as in a merged Gait3D folder."""
    row, column = np.mgrid[:64, :64]
    width = rng.uniform(6, 16) + np.sin(np.arange(frames))
    sils = (((column - 32) / width[:, None, None]) ** 2 + ((row - 32) / 32) ** 2 < 1) * 255
    # Sequences that look alike are nearly as far from each other as from themselves, and rounding decides their ranks.
    sils[:, rng.random((8, 8)).repeat(8, 0).repeat(8, 1) < 0.4] = 0
    smpls = np.zeros((frames, 85), np.float32)
    smpls[:, 0] = 1
    smpls[:, layout.POSE] = rng.normal(0, 0.1, (frames, 72))
    smpls[:, layout.ROOT_TURN] = [np.pi, 0, 0]
    folder.mkdir(parents=True)
    for name, array in {"sils-90.pkl": sils.astype(np.uint8), "smpls-90.pkl": smpls}.items():
        with (folder / name).open("wb") as file:
            pickle.dump(array, file)


@pytest.fixture(scope="session")
def walkers(tmp_path_factory):
    """Eight people of the walkers' types: four to train with, two to choose by, two to test with."""
    folder, rng = tmp_path_factory.mktemp("walkers"), np.random.default_rng(0)
    ids = [f"{person:04d}" for person in range(1, 9)]
    for label in ids:
        for kind in ("nm-01", "nm-02", "bg-01", "cl-01"):
            for view in ("000", "090"):
                write_sequence(folder / "data" / label / kind / view, rng)
    (folder / "partition.json").write_text(json.dumps({"TRAIN_SET": ids[:4], "VAL_SET": ids[4:6], "TEST_SET": ids[6:]}))
    return folder


@pytest.fixture(scope="session")
def tiny_config(walkers):
    """A config of a tiny Mesh-Gait for these data, as a YAML file would hold it; a new one at each call."""

    def make():
        transform = [{"type": "BaseSilCuttingTransform"}, {"type": "NoOperation"}]
        return {
            "data_cfg": {
                "dataset_name": "Walkers", "dataset_root": str(walkers / "data"), "num_workers": 0,
                "dataset_partition": str(walkers / "partition.json"), "data_in_use": [True, True],
                "test_dataset_name": "Walkers",
            },
            "model_cfg": {
                "model": "MeshGait",
                "backbone_cfg": {
                    "type": "ResNet9", "block": "BasicBlock", "channels": [4, 4, 8, 8], "layers": [1, 1, 1, 1],
                    "strides": [1, 2, 2, 1], "maxpool": False,
                },
                "heatmap_cfg": {"type": "HeatmapEstimator", "markers": 64, "depth": 2, "channels": [4, 8, 8]},
                "HeatmapFeatures": {"channels": [8]},
                "Discriminant": {"channels": 4, "components": 20, "marker_weight": "auto"},
                "SeparateFCs": {"out_channels": 8},
                "SeparateBNNecks": {"class_num": 4},
                "bin_num": [4],
            },
            "loss_cfg": [
                {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2},
                {"type": "CrossEntropyLoss", "log_prefix": "softmax", "loss_term_weight": 0.1, "log_accuracy": True},
                {"type": "MarkerLoss", "log_prefix": "marker"},
                {"type": "JointLoss", "log_prefix": "joint", "warmup": 4},
                {"type": "MeshLoss", "log_prefix": "mesh", "norm": "l2"},
                {"type": "SilhouetteLoss", "log_prefix": "silhouette"},
            ],
            "optimizer_cfg": {"solver": "SGD", "lr": 0.02},
            "scheduler_cfg": {"scheduler": "MultiStepLR", "milestones": [6]},
            "trainer_cfg": {
                "enable_float16": False, "save_name": "Tiny", "total_iter": 5, "save_iter": 2, "log_iter": 2,
                "with_test": True, "sampler": {"batch_size": [4, 2], "frames_num_fixed": 3, "type": "TripletSampler"},
                "transform": transform,
            },
            "evaluator_cfg": {
                "save_name": "Tiny", "restore_hint": 0, "sampler": {"batch_size": 4}, "transform": transform,
            },
        }  # fmt: skip

    return make


@pytest.fixture(scope="session")
def write(tmp_path_factory):
    """A function that writes a config to a YAML file of its own."""

    def to_file(config):
        path = tmp_path_factory.mktemp("config") / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    return to_file


@pytest.fixture(scope="session")
def write_sequences():
    """A function that writes sequences into folders."""

    def to_folders(root, names):
        rng = np.random.default_rng(0)
        for name in names:
            write_sequence(root / name, rng)

    return to_folders
