"""The real command, in processes of its own: kill -9, torchrun, exit codes."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from opengait_meshgait.cli.main import main
from opengait_meshgait.engine import testing as engine_test
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.engine.progress import read_log
from opengait_meshgait.engine.training import train
from opengait_meshgait.networks import load_checkpoint

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
ENVIRONMENT["OMP_NUM_THREADS"] = "1"
MESHGAIT = [sys.executable, "-m", "opengait_meshgait"]


def write(raw, folder):
    folder.mkdir(exist_ok=True)
    (folder / "x.yaml").write_text(yaml.safe_dump(raw))
    return ["train", "--cfgs", "x.yaml", "--device", "cpu"]


def test_kill_in_mid_training(raw, tmp_path):
    raw["trainer_cfg"] |= {"total_iter": 12, "save_iter": 1, "log_iter": 1, "with_test": False}
    expected = train(make_config(raw), device="cpu", quiet=True, output=tmp_path / "whole")
    command = [*MESHGAIT, *write(raw, tmp_path / "killed")]
    folder = tmp_path / "killed" / "output" / "Tiny" / "MeshGait" / "Run"
    process = subprocess.Popen(command, cwd=tmp_path / "killed", env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    try:
        moment = random.randint(2, 6)
        while len(read_log(folder)) < moment and process.poll() is None:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.1))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert 2 <= len(read_log(folder)) < 12
    subprocess.run(command, cwd=tmp_path / "killed", env=ENVIRONMENT, check=True, capture_output=True)
    states = [load_checkpoint(path) for path in (expected.checkpoint, folder / "checkpoints" / "Run-00012.pt")]
    for key in ("model", "optimizer", "scheduler"):
        assert_identical(states[0][key], states[1][key], key)
    assert [record["iteration"] for record in read_log(folder)] == list(range(1, 13))
    assert [record["scalars"] for record in read_log(folder)] == [record["scalars"] for record in expected.records]


def assert_identical(first, second, path):
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second), path
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), path
        for key in first:
            assert_identical(first[key], second[key], f"{path}.{key}")
    else:
        assert first == second, path


def torchrun(arguments, folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port", port]
    return subprocess.run(
        [*command, "-m", "opengait_meshgait", *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )


def test_two_processes_train_as_one(raw, tmp_path):
    raw["trainer_cfg"] |= {"total_iter": 6, "log_iter": 1, "fix_BN": True, "with_test": True, "save_iter": 3}
    # Batches of 3 fill the last one of two processes with a sequence that comes twice.
    raw["evaluator_cfg"]["sampler"]["batch_size"] = 6
    done = torchrun(write(raw, tmp_path / "two"), tmp_path / "two")
    assert done.returncode == 0, done.stderr
    expected = train(make_config(raw), device="cpu", quiet=True, output=tmp_path / "one")
    folder = tmp_path / "two" / "output" / "Tiny" / "MeshGait" / "Run"
    found = read_log(folder)
    assert [record["iteration"] for record in found] == [record["iteration"] for record in expected.records]
    for ours, theirs in zip(found, expected.records):
        if "scalars" in ours:
            assert ours["scalars"] == pytest.approx(theirs["scalars"], rel=1e-4, abs=1e-4), ours["iteration"]
        else:
            assert ours["evaluation"]["bodies"] == pytest.approx(theirs["evaluation"]["bodies"], rel=1e-4)
    # As many as each process had: embeddings are so alike that rounding, which depends on it, decides ranks.
    raw["evaluator_cfg"]["sampler"]["batch_size"] = 3
    tested = engine_test.test(make_config(raw), 6, "cpu", True, tmp_path / "two" / "output", match="embeddings")
    assert tested["metrics"] == found[-1]["evaluation"]["metrics"]
    assert tested["bodies"] == pytest.approx(found[-1]["evaluation"]["bodies"], rel=1e-6)
    weights = load_checkpoint(folder / "checkpoints" / "Run-00006.pt")["model"]
    for name, value in load_checkpoint(expected.checkpoint)["model"].items():
        if not name.endswith(("components", "basis", "offset", "reach")):
            assert torch.allclose(value, weights[name], rtol=0, atol=1e-4), name
    # Directions have no sign, and the LDA head makes differences of the weights larger.
    for part in ("silhouettes", "markers"):
        models = (weights, load_checkpoint(expected.checkpoint)["model"])
        ours, theirs = (_directions(model, part).abs() for model in models)
        assert torch.allclose(ours, theirs, rtol=0.05, atol=1e-2 * float(theirs.max())), part
        assert torch.allclose(*(model[f"Discriminant.{part}.reach"] for model in models), rtol=0.05), part


def _directions(model, part):
    """A projection of the LDA head, one linear map for each function of the viewing angle."""
    components, basis = (model[f"Discriminant.{part}.{name}"] for name in ("components", "basis"))
    return components @ basis.unflatten(0, (-1, components.shape[1]))


@pytest.fixture
def here(raw, tmp_path, monkeypatch):
    """The command's working folder, with x.yaml."""
    raw["trainer_cfg"]["total_iter"] = 2
    write(raw, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_train_and_test(here, capsys):
    arguments = ["--cfgs", "x.yaml", "--device", "cpu"]
    assert main(["train", *arguments, "--set", "trainer_cfg.total_iter=3", "trainer_cfg.save_iter=1"]) == 0
    out, err = capsys.readouterr()
    assert "Iteration 3: output/Tiny/MeshGait/Run/checkpoints/Run-00003.pt" in out
    assert "3/3" in err
    assert "0s left" in err or "00:00 left" in err
    assert main(["test", *arguments, "--iter", "2"]) == 0
    out, _ = capsys.readouterr()
    assert "NM@R1" in out
    assert "mpjpe" in out
    assert (here / "output/Tiny/MeshGait/Run/results-test-2.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--cfgs", "absent.yaml"], "Cannot read absent.yaml"),
        (["train", "--cfgs", "x.yaml", "--set", "trainer_cfg.totl_iter=3"], "Did you mean 'total_iter'"),
        (["test", "--cfgs", "x.yaml"], "random ones are not worth a test"),
    ],
)
def test_the_users_mistakes_exit_with_1(here, capsys, arguments, message):
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [["train"], ["train", "--cfgs", "x.yaml", "--device", "tpu"], ["test", "--cfgs", "x.yaml", "--iter", "first"]],
)
def test_wrong_usage_exits_with_2(here, capsys, arguments):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2


def test_keys_are_printed(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["train", "--keys"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
