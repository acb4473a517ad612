import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from opengait_meshgait.cli.main import main
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.walkers.world import WORLDS, Distribution, World, describe_world, load_world


@pytest.fixture
def world_file(tmp_path):
    def write(text):
        (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
        return tmp_path / "mine.yaml"

    return write


def test_the_studio_is_the_default():
    assert WORLDS["studio"] == World() == load_world("studio")
    assert load_world("street") == WORLDS["street"] != World()


@pytest.mark.parametrize("name", WORLDS)
def test_what_a_world_says_of_itself_makes_it_again(name, world_file):
    described = describe_world(WORLDS[name])
    assert load_world(world_file(yaml.safe_dump(described))) == WORLDS[name]
    assert {*described} == {*World.model_fields}


def test_a_file_changes_one_world_and_leaves_the_rest(world_file):
    mine = load_world(world_file("like: street\nturn: 10\ndistance: {uniform: [3, 4]}"))
    assert mine == WORLDS["street"].model_copy(update={"turn": 10.0, "distance": Distribution(uniform=[3, 4])})
    assert load_world(world_file("height: {uniform: [3, 4]}")).distance == World().distance


def test_damage_at_one_level():
    damage = WORLDS["street"].damaged(0.4).damage
    assert (damage.probability, damage.level, damage.kinds) == (1, [0.4, 0.4], WORLDS["street"].damage.kinds)
    assert WORLDS["street"].damaged(0).damage.probability == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("turnn: 3", "turnn: unknown key. Did you mean 'turn'?"),
        ("like: stret", "like names no world: 'stret'. Did you mean 'street'?"),
        ("like: [street]", "like names no world: '.'street'.'"),
        ("like: {street: 1}", "like names no world"),
        ("like:", "like names no world: 'None'"),
        ("turn: -1", "turn: found -1 .*greater than or equal to 0"),
        ("turn: much", "turn: found 'much' .text.; expected a number"),
        ("stop: 2", "stop: found 2"),
        ("distance: 9", "distance: found 9 .*expected a mapping"),
        ("distance: {uniform: [9]}", "distance.uniform: found .9..*at least 2 items"),
        ("distance: {uniform: [9, 3]}", "distance.uniform: found .9.0, 3.0.; expected the smaller number first"),
        ("distance: {unifrom: [9, 12]}", "distance.unifrom: unknown key. Did you mean 'uniform'?"),
        ("distance: {normal: [9, 1]}", "distance: its numbers start at -inf; expected a distribution from 1 on"),
        ("distance: {uniform: [0.5, 3]}", "distance: its numbers start at 0.5; expected a distribution from 1 on"),
        ("distance: {log_uniform: [0, 3]}", "distance.log_uniform.0: found 0"),
        ("aim: {}", "aim: found no distribution; expected one of uniform, log_uniform, triangular, normal"),
        ("aim: {uniform: [0, 1], normal: [0, 1]}", "aim: found uniform and normal; expected one of"),
        ("aim: {normal: [0, -1]}", "aim: found normal .0.0, -1.0.; expected a mean and a standard deviation"),
        ("height: {triangular: [2, 1, 3]}", "height: found triangular .*expected smallest, most likely and largest"),
        ("height: {triangular: [1, 1, 1]}", "height: found triangular"),
        ("damage: {kinds: [bars]}", "damage.kinds.0: found 'bars'.*'ragged', 'bar'"),
        ("damage: {level: [0, 2]}", "damage.level.1: found 2"),
        ("[1, 2]", "holds no world: expected fields such as view_bin"),
        ("", "holds no world"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_bad_files(text, message, world_file):
    with pytest.raises(UserError, match=message) as error:
        load_world(world_file(text))
    assert "mine.yaml" in str(error.value)


def test_unknown_worlds(tmp_path):
    with pytest.raises(UserError, match="There is no world 'stret', .* Did you mean 'street'. Or give a YAML file"):
        load_world("stret")
    with pytest.raises(UserError, match="Cannot read .*none.yaml: No such file"):
        load_world(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("distribution", "mean", "low", "high"),
    [
        ({"uniform": [2, 4]}, 3, 2, 4),
        ({"log_uniform": [1, np.e]}, np.e - 1, 1, np.e),
        ({"triangular": [0, 1, 5]}, 2, 0, 5),
        ({"normal": [1, 0.5]}, 1, -1.2, 3.2),
    ],
)
def test_distributions(distribution, mean, low, high):
    rng = np.random.default_rng(0)
    drawn = np.array([Distribution(**distribution).draw(rng) for _ in range(2000)])
    assert drawn.mean() == pytest.approx(mean, abs=0.1)
    assert low <= drawn.min() and drawn.max() <= high and np.ptp(drawn) > 0.7 * (high - low)


def test_the_command_takes_a_world(tmp_path, world_file, capsys):
    mine = world_file("like: street\ndamage: {probability: 0}\nnearest: 4")
    options = ["--ids", "1", "--views", "0,120,240", "--seqs", "nm:1", "--frames", "2", "--workers", "1"]
    assert main(["walkers", "--out", str(tmp_path / "set"), "--world", str(mine), *options]) == 0
    record = yaml.safe_load((tmp_path / "set" / "dataset.json").read_text())
    assert record["options"]["world"] == describe_world(load_world(mine))
    assert main(["walkers", "--out", str(tmp_path / "set"), "--world", "street", *options]) == 1
    assert "made with nearest 4.0, and now nearest is 2.5" in capsys.readouterr().err


PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")


def numbers(value):
    """All numbers in a value."""
    if isinstance(value, dict | list):
        return [number for part in (value.values() if isinstance(value, dict) else value) for number in numbers(part)]
    return [] if isinstance(value, str) else [value]


def test_the_page_has_the_fields_of_both_worlds():
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (.*?) \|$", PAGE, re.MULTILINE))
    for column, name in enumerate(("studio", "street")):
        described = describe_world(WORLDS[name])
        for key, value in described.pop("damage").items():
            described[f"damage.{key}"] = value
        for key, value in described.items():
            cell = rows[key].split(" | ")[column]
            assert [float(number) for number in re.findall(r"-?[\d.]+", cell)] == numbers(value), (key, name)


def test_the_world_on_the_page_is_one(world_file):
    text = next(block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "mine.yaml" in block)
    mine = load_world(world_file(text))
    assert mine.turn == 10 and mine.height == WORLDS["street"].height
