"""Training on several data sets: ``data_cfg`` as a list, as in OpenGait."""

import copy

import pytest
import yaml

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.engine.config import load_config, make_config
from opengait_meshgait.engine.testing import test as engine_test
from opengait_meshgait.engine.training import train
from opengait_meshgait.networks import load_checkpoint
from opengait_meshgait.opengait.launch import resolve_paths, spelled_out


@pytest.fixture
def several(raw, make_dataset, tmp_path):
    """``raw`` with a second data set, of three people with the ids of the first's."""
    partition = make_dataset(tmp_path / "More", people=4, train=3, frames=4, seed=5)
    places = {"dataset_root": str(partition.with_suffix("")), "dataset_partition": str(partition)}
    raw["data_cfg"] = [raw["data_cfg"], {**raw["data_cfg"], "dataset_name": "More", **places}]
    raw["model_cfg"]["SeparateBNNecks"]["class_num"] = 7
    raw["trainer_cfg"]["sampler"]["batch_size"] = [3, 2]
    return raw


def test_training_resume_and_test(several, tmp_path):
    config = make_config(several)
    train(config, device="cpu", quiet=True, output=tmp_path)
    folder = tmp_path / "Tiny_More/MeshGait/Run"
    whole = load_checkpoint(folder / "checkpoints/Run-00008.pt")
    assert whole["data"]["sequences"] == 7 * 8
    (folder / "checkpoints/Run-00008.pt").unlink()
    # Other places of the same files do not matter.
    train(make_config(load_config_dump(config)), device="cpu", quiet=True, output=tmp_path)
    again = load_checkpoint(folder / "checkpoints/Run-00008.pt")
    assert all(value.equal(again["model"][name]) for name, value in whole["model"].items())
    result = engine_test(config, device="cpu", quiet=True, output=tmp_path)
    assert result["sequences"] == 16
    assert "Tested on Tiny, the first data set of data_cfg." in result["notes"]


def load_config_dump(config):
    """A config as checkpoints hold it."""
    return copy.deepcopy(config.model_dump())


def test_files_and_set(several, tmp_path):
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(several))
    config = load_config(tmp_path / "c.yaml", ["data_cfg.1.dataset_root=elsewhere"])
    assert config.data_cfg.others[0]["dataset_root"] == "elsewhere"
    assert config.data_cfg.run_name == "Tiny_More"
    assert config.data_cfg.others[0]["cache"] is False


def test_opengait_gets_the_list(several, tmp_path):
    cfgs = spelled_out(make_config(several))
    assert [data["dataset_name"] for data in cfgs["data_cfg"]] == ["Tiny", "More"]
    (tmp_path / "More").rename(tmp_path / "Moved")
    cfgs["data_cfg"][1]["dataset_root"] = "Moved"
    found = resolve_paths(cfgs, tmp_path)["data_cfg"]
    assert found[1]["dataset_root"] == str(tmp_path / "Moved")
    assert (
        resolve_paths(spelled_out(make_config({**several, "data_cfg": several["data_cfg"][:1]})), tmp_path)["data_cfg"][
            "dataset_name"
        ]
        == "Tiny"
    )


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"dataset_name": "Tiny"}, "data_cfg: Tiny stands several times"),
        ({"dataset_rot": "x"}, r"data_cfg.others.0.dataset_rot: unknown key. Did you mean 'dataset_root'"),
        ({"num_workers": "two"}, r"data_cfg.others.0.num_workers: found 'two'"),
        ({"data_in_use": [True, False]}, r"More has data_in_use \[True, False\] and Tiny has \[True, True\]"),
    ],
)
def test_mistakes(several, changes, message):
    several["data_cfg"][1] |= changes
    with pytest.raises(UserError, match=message):
        make_config(several)


def test_too_few_classes(several, tmp_path):
    several["model_cfg"]["SeparateBNNecks"]["class_num"] = 6
    with pytest.raises(UserError, match="class_num is 6, and there are 7 training identities"):
        train(make_config(several), device="cpu", quiet=True, output=tmp_path)
