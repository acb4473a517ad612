"""Names in a config become objects, and a misspelt one is answered with candidates."""

import pytest

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.registry import Registry

SHAPES = Registry("shape")


@SHAPES.register
def Square(side, colour="black"):
    return side, colour


def test_builds_by_name_with_arguments():
    assert SHAPES.build({"type": "Square", "side": 3}) == (3, "black")
    assert SHAPES.build({"type": "Square"}, side=2) == (2, "black")


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"type": "Sqare", "side": 1}, "Unknown shape 'Sqare'. Did you mean 'Square'?"),
        ({"side": 1}, "A shape needs a 'type'. Known: Square."),
        ({"type": "Square", "sid": 1}, "shape Square has no argument 'sid'. Did you mean 'side'?"),
        ({"type": "Square"}, "shape Square needs side: add it to the config."),
    ],
)
def test_mistakes_are_answered_kindly(cfg, message):
    with pytest.raises(UserError) as error:
        SHAPES.build(cfg)
    assert str(error.value) == message
