"""An LDA head for a checkpoint that was trained without one."""

import pytest
import torch
import yaml

from opengait_meshgait.cli.main import main
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.engine.testing import test as check
from opengait_meshgait.engine.training import add_lda_head, train
from opengait_meshgait.inference import load
from opengait_meshgait.networks import load_checkpoint


@pytest.fixture
def plain(raw, tmp_path):
    """A checkpoint without a head."""
    del raw["model_cfg"]["Discriminant"]
    return train(make_config(raw), "cpu", quiet=True, output=tmp_path / "output").checkpoint


def test_it_is_the_head_that_training_would_have_fitted(raw, plain, tmp_path):
    raw["model_cfg"]["Discriminant"] = {"channels": 4}
    raw["trainer_cfg"]["save_name"] = "WithHead"
    expected = load_checkpoint(train(make_config(raw), "cpu", quiet=True, output=tmp_path / "output").checkpoint)
    out = tmp_path / "lda.pt"
    assert main(["lda", "--ckpt", str(plain), "--out", str(out), "--set", "model_cfg.Discriminant.channels=4"]) == 0
    found = load_checkpoint(out)
    assert found["model"].keys() == expected["model"].keys() and "optimizer" not in found
    for name, value in expected["model"].items():
        torch.testing.assert_close(found["model"][name], value, rtol=1e-4, atol=1e-5, msg=name)
    raw["evaluator_cfg"]["restore_hint"] = str(out)
    raw["model_cfg"]["Discriminant"] = None  # the file brings its head along
    assert check(make_config(raw), None, "cpu", True, tmp_path)["matched"] == "lda"
    assert load(plain).matched == "embeddings"
    assert load(out).matched == "lda"


def test_a_head_for_more_people_than_the_classifier_knows(plain, make_dataset, tmp_path):
    partition, out = make_dataset(tmp_path / "more", people=8, train=6, seed=1), tmp_path / "lda.pt"
    places = [f"data_cfg.dataset_root={tmp_path / 'more'}", f"data_cfg.dataset_partition={partition}"]
    assert main(["lda", "--ckpt", str(plain), "--out", str(out), "--device", "cpu", "--set", *places]) == 0
    assert load(out).matched == "lda"
    weights, trained = load_checkpoint(out)["model"], load_checkpoint(plain)["model"]
    assert all(weights[name].equal(value) for name, value in trained.items())


def test_weights_alone_need_a_config(raw, plain, tmp_path):
    torch.save({"model": load_checkpoint(plain)["model"], "iteration": 8}, tmp_path / "bare.pt")
    with pytest.raises(UserError, match="holds weights alone.*--cfgs FILE"):
        add_lda_head(tmp_path / "bare.pt", tmp_path / "lda.pt")
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(raw))
    add_lda_head(tmp_path / "bare.pt", tmp_path / "lda.pt", tmp_path / "x.yaml", device="cpu", quiet=True)
    assert load(tmp_path / "lda.pt").matched == "lda"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model_cfg.Discriminant.shrinkag=1", "shrinkage"),
        ("model_cfg.SeparateFCs.out_channels=4", "do not fit"),
        ("data_cfg.dataset_root=nowhere", "nowhere"),
    ],
)
def test_nothing_is_written_where_it_cannot_work(plain, tmp_path, override, message, capsys):
    out = tmp_path / "lda.pt"
    assert main(["lda", "--ckpt", str(plain), "--out", str(out), "--set", override, "--device", "cpu"]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()
