"""Config files: the shipped ones from any folder, several merged, and what is said of those that are not there."""

from pathlib import Path

import pytest
import yaml

from opengait_meshgait.common.configs import (
    CONFIG_NAMES,
    FOLDER,
    compose,
    describe_config,
    dump_yaml,
    flat_config,
    merge,
    parse_yaml,
    read_config,
    read_yaml,
)
from opengait_meshgait.common.errors import UserError

FILES = Path(__file__).parents[2] / FOLDER


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder without configs to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_few_files_are_written_by_hand():
    assert len(list(FILES.rglob("*.yaml"))) <= 25


def test_every_part_is_in_a_name_and_every_adjustment_is_used():
    for path in FILES.glob("parts/*.yaml"):
        assert any(path.stem in name.split("_") for name in CONFIG_NAMES), path
        for before in read_yaml(path).get("after", {}):
            assert f"{before}_{path.stem}" in CONFIG_NAMES, f"{path}: {before}"


@pytest.mark.parametrize("name", ["walkers", "walkers.yaml", "configs/meshgait/walkers.yaml", Path("walkers")])
def test_shipped_files_are_found_from_any_folder(name, elsewhere):
    (elsewhere / "walkers").mkdir()  # people keep their data in folders of such names
    assert read_config(name) == read_yaml(FILES / "walkers.yaml") == compose("walkers")


def test_parts_are_merged_in_their_order_with_adjustments():
    config = read_config("configs/meshgait/walkers_small_gaitset_silhouette.yaml")
    assert config["model_cfg"]["backbone_cfg"] == {"type": "GaitSet", "channels": [17, 35, 72]}
    assert config["model_cfg"]["heatmap_cfg"] is None
    assert config["data_cfg"]["dataset_root"] == "output/small"
    assert [loss["log_prefix"] for loss in config["loss_cfg"]] == ["triplet", "softmax"]
    assert (
        config["trainer_cfg"]["save_name"] == config["evaluator_cfg"]["save_name"] == "walkers_small_gaitset_silhouette"
    )
    assert "after" not in config


def test_each_caller_gets_a_copy_of_its_own():
    compose("gait3d")["model_cfg"]["backbone_cfg"]["channels"].append(3)
    compose("gait3d_lda")["loss_cfg"][0]["margin"] = 3
    assert compose("gait3d")["model_cfg"]["backbone_cfg"]["channels"] == [64, 128, 256, 512]
    assert compose("gait3d")["loss_cfg"][0]["margin"] == 0.2


def test_a_file_here_comes_before_a_shipped_one_and_several_merge(elsewhere):
    Path("walkers.yaml").write_text("trainer_cfg: {total_iter: 3}\nloss_cfg: [{log_prefix: mesh, type: null}]")
    assert read_config("walkers.yaml") == {
        "trainer_cfg": {"total_iter": 3}, "loss_cfg": [{"log_prefix": "mesh", "type": None}],
    }  # fmt: skip
    config = read_config(["gait3d_gaitset", elsewhere / "walkers.yaml"])
    assert config["trainer_cfg"]["total_iter"] == 3 and config["trainer_cfg"]["save_iter"] == 10000
    assert [loss["log_prefix"] for loss in config["loss_cfg"]] == ["triplet", "softmax", "marker", "joint"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("walker.yaml", r"Cannot read walker.yaml: no such file in .*, and no shipped config. Did you mean 'walkers'"),
        ("gait3d_silhouette_gaitset", "Did you mean 'gait3d_gaitset_silhouette'"),
        ("configs/meshgait/gait3d_gaitgl_shared.yaml", "`meshgait configs` lists all"),
        ("trainer_cfg.total_iter=2", r"is no file but a setting: write --set trainer_cfg\.total_iter=2"),
        ("xyz", "Known: casiab, casiae, ccpg, demo, fvg, gait3d, grew, oumvlp, sustech1k, walkers"),
        ("/nowhere/walkers.yaml", "Cannot read /nowhere/walkers.yaml: No such file"),
        (
            FILES / "parts" / "gaitset.yaml",
            "is a part of shipped configs: name one of them. Did you mean 'gait3d_gaitset'",
        ),
    ],
)
def test_what_is_not_there(path, message):
    with pytest.raises(UserError, match=message):
        read_config(path)


def test_flat_files_are_whole_and_say_what_they_are():
    text = flat_config("oumvlp_gaitpart_lda.yaml")
    assert text.startswith("# Mesh-Gait, extended by us, on OUMVLP, with GaitPart, with an LDA head\n")
    assert parse_yaml(text) == compose("oumvlp_gaitpart_lda")
    with pytest.raises(UserError, match="no shipped config gait3d_gaitst. Did you mean 'gait3d_gaitset'"):
        flat_config("gait3d_gaitst")


def test_only_the_published_network_is_called_published():
    for name in CONFIG_NAMES:
        model = compose(name)["model_cfg"]
        published = "as published" in describe_config(name)
        assert published == (model["HeatmapFeatures"] is not None and (name == "demo" or "Discriminant" not in model))
        if published:
            assert model["heatmap_cfg"]["reads"] == "silhouettes" and model["fusion"] == "concat"


TRIPLET = {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2}
MARKER = {"type": "MarkerLoss", "log_prefix": "marker", "norm": "l1"}


def test_mappings_are_merged_and_the_rest_is_replaced():
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    assert merge(base, {"a": {"y": [3]}, "c": None}) == {"a": {"x": 1, "y": [3]}, "b": 1, "c": None}
    assert base == {"a": {"x": 1, "y": [1, 2]}, "b": 1}


def test_another_type_replaces_the_mapping():
    base = {"net": {"type": "ResNet9", "block": "BasicBlock"}}
    assert merge(base, {"net": {"type": "Plain"}}) == {"net": {"type": "Plain"}}
    assert merge(base, {"net": {"type": "ResNet9", "width": 2}})["net"]["block"] == "BasicBlock"
    assert merge(base, {"net": {"block": "Bottleneck"}})["net"]["type"] == "ResNet9"
    assert merge(base, {"net": None}) == {"net": None}
    base = {"optimizer_cfg": {"solver": "SGD", "momentum": 0.9}}
    assert merge(base, {"optimizer_cfg": {"solver": "AdamW"}}) == {"optimizer_cfg": {"solver": "AdamW"}}


def losses(base, change):
    return merge({"loss_cfg": base}, {"loss_cfg": change})["loss_cfg"]


def test_losses_merge_by_log_prefix():
    assert losses([TRIPLET, MARKER], [{"log_prefix": "marker", "weight": 2}]) == [TRIPLET, MARKER | {"weight": 2}]
    other = {"type": "JointLoss", "log_prefix": "marker"}
    assert losses([TRIPLET, MARKER], [other]) == [TRIPLET, other]
    assert losses([TRIPLET], [MARKER]) == [TRIPLET, MARKER]
    assert losses([TRIPLET, MARKER], [{"log_prefix": "triplet", "type": None}]) == [MARKER]
    assert losses(TRIPLET, {"log_prefix": "triplet", "margin": 0.3}) == [TRIPLET | {"margin": 0.3}]
    assert losses([TRIPLET], "no list") == "no list"


def test_a_loss_that_is_not_there_cannot_be_taken_out():
    with pytest.raises(UserError, match="no loss with log_prefix 'makrer' to take out. Did you mean 'marker'"):
        losses([TRIPLET, MARKER], [{"log_prefix": "makrer", "type": None}])


def test_what_is_written_reads_the_same_everywhere():
    same = [1, 2]
    content = {
        "z": 1e-5,
        "a": {"x": same, "y": same, "on": True, "text": "yes", "none": None},
        "l": [MARKER, {"k": []}],
    }
    text = dump_yaml(content)
    assert parse_yaml(text) == yaml.safe_load(text) == content
    assert text.startswith("z:") and "x: [1, 2]" in text
