"""Memory of a training step, traced without a GPU."""

import json

import pytest

from opengait_meshgait.benchmark import memory
from opengait_meshgait.benchmark.memory import step_memory
from opengait_meshgait.cli.main import main
from opengait_meshgait.engine import build
from opengait_meshgait.engine.config import make_config


def write(path, raw):
    path.write_text(json.dumps(raw))  # which is YAML
    return str(path)


def test_weights_are_held_with_gradients_and_moments_and_activations_grow_with_the_batch(baseline):
    baseline["optimizer_cfg"] = {"solver": "Adam", "lr": 0.1}
    baseline["model_cfg"] |= {"backbone_cfg": {"type": "Plain", "layers_cfg": ["BC-4", "M"]}, "Discriminant": None}
    config = make_config(baseline)
    two, three, four = (step_memory(config, sequences, 3) for sequences in (2, 3, 4))
    assert four - three == pytest.approx(three - two, rel=0.05)
    net = build.build_network(config, None)
    assert two > 4 * 4 * sum(weight.numel() for weight in net.parameters())
    # The first layer's maps of three frames, kept for the backward pass.
    assert three - two > 4 * 3 * 4 * 64 * 44
    # Half of the bits, but for what is computed in float32 in any case.
    baseline["trainer_cfg"]["enable_float16"] = True
    half = make_config(baseline)
    assert 0.4 < (step_memory(half, 4, 3) - step_memory(half, 2, 3)) / (four - two) < 0.9


def test_the_table(raw, tmp_path, capsys):
    command = ["bench", "memory", "--cfgs", write(tmp_path / "tiny.yaml", raw), "--out", str(tmp_path)]
    assert main([*command, "--gpus", "4"]) == 0
    printed = capsys.readouterr().out
    assert "|  | batch | frames | precision | 4 GPUs, GiB |" in printed
    assert "| tiny | 4×2 | 2 | fp32 |" in printed
    (peak,) = json.loads((tmp_path / "memory.json").read_text())["configs"][0]["peak"].values()
    # Two sequences of two frames: 64 volumes of 2 × 16 × 11 cells in each frame, and their gradients.
    assert 2 * 4 * 2 * 2 * 64 * 2 * 16 * 11 < peak < 2**30


@pytest.mark.parametrize(
    ("sampler", "more", "message"),
    [
        ({}, ["--gpus", "3"], "4 x 2 sequences cannot be shared by [3] GPUs"),
        ({}, ["--batch", "4", "1", "--gpus", "4"], "1 sequence on each of 4 GPUs"),
        ({"sample_type": "unfixed_ordered", "frames_num_min": 2, "frames_num_max": 3}, [], "Give --frames N"),
    ],
)
def test_a_batch_that_cannot_be_shared(sampler, more, message, raw, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(memory, "step_memory", None)
    raw["trainer_cfg"]["sampler"] |= sampler
    command = ["bench", "memory", "--cfgs", write(tmp_path / "tiny.yaml", raw), "--out", str(tmp_path), *more]
    assert main(command) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "memory.json").exists()
