"""Bodies for the tests of this room."""

import numpy as np
import pytest

from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.model import BodyModel

PARENTS = (0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """A valid, tiny and meaningless body of 30 vertices, with posedirs."""
    rng = np.random.default_rng(0)
    weights, regressor = rng.random((30, 24)) ** 8, rng.random((24, 30)) ** 4
    return {
        "v_template": rng.normal(0, 0.5, (30, 3)),
        "shapedirs": rng.normal(0, 0.02, (30, 3, 10)),
        "posedirs": rng.normal(0, 0.005, (30, 3, 207)),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": np.array([PARENTS, range(24)]),
        "f": rng.integers(0, 30, (56, 3)),
    }


@pytest.fixture(scope="session")
def standin() -> BodyModel:
    """The body that ships with the package."""
    return load_body()
