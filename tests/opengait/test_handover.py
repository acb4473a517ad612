"""`meshgait train|test --opengait ROOT`: OpenGait runs on our config, and its checkout stays as it is."""

import subprocess

import pytest
import torch

from opengait_meshgait.cli.main import main
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.opengait.launch import launch, resolve_paths


def status(root):
    return subprocess.run(["git", "-C", root, "status", "--short"], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def landmarks(tmp_path):
    """What tells a checkout of OpenGait, and no code."""
    root = tmp_path / "OpenGait"
    names = ("opengait/main.py", "opengait/modeling/base_model.py", "opengait/modeling/models/__init__.py")
    for name in (*names, "configs/default.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    return root


def test_train_go_on_and_test(pristine, cpu, tiny_config, write, walkers):
    config = tiny_config()
    config["trainer_cfg"] |= {"save_name": "Handed", "total_iter": 2}
    del config["data_cfg"]["test_dataset_name"], config["evaluator_cfg"]["save_name"]
    config["data_cfg"] |= {"dataset_root": "data", "dataset_partition": "partition.json"}
    command = ("-m", "opengait_meshgait", "train", "--opengait", pristine, "--cfgs", write(config))
    said = cpu(*command, cwd=walkers)
    assert "Iteration 00002" in said and "NM@R1" in said
    said = cpu(*command, "--nproc", 2, "--set", "trainer_cfg.total_iter=4", cwd=walkers, CPU_DEVICES="2")
    assert "Handed-00002.pt" in said and "Iteration 00004" in said
    assert "batch_size is 2 now" in said
    said = cpu(*command, "--set", "trainer_cfg.total_iter=4", cwd=walkers, status=1)
    assert "is at iteration 4 already" in said
    said = cpu("-m", "opengait_meshgait", "test", *command[3:], "--iter", "last", cwd=walkers)
    assert "restore_hint is 4 now" in said and "NM@R1" in said
    assert status(pristine) == ""


def test_mistakes_are_found_before_anything_starts(landmarks, tiny_config, write, capsys, monkeypatch):
    config = tiny_config()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)

    def told(*more, command="train", **changes):
        content = {**config, **changes}
        assert main([command, "--opengait", str(landmarks), "--cfgs", str(write(content)), *more]) == 1
        return capsys.readouterr().err

    assert "unknown key" in told(trainer_cfg={**config["trainer_cfg"], "total_iters": 3})
    assert "OpenGait runs on CUDA only" in told("--device", "cpu")
    assert "name an iteration, or last" in told("--iter", "best", command="test")
    assert "1 here, and --nproc asks for 2" in told("--nproc", "2")
    (landmarks / "opengait" / "x.py").write_text("import no_such_package")
    assert "lacks: no_such_package" in told()
    (landmarks / "opengait" / "main.py").unlink()
    assert "is no checkout of OpenGait" in told()


def test_without_a_gpu(landmarks, tiny_config, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UserError, match="sees no GPU here"):
        launch(landmarks, tiny_config(), "train")


def test_paths_are_resolved(tmp_path, monkeypatch, tiny_config):
    here, root = tmp_path / "here", tmp_path / "root"
    for file in (here / "data", here / "b.npz", root / "partition.json", root / "b.npz"):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    monkeypatch.chdir(here)
    config = tiny_config()
    config["data_cfg"] |= {"dataset_root": "data", "dataset_partition": "./partition.json"}
    config["model_cfg"]["body_cfg"] = {"body": "b.npz", "markers": None}
    config["trainer_cfg"]["restore_hint"] = "nowhere.pt"
    config["evaluator_cfg"]["restore_hint"] = 7
    resolved = resolve_paths(config, root)
    assert resolved["data_cfg"]["dataset_root"] == str(here / "data")
    assert resolved["data_cfg"]["dataset_partition"] == str(root / "partition.json")
    assert resolved["model_cfg"]["body_cfg"] == {"body": str(here / "b.npz"), "markers": None}
    assert resolved["trainer_cfg"]["restore_hint"] == str(here / "nowhere.pt")
    assert resolved["evaluator_cfg"]["restore_hint"] == 7
    assert config["data_cfg"]["dataset_root"] == "data"
