"""The discriminant analysis at the end of a training."""

import pytest
import torch

from opengait_meshgait.engine import build
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.engine.training import train
from opengait_meshgait.networks import Discriminant, load_checkpoint


def run(raw, tmp_path):
    return train(make_config(raw), "cpu", quiet=True, output=tmp_path)


def _fit(path):
    return {name: value for name, value in load_checkpoint(path)["model"].items() if name.startswith("Discriminant.")}


def test_the_last_weights_are_fitted_and_others_are_not(raw, tmp_path):
    found = run(raw, tmp_path)
    first, last = (_fit(found.folder / f"checkpoints/Run-{iteration:05d}.pt") for iteration in (4, 8))
    assert not first["Discriminant.silhouettes.basis"].any()
    assert all(last[f"Discriminant.{part}.basis"].any() for part in ("silhouettes", "markers"))


def test_a_kill_between_the_last_weights_and_their_analysis(raw, tmp_path, monkeypatch):
    def kill(*_):
        raise KeyboardInterrupt

    whole = _fit(run(raw, tmp_path / "whole").checkpoint)
    with monkeypatch.context() as killed:
        killed.setattr("opengait_meshgait.engine.trainer.fit", kill)
        with pytest.raises(KeyboardInterrupt):
            run(raw, tmp_path / "killed")
    found = _fit(run(raw, tmp_path / "killed").checkpoint)
    assert whole.keys() == found.keys() and all(torch.equal(whole[name], found[name]) for name in whole)


def test_a_run_that_goes_on_forgets_the_analysis_of_earlier_weights(raw, tmp_path):
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
    net = build.build_network(config, build.build_supervision(config, torch.device("cpu")))
    net.load_state_dict(state["model"])
    data, features, labels = build.build_train_set(config, False), [], []
    net.eval().Discriminant.train()
    for place, info in enumerate(data.seqs):
        sils = torch.from_numpy(data.load(place)[0].copy())[None].float() / 255
        with torch.no_grad():
            output = net(sils[..., 10:-10], reconstruct=True)
        features.append(net.Discriminant.features(output.embeddings, output.markers))
        labels.append(data.label_set.index(info.label))
    expected = Discriminant(8 * 4, 64, channels=4)
    expected.fit([torch.cat(parts) for parts in zip(*features)], torch.tensor(labels))
    for part in ("silhouettes", "markers"):
        basis, mean = (getattr(getattr(expected, part), name) for name in ("basis", "mean"))
        own = getattr(net.Discriminant, part)
        torch.testing.assert_close(own.mean, mean, atol=1e-4, rtol=1e-4)
        # Directions have no sign; the fourth of four people's is noise.
        torch.testing.assert_close(own.basis[:, :3].abs(), basis[:, :3].abs(), atol=1e-2 * basis.abs().max(), rtol=0.05)


def test_networks_without_it_are_left_alone(raw, tmp_path):
    raw["model_cfg"]["Discriminant"] = None
    assert _fit(run(raw, tmp_path).checkpoint) == {}
