"""The shipped configs, at their full size, take a training step and a test in both engines on tiny data."""

import json
import re

import pytest

from opengait_meshgait.common.configs import FOLDER, read_yaml
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.engine.testing import test as engine_test
from opengait_meshgait.engine.training import train as engine_train

LESS = {
    "data_cfg.num_workers": 0,
    "trainer_cfg.total_iter": 1,
    "trainer_cfg.log_iter": 1,
    "trainer_cfg.save_iter": 1,
    "trainer_cfg.with_test": True,
    "trainer_cfg.sampler.batch_size": [2, 2],
    "trainer_cfg.sampler.frames_num_fixed": 2,
}


def gait3d(partition):
    """Three people to train with, and of six to test with a probe and two others each."""
    names = [f"{label}/camid0_videoid{i}/seq0" for label in partition["TRAIN_SET"][:3] for i in range(2)]
    for probe in partition["PROBE_SET"][:6]:
        label, camera, sequence = probe.split("-")
        names += [f"{label}/{camera}/{sequence}", f"{label}/camid0_videoid0/seq8", f"{label}/camid0_videoid0/seq9"]
    return names


def oumvlp(partition):
    """Three people to train with and two to test with."""
    labels = partition["TRAIN_SET"][:3] + partition["TEST_SET"][:2]
    return [f"{label}/{kind}/{view}" for label in labels for kind in ("00", "01") for view in ("000", "090")]


@pytest.fixture(params=["gait3d", "oumvlp", "walkers", "walkers_bodies"])
def changes(request, checkout, walkers, write_sequences, tmp_path):
    """The config's name, and what must be set for the machine at hand."""
    if request.param.startswith("walkers"):
        places = {"dataset_root": walkers / "data", "dataset_partition": walkers / "partition.json"}
    else:
        name = {"gait3d": "Gait3D", "oumvlp": "OUMVLP"}[request.param]
        partition = checkout / "datasets" / name / f"{name}.json"
        sequences = {"gait3d": gait3d, "oumvlp": oumvlp}[request.param]
        write_sequences(tmp_path / "data", sequences(json.loads(partition.read_text())))
        places = {"dataset_root": tmp_path / "data", "dataset_partition": partition}
    return request.param, {**LESS, **{f"data_cfg.{key}": str(path) for key, path in places.items()}}


def changed(path, changes):
    config = read_yaml(path)
    for key, value in changes.items():
        *parents, last = key.split(".")
        section = config
        for parent in parents:
            section = section[parent]
        section[last] = value
    return config


def test_one_step_in_both_engines(changes, checkout, main, write, tmp_path):
    name, changes = changes
    said = main(write(changed(checkout / FOLDER / f"{name}.yaml", changes)), "train")
    assert re.search(r"Iteration 00001.*mesh_mpvpe_mm=\d", said)
    config = load_config(name, [f"{key}={json.dumps(value)}" for key, value in changes.items()])
    folder = checkout / "output" / config.data_cfg.dataset_name / "MeshGait" / name
    config.evaluator_cfg.restore_hint = str(folder / "checkpoints" / f"{name}-00001.pt")
    # After one step all embeddings are alike and rounding decides ranks, so the figures are not compared here.
    figures = engine_test(config, device="cpu", quiet=True, output=tmp_path / "theirs")["metrics"]
    for figure in ("Rank-1", "mAP", "mINP") if name == "gait3d" else ("NM@R1",):
        assert figure in figures and figure in said.splitlines()[-1]
    config.trainer_cfg.with_test = False
    assert engine_train(config, "cpu", quiet=True, output=tmp_path / "ours").iteration == 1


def test_openGait_reads_a_composed_config(checkout, walkers, main, write):
    places = {"dataset_root": walkers / "data", "dataset_partition": walkers / "partition.json"}
    changes = {**LESS, **{f"data_cfg.{key}": str(path) for key, path in places.items()}, "trainer_cfg.with_test": False}
    said = main(write(changed(checkout / FOLDER / "walkers_gaitset_shared.yaml", changes)), "train")
    assert re.search(r"Iteration 00001.*mesh_mpvpe_mm=\d", said) and "GaitSet" in said
