"""Approximate search against exact search."""

import sys
from dataclasses import astuple, replace

import numpy as np
import pytest

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.inference import faiss_index
from opengait_meshgait.inference.embeddings import Embeddings
from opengait_meshgait.inference.faiss_index import FaissIndex
from opengait_meshgait.inference.identify import Threshold, identify
from opengait_meshgait.inference.search import Recall, SearchIndex


def embeddings(values, labels, model="m"):
    labels = np.asarray(labels, np.str_)
    names = np.array([f"{label}-{number}" for number, label in enumerate(labels)])
    return Embeddings(np.asarray(values, np.float32), names, labels, labels, labels, model, "euc", "e.npz")


def random(number, people, seed=0, shape=(4, 3)):
    rng = np.random.default_rng(seed)
    return embeddings(rng.normal(size=(number, *shape)), rng.integers(people, size=number))


@pytest.fixture
def faiss():
    return pytest.importorskip("faiss")


@pytest.mark.parametrize("metric", ["euc", "cos"])
@pytest.mark.parametrize("shape", [(12, 1), (4, 3)])
def test_all_lists_find_what_exact_search_finds(faiss, monkeypatch, metric, shape):
    monkeypatch.setattr(faiss_index, "_ENOUGH", 2)  # never: all lists are looked at
    monkeypatch.setattr(faiss_index, "_LEAST", 900)  # and all of their sequences are candidates
    monkeypatch.setattr(faiss_index, "_NUMBERS", 900 * 12 * 7)  # of seven probes at a time
    gallery, probes = random(900, 300, shape=shape), random(60, 300, 1, shape)
    index = FaissIndex(gallery, probes, 5, metric)
    assert index.recall == Recall(30, 30, 30, 1.0, 5, 1.0)
    distances, places = index.nearest(probes, 5)
    exact_distances, exact_places = SearchIndex(gallery, metric).nearest(probes, 5)
    assert places.tolist() == exact_places.tolist()
    np.testing.assert_allclose(distances, exact_distances, rtol=1e-5)


def test_few_lists_miss_people_and_say_so_and_distances_are_exact(faiss, monkeypatch):
    monkeypatch.setattr(faiss_index, "_ENOUGH", 0)  # at once: one list is looked at
    gallery, probes = random(900, 300), random(60, 300, 1)
    index = FaissIndex(gallery, probes)
    exact, (distances, places) = SearchIndex(gallery), index.nearest(probes, 5)
    far = np.linalg.norm(gallery.values[places] - probes.values[:, None], axis=2).mean(2)
    np.testing.assert_allclose(distances, far, rtol=1e-5)
    # Whoever is taken by a threshold would be taken by exact search too.
    assert (distances >= exact.nearest(probes, 5)[0] - 1e-5).all()
    # The recall is that of the odd half, counted by hand.
    found, expected = gallery.labels[places[1::2]], gallery.labels[exact.nearest(probes, 5)[1][1::2]]
    shared = [len({*a} & {*b}) / 5 for a, b in zip(found.tolist(), expected.tolist())]
    recall = Recall(1, 30, 30, (found[:, 0] == expected[:, 0]).mean(), 5, np.mean(shared))
    assert astuple(index.recall) == pytest.approx(astuple(recall)) and 0 < recall.people < recall.nearest < 1
    assert f"looks at 1 of 30 lists (faiss): for {recall.nearest:.1%} of 30 probes" in index.recall.in_words()


def test_lists_are_added_until_the_nearest_are_found(faiss):
    gallery, probes = random(900, 300), random(60, 300, 1)
    recall = FaissIndex(gallery, probes).recall
    assert 1 < recall.looked_at <= 30 and recall.nearest > 0.9


def test_candidates_of_too_few_people(faiss):
    """The nearest candidates are all of one person, and four people are asked for."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(size=(2000, 3)), 50 + rng.normal(size=(3, 3))])[:, :, None]
    gallery = embeddings(values, ["many"] * 2000 + ["b", "c", "d"])
    probes = embeddings(np.zeros((2, 3, 1)), ["?", "?"])
    distances, places = FaissIndex(gallery, probes).nearest(probes, 5)
    expected = SearchIndex(gallery).nearest(probes, 5)
    assert places.tolist() == expected[1].tolist() and places.shape == (2, 4)
    np.testing.assert_allclose(distances, expected[0], rtol=1e-5)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_small_and_equal_galleries(faiss, number, capfd):
    gallery = embeddings(np.ones((number, 2, 2)), [*"abcde"][:number])
    found = identify(gallery, gallery, top=2, index="faiss")
    assert found.people.shape == (number, min(number, 2)) and (found.distances == 0).all()
    assert not capfd.readouterr().err


def test_refusals(faiss, monkeypatch):
    gallery = random(50, 5)
    with pytest.raises(UserError, match="Unknown index 'fais'. Did you mean 'faiss'"):
        identify(gallery, gallery, index="fais")
    other = Threshold(1.0, "euc", "n", 0.1, 0.1, 0.1, 10, 5)
    monkeypatch.setattr(FaissIndex, "__init__", None)  # nothing is indexed for what cannot be compared
    with pytest.raises(UserError, match="learnt for model n"):
        identify(gallery, gallery, threshold=other, index="faiss")
    with pytest.raises(UserError, match="--top is 0"):
        identify(gallery, gallery, top=0, index="faiss")
    monkeypatch.undo()
    with pytest.raises(UserError, match="no probes to try the index with"):
        FaissIndex(gallery, gallery.take(np.arange(0)))
    with pytest.raises(UserError, match="different models"):
        FaissIndex(gallery, gallery).nearest(replace(gallery, model="n"), 1)
    broken = random(50, 5)
    broken.values[3, 0, 0] = np.nan
    for pair in ((broken, gallery), (gallery, broken)):
        with pytest.raises(UserError, match=f"e.npz: the embedding of {broken.names[3]} is NaN"):
            identify(*pair, index="faiss")


def test_without_faiss(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UserError, match=r"pip install 'opengait-meshgait\[faiss\]'"):
        identify(random(50, 5), random(50, 5), index="faiss")
    assert identify(random(50, 5), random(50, 5)).recall is None
