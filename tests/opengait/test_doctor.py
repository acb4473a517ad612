"""`meshgait doctor --opengait ROOT`: what a checkout lacks, and what OpenGait would take otherwise than it is meant."""

import re
import shutil
import subprocess

import pytest
import torch

from opengait_meshgait.cli.main import main
from opengait_meshgait.opengait.attach import attach

OURS = ["OpenGait checkout", "OpenGait's packages", "OpenGait and this config", "OpenGait's test"]


@pytest.fixture
def landmarks(tmp_path):
    """What tells a checkout of OpenGait, with one loss."""
    root = tmp_path / "OpenGait"
    names = ("opengait/main.py", "opengait/modeling/base_model.py", "opengait/modeling/models/__init__.py")
    for name in (*names, "configs/default.yaml", "opengait/modeling/losses/other.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    (root / "opengait/modeling/losses/other.py").write_text("class OtherLoss:\n    pass\n")
    return root


@pytest.fixture
def doctor(landmarks, tiny_config, write, capsys, monkeypatch):
    """A function that runs the doctor with changes of sections: its exit code, and each check's line by name."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)

    def run(root=landmarks, **changes):
        config = tiny_config()
        for section, change in changes.items():
            config[section] = {**config[section], **change} if isinstance(change, dict) else change
        status = main(["doctor", "--opengait", str(root), "--cfgs", str(write(config))])
        lines = capsys.readouterr().out.splitlines()
        return status, {line[5:].partition(":")[0]: line for line in lines if line[3:4] in ("✓", "✗", "–")}

    return run


def failed(lines):
    return [name for name, line in lines.items() if line[3] == "✗"]


def test_all_is_well(doctor, landmarks):
    status, lines = doctor()
    assert (status, [*lines][-4:]) == (0, OURS)
    assert "commit unknown; not attached" in lines["OpenGait checkout"]
    assert "batch_size is 2 now" in lines["OpenGait and this config"]
    assert "eval_func is evaluate_walkers now" in lines["OpenGait and this config"]
    assert "2 sequence(s) at once, one for each process, in place of the config's 4" in lines["test batches"]
    assert f"{landmarks}/output/Walkers/MeshGait/Tiny" in lines["outputs"]
    assert not (landmarks / "output").exists()
    attach(landmarks)
    assert "MeshGait is attached" in doctor()[1]["OpenGait checkout"]


def test_losses_of_opengait(doctor, tiny_config):
    losses = tiny_config()["loss_cfg"]
    losses[0] = {"type": "OtherLoss", "log_prefix": "triplet"}
    status, lines = doctor(loss_cfg=losses)
    assert (status, failed(lines)) == (0, [])
    losses[0]["type"] = "NoLoss"
    status, lines = doctor(loss_cfg=losses)
    assert (status, failed(lines)) == (1, ["OpenGait and this config"])


def test_a_batch_that_its_processes_cannot_share(doctor):
    sampler = {"batch_size": [3, 1], "frames_num_fixed": 3, "type": "TripletSampler"}
    assert failed(doctor(trainer_cfg={"sampler": sampler})[1]) == ["training batches"]


def test_paths_are_found_in_the_checkout(doctor, landmarks, walkers, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(walkers / "data", landmarks / "datasets/walkers")
    status, lines = doctor(data_cfg={"dataset_root": "datasets/walkers"})
    assert status == 0
    assert str(landmarks) in lines["data root"]


def test_what_a_checkout_lacks(doctor, landmarks, monkeypatch):
    (landmarks / "opengait/x.py").write_text("import no_such_package")
    assert failed(doctor()[1]) == ["OpenGait's packages"]
    (landmarks / "opengait/x.py").unlink()
    gait3d = {"eval_func": "evaluate_Gait3D", "sampler": {"batch_size": 2}}
    assert "OpenGait's test" in failed(doctor(evaluator_cfg=gait3d)[1])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert failed(doctor()[1]) == ["device"]
    (landmarks / "opengait/main.py").unlink()
    status, lines = doctor()
    assert (status, failed(lines)) == (1, ["device", "OpenGait checkout"])
    assert all(re.search(r"needs \d+, OpenGait checkout", lines[name]) for name in OURS[1:])


def test_a_real_checkout(pristine, cpu, tiny_config, write, tmp_path):
    arguments = ("-m", "opengait_meshgait", "doctor", "--opengait", pristine, "--cfgs", write(tiny_config()))
    said = cpu(*arguments, cwd=tmp_path)
    assert "21 checks: 21 passed, 0 failed, 0 skipped. Ready to train." in said
    assert "not attached" in said
    status = ["git", "-C", pristine, "status", "--short"]
    assert subprocess.run(status, capture_output=True, text=True, check=True).stdout == ""
