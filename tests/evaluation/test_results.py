"""Rank-1 of single probes: against loops, against the figures it makes up, and as text."""

from fnmatch import fnmatchcase

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation import PROTOCOLS, evaluate_recognition
from opengait_meshgait.evaluation.results import ProbeHits, read_hits

TYPES, VIEWS = ["nm-01", "nm-02", "bg-01", "cl-01", "cl-02"], ["000", "090", "180"]


def nearest(embeddings, probe, gallery):
    """The gallery sequence that is nearest, the first of several."""
    far = {j: round((embeddings[probe] - embeddings[j]).double().norm(dim=0).mean().item(), 6) for j in gallery}
    return min(gallery, key=lambda j: (far[j], j))


@given(present=st.lists(st.booleans(), min_size=60, max_size=60), seed=st.integers(0, 99))
def test_cross_view_equals_loops(present, seed):
    rows = [(f"{i}", kind, view) for i in range(4) for kind in TYPES for view in VIEWS]
    rows = [row for row, there in zip(rows, present) if there]
    labels, types, views = map(list, zip(*rows)) if rows else ([], [], [])
    # Small whole numbers: ties abound, and their distances are exact.
    embeddings = torch.randint(3, (len(rows), 2, 1), generator=torch.Generator().manual_seed(seed)).float()
    try:
        result = evaluate_recognition(embeddings, labels, types, views, PROTOCOLS["Walkers"], chunk=3)
    except UserError:
        return
    for condition, found in result.hits.items():
        (pattern,) = PROTOCOLS["Walkers"].probes[condition]
        expected = [i for i, kind in enumerate(types) if fnmatchcase(kind, pattern) and kind != "nm-01"]
        assert found.indices.tolist() == expected
        for i, row in zip(expected, found.hits):
            for view, hit in zip(result.views, row):
                gallery = [j for j, kind in enumerate(types) if kind == "nm-01" and views[j] == view]
                if view == views[i] or not gallery:
                    assert np.isnan(hit)
                else:
                    assert hit == (labels[nearest(embeddings, i, gallery)] == labels[i])
        by_view = {}
        for i, row in zip(expected, found.hits):
            if not np.isnan(row).all():
                by_view.setdefault(views[i], []).append(np.nanmean(row))
        if by_view:
            rank1 = 100 * np.mean([np.mean(scores) for scores in by_view.values()])
            assert rank1 == pytest.approx(result.metrics[f"{condition}@R1"])


@pytest.mark.parametrize("seed", range(5))
def test_gait3d_equals_loops(seed):
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(8, (40,), generator=rng).tolist()
    types, views = ["c"] * 40, [f"s{i}" for i in range(40)]
    embeddings = torch.randint(3, (40, 2, 1), generator=rng).float()
    probes = [f"{labels[i]}-c-s{i}" for i in range(0, 40, 3)]
    result = evaluate_recognition(embeddings, labels, types, views, PROTOCOLS["Gait3D"], probes, chunk=4)
    gallery = [i for i in range(40) if i % 3]
    expected = [i for i in range(0, 40, 3) if labels[i] in {labels[j] for j in gallery}]
    (found,) = result.hits.values()
    assert found.indices.tolist() == expected
    assert found.hits.tolist() == [[labels[nearest(embeddings, i, gallery)] == labels[i]] for i in expected]
    assert 100 * found.hits.mean() == pytest.approx(result.metrics["Rank-1"])
    (curve,) = result.cmc["all"]
    assert len(curve) == len(gallery)
    assert curve[[0, 4, 9]] == pytest.approx([result.metrics[f"Rank-{k}"] for k in (1, 5, 10)])


def test_text_and_back():
    hits = np.array([[np.nan, 1, 0], [1, np.nan, 1]], dtype=np.float32)
    texts = ProbeHits(np.array([3, 5]), hits, np.ones(2), np.ones(2)).texts()
    assert texts == ["-10", "1-1"]
    np.testing.assert_array_equal(read_hits(texts), hits)
