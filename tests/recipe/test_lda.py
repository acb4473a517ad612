"""The LDA head, fitted at the end of a training."""

import json

import pytest
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.engine import build
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.engine.testing import test as check
from opengait_meshgait.engine.training import train
from opengait_meshgait.networks import MATCHED, LDAHead, load_checkpoint


def run(raw, tmp_path):
    return train(make_config(raw), "cpu", quiet=True, output=tmp_path)


def _fit(path):
    return {name: value for name, value in load_checkpoint(path)["model"].items() if name.startswith("Discriminant.")}


def test_the_last_weights_are_fitted_and_others_are_not(raw, tmp_path):
    found = run(raw, tmp_path)
    first, last = (_fit(found.folder / f"checkpoints/Run-{iteration:05d}.pt") for iteration in (4, 8))
    assert not first["Discriminant.silhouettes.basis"].any()
    assert all(last[f"Discriminant.{part}.basis"].any() for part in ("silhouettes", "markers"))


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
        features.append(net.Discriminant.features(output.embeddings, output.markers))
        labels.append(data.label_set.index(info.label))
    expected = LDAHead(8 * 4, 64, channels=4)
    expected.fit([torch.cat(parts) for parts in zip(*features)], torch.tensor(labels))
    for part in ("silhouettes", "markers"):
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
