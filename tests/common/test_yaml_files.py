"""How config files merge, and how they are written."""

import pytest
import yaml

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.yaml_files import dump_yaml, merge, parse_yaml

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
