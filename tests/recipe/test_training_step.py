"""One training step, and the LDA head, fitted at the end of a training."""

import json
import multiprocessing

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from opengait_meshgait.body.layout import ROOT_TURN
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data import Batch
from opengait_meshgait.data.augmentation import PairedAugmentation
from opengait_meshgait.engine import build
from opengait_meshgait.engine.config import load_config, make_config
from opengait_meshgait.engine.testing import test as check
from opengait_meshgait.engine.training import train
from opengait_meshgait.networks import MATCHED, LDAHead, load_checkpoint
from opengait_meshgait.recipe.training_step import TrainingStep, send_no_buffers, share_statistics


def make_step(raw, **more):
    config = make_config(raw)
    torch.manual_seed(0)
    preparation = build.build_preparation(config, training=True)
    net = build.build_network(config, preparation.supervision)
    return TrainingStep(net, build.build_losses(config), preparation, **more)


def make_batch(raw, lengths=None):
    """Four sequences of two frames, or packed ones."""
    rng = np.random.default_rng(0)
    frames = sum(lengths) if lengths else 8
    sils = torch.zeros(frames, 64, 64, dtype=torch.uint8)
    sils[:, :, 25:40] = 255
    smpls = torch.from_numpy(rng.normal(0, 0.1, (frames, 85)).astype(np.float32))
    smpls[:, ROOT_TURN] = torch.tensor([np.pi, 0, 0])
    n, shape = (len(lengths), (1, frames)) if lengths else (4, (4, 2))
    return Batch(
        sils=sils.view(*shape, 64, 64),
        bodies=smpls.view(*shape, 85),
        weights=None,
        seqL=torch.tensor([lengths]) if lengths else None,
        labels=torch.arange(n) // 2,
        types=["nm-01"] * n,
        views=["000"] * n,
        indices=torch.arange(n),
        seeds=torch.arange(n),
    )


def test_every_weight_learns(raw):
    step, batch = make_step(raw), make_batch(raw)
    batch.sils = torch.randint(2, batch.sils.shape, dtype=torch.uint8) * 255
    result = step(batch, 100)
    result.loss.backward()
    assert [name for name, p in step.net.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert result.sils.shape == (4, 2, 64, 44)
    assert result.output.markers.shape == result.targets.markers.shape == (4, 2, 64, 3)
    assert not result.targets.vertices.requires_grad


@pytest.mark.parametrize("terms", [{"triplet"}, {"softmax"}, {"triplet", "softmax"}, {"marker"}, {"triplet", "mesh"}])
@pytest.mark.parametrize("shared", [False, True])
def test_what_no_loss_teaches_is_frozen(raw, terms, shared):
    """With several processes, every weight that is not frozen must have a gradient."""
    raw["loss_cfg"] = [cfg for cfg in raw["loss_cfg"] if cfg["log_prefix"] in terms]
    model = raw["model_cfg"]
    model["backbone_cfg"] = {"type": "GaitSet", "channels": [4, 4, 8]}  # whose maps do not see all of its weights
    if shared:
        model["HeatmapFeatures"] = None
        model["heatmap_cfg"]["reads"] = "backbone"
    if not terms & {"triplet", "softmax"}:
        model["Discriminant"] = None
    step = make_step(raw)
    step(make_batch(raw), 100).loss.backward()
    learn = {name for name, weight in step.net.named_parameters() if weight.requires_grad}
    assert learn == {name for name, weight in step.net.named_parameters() if weight.grad is not None} != set()
    if "softmax" not in terms:
        assert "BNNecks.fc_bin" not in learn


def test_half_precision_rounds_the_network_and_neither_targets_nor_losses(raw):
    batch = make_batch(raw)
    batch.sils = torch.randint(2, batch.sils.shape, dtype=torch.uint8) * 255
    exact, rounded = make_step(raw)(batch, 100), make_step(raw, half=torch.bfloat16)(batch, 100)
    assert rounded.output.embeddings.dtype is torch.bfloat16
    assert rounded.loss.dtype is rounded.targets.markers.dtype is rounded.output.markers.dtype is torch.float32
    torch.testing.assert_close(rounded.targets.markers, exact.targets.markers, rtol=0, atol=0)
    torch.testing.assert_close(rounded.output.markers, exact.output.markers, rtol=0, atol=0.01)
    torch.testing.assert_close(rounded.loss, exact.loss, rtol=0.05, atol=0)
    rounded.loss.backward()


def test_an_invalid_frame_teaches_nothing_in_3d(raw):
    batch = make_batch(raw)
    raw["loss_cfg"], raw["model_cfg"]["Discriminant"] = raw["loss_cfg"][2:], None
    step = make_step(raw)
    step.net.eval()
    batch.bodies[0, 0, 10] = np.nan
    with pytest.raises(ValueError, match="expected inputs"):
        # In evaluation mode the network gives no bodies, and no loss may be left out without a word.
        step(batch, 0)
    step.net.train()
    for name in ("marker", "joint", "mesh"):
        assert torch.isfinite(step(batch, 10).scalars[f"scalar/{name}/loss"])


@pytest.mark.parametrize("lengths", [None, [3, 1, 2]])
def test_augmentation_draws_once_a_sequence(raw, lengths):
    raw["model_cfg"]["augment_cfg"] = {"flip": 0.5, "affine": {"probability": 1, "translate": 0.2}}
    step = make_step(raw)
    batch = make_batch(raw, lengths)
    result = step(batch, 0)
    again = step(batch, 1)
    assert torch.equal(result.sils, again.sils)
    assert torch.equal(result.targets.markers, again.targets.markers)
    # Frames that were alike before are alike after, within a sequence only.
    sequences = result.sils[0].split(lengths) if lengths else result.sils
    for sequence in sequences:
        assert torch.equal(sequence[0], sequence[-1])
    assert not torch.equal(sequences[0][0], sequences[1][0])
    assert isinstance(step.preparation.augmentation, PairedAugmentation)


def test_the_baseline_needs_no_bodies(baseline):
    batch = make_batch(baseline)
    batch.bodies = None
    result = make_step(baseline)(batch, 0)
    assert result.targets is None
    assert result.output.markers is None
    assert {name.split("/")[1] for name in result.scalars} == {"triplet", "softmax"}


def run(raw, tmp_path):
    return train(make_config(raw), "cpu", quiet=True, output=tmp_path)


def _fit(path):
    return {name: value for name, value in load_checkpoint(path)["model"].items() if name.startswith("Discriminant.")}


def test_the_last_weights_are_fitted_and_others_are_not(raw, tmp_path):
    found = run(raw, tmp_path)
    first, last = (_fit(found.folder / f"checkpoints/Run-{iteration:05d}.pt") for iteration in (4, 8))
    assert not first["Discriminant.silhouettes.basis"].any()
    assert all(last[f"Discriminant.{part}.basis"].any() for part in ("silhouettes", "fused", "markers"))


def test_a_kill_between_the_last_weights_and_their_head(raw, tmp_path, monkeypatch):
    def kill(*_):
        raise KeyboardInterrupt

    whole = _fit(run(raw, tmp_path / "whole").checkpoint)
    with monkeypatch.context() as killed:
        killed.setattr("opengait_meshgait.engine.build.fit_head", kill)
        with pytest.raises(KeyboardInterrupt):
            run(raw, tmp_path / "killed")
    found = _fit(run(raw, tmp_path / "killed").checkpoint)
    assert whole.keys() == found.keys() and all(torch.equal(whole[name], found[name]) for name in whole)


def test_a_continued_run_resets_the_head_of_earlier_weights(raw, tmp_path):
    raw["trainer_cfg"]["total_iter"] = 4
    assert _fit(run(raw, tmp_path).checkpoint)["Discriminant.silhouettes.basis"].any()
    raw["trainer_cfg"] |= {"total_iter": 8, "save_iter": 2}
    found = run(raw, tmp_path)
    for iteration in (4, 6, 8):
        fitted = _fit(found.folder / f"checkpoints/Run-{iteration:05d}.pt")["Discriminant.silhouettes.basis"].any()
        assert fitted == (iteration != 6)


def test_it_sees_whole_training_sequences_one_by_one(raw, tmp_path):
    found = run(raw, tmp_path)
    config, state = make_config(raw), load_checkpoint(found.checkpoint)
    net = build.build_network(config, build.build_preparation(config, training=False).supervision)
    net.load_state_dict(state["model"])
    data, features, labels = build.build_train_set(config, False), [], []
    net.eval()
    for place, info in enumerate(data.seqs):
        sils = torch.from_numpy(data.load(place)[0].copy())[None].float() / 255
        with torch.no_grad():
            output = net(sils[..., 10:-10], reconstruct=True)
        features.append(net.Discriminant.features(output.embeddings, output.markers, alone=output.alone))
        labels.append(data.label_set.index(info.label))
    expected = LDAHead(8 * 4, 64, True, **raw["model_cfg"]["Discriminant"])
    expected.fit([torch.cat(parts) for parts in zip(*features)], torch.tensor(labels))
    for part in ("silhouettes", "fused", "markers"):
        basis, mean = (getattr(getattr(expected, part), name) for name in ("basis", "mean"))
        own = getattr(net.Discriminant, part)
        torch.testing.assert_close(own.mean, mean, atol=1e-4, rtol=1e-4)
        # Directions have no sign; the fourth of four people's is noise.
        torch.testing.assert_close(own.basis[:, :3].abs(), basis[:, :3].abs(), atol=1e-2 * basis.abs().max(), rtol=0.05)


def test_tests_say_which_features_they_matched(raw, tmp_path):
    raw["trainer_cfg"]["with_test"] = True
    found = run(raw, tmp_path)
    # The curve compares like with like, at the last iteration too, where the head is fitted.
    assert [(one["iteration"], one["matched"]) for one in found.evaluations] == [
        (0, "embeddings"), (4, "embeddings"), (8, "embeddings")
    ]  # fmt: skip
    tested = {match: check(make_config(raw), "last", "cpu", True, tmp_path, match=match) for match in (None, *MATCHED)}
    assert [result["matched"] for result in tested.values()] == ["lda", "embeddings", "lda"]
    assert tested["lda"]["probes"] == tested[None]["probes"]
    assert tested["embeddings"]["metrics"] == found.evaluations[-1]["metrics"]
    assert check(make_config(raw), 4, "cpu", True, tmp_path)["matched"] == "embeddings"
    with pytest.raises(UserError, match="not fitted yet"):
        check(make_config(raw), 4, "cpu", True, tmp_path, match="lda")
    with pytest.raises(UserError, match="Did you mean 'lda'"):
        check(make_config(raw), 8, "cpu", True, tmp_path, match="ldaa")
    assert {json.loads(path.read_text())["matched"] for path in found.folder.glob("results-test-8*.json")} == {*MATCHED}


def test_networks_without_it_are_left_alone(raw, tmp_path):
    raw["model_cfg"]["Discriminant"] = None
    assert _fit(run(raw, tmp_path).checkpoint) == {}


def _placed(name, capability, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    config = load_config(name)
    torch.manual_seed(0)
    preparation = build.build_preparation(config, training=True)
    net = build.place_network(build.build_network(config, preparation.supervision), torch.device("cpu"))
    return TrainingStep(net, build.build_losses(config), preparation)


def test_channels_last_changes_where_numbers_lie_and_not_what_they_are(monkeypatch):
    found = {}
    for capability in ("DEFAULT", "AVX2"):
        step, batch = _placed("demo", capability, monkeypatch), make_batch(None)
        batch.sils = torch.randint(2, batch.sils.shape, generator=torch.Generator().manual_seed(0)).byte() * 255
        result = step(batch, 100)
        result.loss.backward()
        weight = step.net.Backbone.forward_block.layer2[0].conv1.weight
        assert weight.is_contiguous(memory_format=torch.channels_last) == (capability == "AVX2")
        found[capability] = result.loss, result.output.embeddings, weight.grad
    for there, here in zip(found["DEFAULT"], found["AVX2"]):
        torch.testing.assert_close(here, there, atol=1e-4, rtol=1e-3)


def test_a_backbone_with_strided_projections_keeps_its_channels_first(raw, monkeypatch):
    """The gradient of their weights corrupts memory in the other layout."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    net = make_step(raw).net
    net.Backbone.forward_block.layer1[0].downsample[0] = torch.nn.Conv2d(4, 4, 1, 2, bias=False)
    build.place_network(net, torch.device("cpu"))
    assert net.Backbone.forward_block.layer1[0].conv1.weight.is_contiguous()


@pytest.mark.parametrize("backbone", ["", "_gaitset", "_gaitpart", "_gaitgl", "_deepgaitv2", "_swingait"])
def test_channels_lie_last_in_every_shipped_backbone(backbone, monkeypatch):
    net = _placed(f"walkers{backbone}", "AVX2", monkeypatch).net
    weights = [module.weight for module in net.modules() if isinstance(module, torch.nn.Conv2d)]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


def _in_a_process(place, raw, folder):
    """A step of a network that differs between the processes in all its buffers, and what is in them at each stage."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=place, world_size=2)
    net = make_step(raw).net
    for buffer in net.buffers():
        buffer.fill_(place)
    send_no_buffers(net)
    wrapped = DistributedDataParallel(net, find_unused_parameters=True)
    wrapped(torch.rand(2, 2, 64, 44, generator=torch.Generator().manual_seed(place)))
    stages = [{name: buffer.clone() for name, buffer in net.named_buffers()}]
    share_statistics(net)
    torch.save([*stages, dict(net.named_buffers())], folder / f"{place}.pt")
    del wrapped  # see processes() in common/distributed.py
    dist.destroy_process_group()


def test_processes_share_running_statistics_alone(raw, tmp_path):
    context = multiprocessing.get_context("fork")
    running = [context.Process(target=_in_a_process, args=(place, raw, tmp_path)) for place in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join(120)
    (first, shared), (second, taken) = (torch.load(tmp_path / f"{place}.pt") for place in range(2))
    statistics = {name for name in first if "running" in name or "batches" in name}
    assert all(not torch.equal(first[name], second[name]) for name in first)
    assert {name for name in first if torch.equal(shared[name], taken[name])} == statistics != set()
    assert all(torch.equal(shared[name], first[name]) for name in first)
