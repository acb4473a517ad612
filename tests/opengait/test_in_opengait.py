"""OpenGait's own main.py trains and tests MeshGait, and its checkpoints are the embedded engine's, both ways."""

import json
import pickle
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import BETAS, POSE
from opengait_meshgait.data import FrameSampling, GaitDataset, InferenceSampler, build_transforms, make_loader
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.engine.testing import test as engine_test
from opengait_meshgait.engine.training import train as engine_train
from opengait_meshgait.networks import MeshGaitNet, load_checkpoint, load_weights
from opengait_meshgait.opengait.attach import attach, detach

RUN = Path("output/Walkers/MeshGait/Tiny")


def figures(said):
    """The last cross-view evaluation in a log."""
    found = re.findall(r"(\w+@\w+): ([\d.]+)%", said)[-12:]
    return {name: float(value) for name, value in found}


@pytest.fixture(scope="session")
def config_file(tiny_config, write):
    return write(tiny_config())


@pytest.fixture(scope="session")
def trained(main, config_file):
    """What OpenGait said while it trained."""
    return main(config_file, "train")


@pytest.fixture(scope="session")
def theirs(trained, checkout):
    """OpenGait's last checkpoint."""
    return checkout / RUN / "checkpoints" / "Tiny-00005.pt"


@pytest.fixture(scope="session")
def ours(tiny_config, tmp_path_factory):
    """The embedded engine's last checkpoint."""
    config = tiny_config()
    config["trainer_cfg"]["with_test"] = False
    return engine_train(make_config(config), "cpu", quiet=True, output=tmp_path_factory.mktemp("engine")).checkpoint


def embed(config, checkpoint):
    """Embeddings of the test set, by this package alone."""
    sections = make_config(config)
    arguments = sections.model_cfg.model_dump(exclude={"model", "body_cfg", "augment_cfg"}, exclude_none=True)
    net = MeshGaitNet(**arguments)
    load_weights(net, load_checkpoint(checkpoint), strict=True, source=checkpoint)
    dataset = GaitDataset(config["data_cfg"], "test", False, FrameSampling("all_ordered"))
    transform, _ = build_transforms([{"type": "BaseSilCuttingTransform"}], False)
    net.eval()
    with torch.no_grad():
        batches = make_loader(dataset, InferenceSampler(dataset, 4))
        outputs = [net(transform(batch.sils), batch.seqL) for batch in batches]
        return torch.cat([getattr(output, net.matched()) for output in outputs]).numpy()


def test_training(trained, theirs, checkout):
    saved = sorted(path.name for path in theirs.parent.iterdir())
    assert saved == ["Tiny-00002.pt", "Tiny-00004.pt", "Tiny-00005.pt"]
    assert trained.count("Running test") == 2 and figures(trained)
    for term in (
        "triplet_loss",
        "softmax_accuracy",
        "joint_mpjpe_mm",
        "marker_marker_mm",
        "mesh_mpvpe_mm",
        "silhouette_iou",
    ):
        assert f"{term}=" in trained
    events = EventAccumulator(str(checkout / RUN / "summary"))
    events.Reload()
    picture = events.Images("batch")[0]
    assert (picture.height, picture.width) == (2 * 256, 3 * 192)
    assert events.Scalars("mesh/mpvpe_mm")


def test_the_last_weights_have_a_fitted_lda_head(trained, theirs):
    assert trained.count("fitting the LDA head to the training set") == 1
    assert trained.count("chosen by 2 validation people") == 1
    first, last = (load_checkpoint(theirs.with_name(f"Tiny-{n:05d}.pt"))["model"] for n in (4, 5))
    for name in ("silhouettes.basis", "markers.components"):  # the markers may weigh nothing
        assert not first[f"Discriminant.{name}"].any()
        assert last[f"Discriminant.{name}"].any()


def test_literal_test_takes_the_newest_weights(main, theirs, config_file, tiny_config, tmp_path):
    said = main(config_file, "test")
    assert "restore_hint is 5 now, the newest" in said
    assert "batch_size is 1 now, the number of processes" in said
    config = tiny_config()
    config["evaluator_cfg"]["restore_hint"] = str(theirs)
    result = engine_test(make_config(config), device="cpu", quiet=True, output=tmp_path)
    assert figures(said) == pytest.approx(result["metrics"], abs=0.005)
    assert result["bodies"]


def test_both_have_the_same_weights(theirs, ours):
    theirs, ours = load_checkpoint(theirs), load_checkpoint(ours)
    assert theirs["model"].keys() == ours["model"].keys()
    assert [*theirs["model"]] == [*ours["model"]]
    for name, value in ours["model"].items():
        assert theirs["model"][name].shape == value.shape
    shapes = [[state["momentum_buffer"].shape for state in c["optimizer"]["state"].values()] for c in (theirs, ours)]
    assert shapes[0] == shapes[1]


def test_embeddings_are_the_same(python, theirs, ours, config_file, tiny_config, tmp_path):
    found = []
    # The LDA head, of the last weights alone, makes differences by rounding larger.
    for checkpoint, near in ((theirs, 1e-4), (ours, 1e-4), (theirs.with_name("Tiny-00004.pt"), 1e-5)):
        python(Path(__file__).parent / "embed.py", config_file, tmp_path / "out.npy", checkpoint)
        found.append(np.load(tmp_path / "out.npy")[0])
        expected = embed(tiny_config(), checkpoint)
        np.testing.assert_allclose(found[-1], expected, atol=near)
        assert expected.std() > 1e-3
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_opengait_goes_on_from_the_engine(main, ours, tiny_config, write):
    config = tiny_config()
    config["trainer_cfg"] |= {"restore_hint": str(ours), "save_name": "GoesOn", "total_iter": 2, "with_test": False}
    said = main(write(config), "train")
    assert f"Restore Parameters from {ours}" in said
    assert "Iteration 00002" in said and "scheduler_reset is true now" in said


def test_other_people(main, ours, walkers, tiny_config, write, tmp_path):
    ids = sum(json.loads((walkers / "partition.json").read_text()).values(), [])
    (tmp_path / "p.json").write_text(json.dumps({"TRAIN_SET": ids, "TEST_SET": ids[:2]}))
    config = tiny_config()
    config["data_cfg"]["dataset_partition"] = str(tmp_path / "p.json")
    config["model_cfg"]["SeparateBNNecks"]["class_num"] = 8
    config["trainer_cfg"] |= {"restore_hint": str(ours), "save_name": "Others", "total_iter": 2, "with_test": False}
    config["trainer_cfg"]["restore_ckpt_strict"] = False
    said = main(write(config), "train")
    assert "left out: BNNecks.fc_bin: [4, 8, 4] in the file, [4, 8, 8] in the network" in said
    assert "Iteration 00002" in said and "optimizer_reset is true now" in said


def test_the_engine_goes_on_from_opengait(theirs, tiny_config, tmp_path):
    config = tiny_config()
    config["trainer_cfg"] |= {"restore_hint": str(theirs), "total_iter": 2, "with_test": False}
    assert engine_train(make_config(config), "cpu", quiet=True, output=tmp_path).iteration == 2


def test_opengait_resumes(main, theirs, tiny_config, write):
    config = tiny_config()
    config["trainer_cfg"] |= {"restore_hint": 4, "total_iter": 6, "with_test": False, "fix_BN": True, "sync_BN": True}
    said = main(write(config), "train")
    assert "Tiny-00004.pt" in said
    assert "Iteration 00006" in said and "Iteration 00004" not in said


def test_joints_alone_with_weights(main, walkers, tiny_config, write, tmp_path):
    shutil.copytree(walkers / "data", tmp_path / "data")
    body = load_body()
    for path in (tmp_path / "data").rglob("smpls-90.pkl"):
        smpls = torch.from_numpy(pickle.loads(path.read_bytes()))
        path.unlink()
        joints = body.joints(smpls[:, POSE], smpls[:, BETAS]).numpy()
        path.with_name("joints-90.pkl").write_bytes(pickle.dumps(joints))
        path.with_name("weights-90.pkl").write_bytes(pickle.dumps(np.linspace(0, 1, len(joints), dtype=np.float32)))
    config = tiny_config()
    config["data_cfg"]["dataset_root"] = str(tmp_path / "data")
    config["trainer_cfg"] |= {"save_name": "Joints", "total_iter": 2}
    said = main(write(config), "train")
    (line,) = (line for line in said.splitlines() if "Iteration 00002" in line)
    logged = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", line)}
    assert logged["marker_loss"] == logged["mesh_loss"] == logged["marker_marker_mm"] == 0
    assert logged["joint_mpjpe_mm"] > 10 and logged["joint_loss"] > 0
    assert figures(said)


def test_two_processes(python, tiny_config, write):
    config = tiny_config()
    config["trainer_cfg"] |= {"save_name": "Two", "total_iter": 3}
    config["data_cfg"]["num_workers"] = 1
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    said = python(*launch, "opengait/main.py", "--cfgs", write(config), "--phase", "train")
    assert "Iteration 00002" in said and figures(said)


def test_two_data_sets(main, tiny_config, write):
    config = tiny_config()
    # The same people under another name are others.
    more = {**config["data_cfg"], "dataset_name": "More", "test_dataset_name": "OUMVLP"}
    config["data_cfg"] = [config["data_cfg"], more]
    config["model_cfg"]["SeparateBNNecks"]["class_num"] = 8
    config["trainer_cfg"] |= {"save_name": "Several", "total_iter": 4}
    config["evaluator_cfg"]["save_name"] = "Several"
    path = write(config)
    said = main(path, "train")
    assert "Iteration 00004" in said and "eval_func is evaluate_walkers now" in said
    assert "output/Walkers_More/MeshGait/Several/checkpoints/Several-00004.pt" in main(path, "test")
    config["data_cfg"].append(more)
    said = main(write(config), "train", status=1)
    assert "data_cfg: More stands several times in the list" in said and "Traceback" not in said


@pytest.fixture
def silhouettes(tiny_config):
    """A config of OpenGait's own GaitBase."""
    config = tiny_config()
    config["data_cfg"]["data_in_use"] = [True, False]
    config["loss_cfg"] = config["loss_cfg"][:2]
    config["model_cfg"] |= {"model": "Baseline", "heatmap_cfg": None}
    config["model_cfg"]["SeparateFCs"] |= {"in_channels": 8, "parts_num": 4}
    config["model_cfg"]["SeparateBNNecks"] |= {"in_channels": 8, "parts_num": 4}
    config["trainer_cfg"] |= {"save_name": "Silhouettes", "total_iter": 2, "with_test": False}
    config["trainer_cfg"]["transform"] = config["trainer_cfg"]["transform"][:1]
    return config


def test_without_bodies(main, silhouettes, write):
    silhouettes["model_cfg"]["model"] = "MeshGait"
    assert "Iteration 00002" in main(write(silhouettes), "train")


def test_opengaits_own_models_run_where_the_package_is_not_installed(main, silhouettes, write):
    said = main(write(silhouettes), "train", HIDDEN_PACKAGE="opengait_meshgait")
    assert said.count("MeshGait is not available: ModuleNotFoundError") == 1
    assert "Iteration 00002" in said


def test_mistakes_are_told_without_a_traceback(main, tiny_config, write):
    config = tiny_config()
    config["model_cfg"]["fuson"] = "add"
    config["data_cfg"]["data_in_use"] = [1, 1]
    config["evaluator_cfg"]["metric"] = "cosine"
    said = main(write(config), "train", status=1)
    assert "model_cfg.fuson: unknown key. Did you mean 'fusion'?" in said
    assert "evaluator_cfg.metric: unknown 'cosine'" in said
    assert "data_cfg.data_in_use: found [1, 1]" in said
    assert "Traceback" not in said


def test_without_torchrun_and_a_signal(checkout, cpu_environment, tiny_config, write):
    config = tiny_config()
    config["trainer_cfg"] |= {"save_name": "Alone", "total_iter": 10000, "save_iter": 5000, "with_test": False}
    command = [sys.executable, "opengait/main.py", "--cfgs", write(config), "--phase", "train"]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=checkout, env=cpu_environment, **pipe) as process:
        said = b""
        for line in process.stdout:
            if b"Iteration 00002" in line:
                process.send_signal(signal.SIGTERM)
            said += line
    assert process.returncode == 143, said.decode()
    assert b"MeshGait: started without torchrun, as one process." in said and b"Traceback" not in said
    iteration = int(re.search(rb"stopped at iteration (\d+), which is saved", said)[1])
    (saved,) = (checkout / RUN.with_name("Alone") / "checkpoints").iterdir()
    assert saved.name == f"Alone-{iteration:05d}.pt" and load_checkpoint(saved)["iteration"] == iteration


def test_detach_leaves_git_clean(checkout, trained):
    detach(checkout)
    status = subprocess.run(["git", "-C", checkout, "status", "--short"], capture_output=True, text=True, check=True)
    attach(checkout)
    assert status.stdout == ""
