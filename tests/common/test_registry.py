"""Names in a config become objects, and mistakes are answered with candidates."""

import sys
from collections.abc import Sequence
from typing import Literal

import pytest

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.registry import Registry


class Shape:
    """What one's own shapes derive from."""


SHAPES = Registry("shape", base=Shape, unusable={"Circle": "it has no sides"}, advice="Square has four sides.")


@SHAPES.register
class Square(Shape):
    """A square.

    Args:
        side: its length, px.
        colour: ``black`` or ``white``.
        corners: of the
            picture.
        painter: the caller's.
    """

    filled_in = ("painter",)

    def __init__(
        self,
        side: float,
        colour: Literal["black", "white"] = "black",
        corners: Sequence[int] = (),
        painter: object = None,
    ):
        self.given = side, colour, corners, painter


def test_builds_by_name_with_arguments():
    assert SHAPES.build({"type": "Square", "side": 3}).given == (3, "black", (), None)
    assert SHAPES.build({"type": "Square", "corners": [1]}, side=2, painter="me").given == (2, "black", [1], "me")


def test_leading_arguments_are_the_callers():
    pairs = Registry("pair", key="name", leading=1, filled_in={"third": "there are two."})
    pairs.register(lambda first, second=2, third=3: (first, second, third), "Pair")
    assert pairs.build({"name": "Pair", "second": 5}, 1) == (1, 5, 3)
    assert pairs.problems({"name": "Pair", "first": 1, "third": 3}).keys() == {("first",), ("third",)}
    assert pairs.problems({"name": "Pair", "third": 3}) == {("third",): "there are two."}


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"type": "Sqare", "side": 1}, "type: Unknown shape 'Sqare'. Did you mean 'Square'?"),
        (
            {"type": "Hexagon"},
            "type: Unknown shape 'Hexagon'. Known: Square. Square has four sides. A class of",
        ),
        ({"type": "Circle"}, "type: The shape Circle cannot be used: it has no sides."),
        ({"side": 1}, "type: A shape needs a 'type'. Known: Square."),
        ({"type": "Square", "side": 1, "sid": 1}, "sid: Square has no such argument. Did you mean 'side'?"),
        ({"type": "Square"}, "side: missing; Square needs it. Its length, px."),
        ({"type": "Square", "side": "1"}, "side: found '1' (text); expected a number."),
        ({"type": "Square", "side": True}, "side: found True (true or false); expected a number."),
        (
            {"type": "Square", "side": 1, "corners": [1, 2.5]},
            "corners.1: found 2.5 (a number); expected a whole",
        ),
        ({"type": "Square", "side": 1, "corners": "12"}, "corners: found '12' (text); expected a list."),
        ({"type": "Square", "side": 1, "colour": "blue"}, "colour: found 'blue' (text); expected 'black' or 'white'."),
        ({"type": "Square", "side": 1, "painter": 1}, "painter: the network fills it in: take it out."),
    ],
)
def test_mistakes_are_answered_kindly(cfg, message):
    with pytest.raises(UserError) as error:
        SHAPES.build(cfg)
    assert str(error.value).startswith("The shape")
    assert message in str(error.value)


def test_all_mistakes_are_told_at_once():
    assert len(SHAPES.problems({"type": "Square", "colour": 3, "corner": [1]})) == 3


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of one's own, in the folder that the command runs in."""
    (tmp_path / "own_shapes.py").write_text(
        f"from {__name__} import Shape\n\n\nclass Ring(Shape):\n    def __init__(self, width: int, **more):\n"
        "        self.given = width, more\n\n\ndef draw(width):\n    raise AssertionError\n"
    )
    (tmp_path / "broken_shapes.py").write_text("import absent_package\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or sys.modules[Shape.__module__])
    yield
    sys.modules.pop("own_shapes", None)


def test_ones_own_by_import_path(own):
    assert SHAPES.build({"type": "own_shapes.Ring", "width": 3, "any": 1}).given == (3, {"any": 1})


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (
            {"type": "own_shape.Ring"},
            "Cannot import own_shape for the shape own_shape.Ring: No module",
        ),
        (
            {"type": "broken_shapes.Ring"},
            "Cannot import broken_shapes for the shape broken_shapes.Ring: No",
        ),
        (
            {"type": "own_shapes.Rings"},
            "Rings is not in it; expected a class that derives from Shape. Did you",
        ),
        ({"type": "own_shapes.draw", "width": 3}, "draw is not a class that derives from Shape."),
        ({"type": "os.system", "command": "true"}, "system is not a class that derives from Shape."),
        ({"type": "own_shapes.Ring", "width": "3"}, "width: found '3' (text); expected a whole number."),
    ],
)
def test_mistakes_in_import_paths(own, cfg, message):
    with pytest.raises(UserError) as error:
        SHAPES.build(cfg)
    assert message in str(error.value)
