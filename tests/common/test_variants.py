import pytest
import yaml

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.variants import enable_variants, overlay


class Loader(yaml.SafeLoader):
    pass


enable_variants(Loader)


@pytest.fixture
def load(tmp_path):
    def write_and_load(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        with (tmp_path / "main.yaml").open() as stream:
            return yaml.load(stream, Loader)

    return write_and_load


def test_mappings_are_merged_and_the_rest_is_replaced():
    base = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    assert overlay(base, {"a": {"y": [3]}, "c": None}) == {"a": {"x": 1, "y": [3]}, "b": 1, "c": None}
    assert base == {"a": {"x": 1, "y": [1, 2]}, "b": 1}


def test_another_type_replaces_the_mapping():
    base = {"net": {"type": "ResNet9", "block": "BasicBlock"}}
    assert overlay(base, {"net": {"type": "Plain"}}) == {"net": {"type": "Plain"}}
    assert overlay(base, {"net": {"type": "ResNet9", "width": 2}})["net"]["block"] == "BasicBlock"
    assert overlay(base, {"net": {"block": "Bottleneck"}})["net"]["type"] == "ResNet9"
    assert overlay(base, {"net": None}) == {"net": None}
    base = {"optimizer_cfg": {"solver": "SGD", "momentum": 0.9}}
    assert overlay(base, {"optimizer_cfg": {"solver": "AdamW"}}) == {"optimizer_cfg": {"solver": "AdamW"}}


def test_files_are_laid_over_each_other_in_their_order(load):
    found = load(
        base="a: {x: 1, y: 1, z: 1}",
        part="a: {y: 2, z: 2}",
        main="# a comment\n!variant\nof: [base.yaml, part.yaml]\na: {z: 3}\n",
    )
    assert found == {"a": {"x": 1, "y": 2, "z": 3}}


def test_a_variant_of_a_variant(load):
    found = load(base="a: 1\nb: 1", middle="!variant\nof: base.yaml\nb: 2", main="!variant\nof: middle.yaml\nc: 3")
    assert found == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"main": "!variant\na: 1"}, "needs 'of'"),
        ({"main": "!variant\nof: 3"}, "needs 'of'"),
        ({"main": "!variant [base.yaml]"}, "needs 'of'"),
        ({"base": "a: 1", "main": "!variant\nof: bsae.yaml"}, "Did you mean 'base.yaml'"),
        ({"base": "[1]", "main": "!variant\nof: base.yaml"}, "holds no sections"),
        ({"main": "!variant\nof: main.yaml"}, "variant of itself"),
        ({"other": "!variant\nof: main.yaml", "main": "!variant\nof: other.yaml"}, "variants of each other"),
    ],
)
def test_mistakes(load, files, message):
    with pytest.raises(UserError, match=message):
        load(**files)
