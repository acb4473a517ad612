"""The same meanings as OpenGait's own loader code, where a checkout is at hand (OPENGAIT_ROOT)."""

import importlib.util
import os
import random
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from opengait_meshgait.data.collate import FrameSampling, collate
from opengait_meshgait.data.transforms import build_transforms

ROOT = os.environ.get("OPENGAIT_ROOT")
pytestmark = pytest.mark.skipif(not ROOT, reason="OPENGAIT_ROOT is not set")


class Stub(ModuleType):
    """A module with whatever is asked of it."""

    def __getattr__(self, name):
        return SimpleNamespace() if name.startswith("__") else lambda *args, **kwargs: None


def load(monkeypatch, name):
    """One file of OpenGait's ``data``, with stand-ins for what it imports and does not need here."""
    for module in ("utils", "torchvision", "torchvision.transforms", "einops", "data", "data.transform"):
        monkeypatch.setitem(sys.modules, module, Stub(module))
    spec = importlib.util.spec_from_file_location(f"opengait_{name}", Path(ROOT) / "opengait" / "data" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def chosen_by_opengait(collate_fn, cfg, frames, times):
    """The frames that OpenGait's collate function picks of a sequence, drawn many times."""
    sequence = [np.arange(frames)]
    batch = [(sequence, ["a", "nm", "000", None])] * times
    picked, *_, lengths = collate_fn(["a"], cfg)(batch)
    if lengths is None:
        return [tuple(row) for row in picked[0]]
    return [tuple(row) for row in np.split(picked[0][0], np.cumsum(lengths[0])[:-1])]


@pytest.mark.parametrize("frames", [2, 5, 6])
@pytest.mark.parametrize("sample_type", ["fixed_ordered", "fixed_unordered", "unfixed_ordered", "all_ordered"])
def test_frames_are_drawn_with_the_same_odds(monkeypatch, sample_type, frames):
    CollateFn = load(monkeypatch, "collate_fn").CollateFn
    cfg = {"sample_type": sample_type, "frames_num_fixed": 3, "frames_num_min": 2, "frames_num_max": 3}
    cfg |= {"frames_skip_num": 1, "frames_all_limit": 4}
    random.seed(0)
    np.random.seed(0)
    times = 4000
    theirs = Counter(chosen_by_opengait(CollateFn, cfg, frames, times))
    sampling, rng = FrameSampling.from_config(cfg), np.random.default_rng(0)
    ours = Counter(tuple(sampling.sample(frames, rng).tolist()) for _ in range(times))
    assert set(ours) <= set(theirs) and set(theirs) <= set(ours)
    for key, count in theirs.items():
        assert abs(ours[key] - count) < 6 * np.sqrt(2 * count), key


def test_packing_is_the_same(monkeypatch, make_dataset):
    CollateFn = load(monkeypatch, "collate_fn").CollateFn
    dataset = make_dataset("test", sample_type="all_ordered")
    cfg = {"sample_type": "all_ordered"}
    items = [(list(dataset.load(i)[:2]), [dataset.label_list[i], dataset.types_list[i], "v", None]) for i in range(4)]
    (sils, bodies), labels, types, _, lengths = CollateFn(dataset.label_set, cfg)(items)
    batch = collate([dataset[i, 0] for i in range(4)], packed=True)
    np.testing.assert_array_equal(batch.sils, sils)
    np.testing.assert_array_equal(batch.bodies, bodies)
    np.testing.assert_array_equal(batch.seqL, lengths)
    assert (batch.labels.tolist(), batch.types) == (labels, types)


@pytest.mark.parametrize("width", [44, 64, 100, 128])
@pytest.mark.parametrize("name", ["BaseSilCuttingTransform", "BaseSilTransform"])
def test_transforms_give_the_same_numbers(monkeypatch, name, width):
    theirs = getattr(load(monkeypatch, "transform"), name)()
    x = np.random.default_rng(0).integers(0, 256, size=(5, 64, width), dtype=np.uint8)
    ours, _ = build_transforms([{"type": name}], with_bodies=False)
    np.testing.assert_allclose(ours(torch.from_numpy(x)).numpy(), theirs(x), rtol=1e-6)
