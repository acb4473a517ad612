"""Who is nearest, by brute force; and who is nobody, by a closed form."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation.retrieval import distance_blocks
from opengait_meshgait.inference import nearest, search
from opengait_meshgait.inference.embeddings import Embeddings
from opengait_meshgait.inference.identify import identify, learn_threshold, read_threshold, write_threshold
from opengait_meshgait.inference.search import SearchIndex

CPU = torch.device("cpu")


def embeddings(values, labels, model="m", source="e.npz"):
    values = np.asarray(values, np.float32)
    values = values[:, None, None] if values.ndim == 1 else values
    labels = np.asarray(labels, np.str_)
    names = np.array([f"{label}-{number}" for number, label in enumerate(labels)])
    return Embeddings(values, names, labels, labels, labels, model, "euc", source)


def random(number, people, seed=0, shape=(4, 3)):
    rng = np.random.default_rng(seed)
    return embeddings(rng.normal(size=(number, *shape)), rng.integers(people, size=number))


@pytest.mark.parametrize("shape", [(4, 3), (9, 1)])
@pytest.mark.parametrize("metric", ["euc", "cos"])
@pytest.mark.parametrize(("people", "top"), [(40, 5), (3, 5), (1, 1), (200, 20)])
def test_against_brute_force(monkeypatch, metric, people, top, shape):
    monkeypatch.setattr(search, "_PIECE", 36)
    monkeypatch.setattr(nearest, "_GROUP", 12)
    gallery, probes = random(200, people, shape=shape), random(50, people, 1, shape)
    found = identify(gallery, probes, top, metric)
    arrays = (torch.from_numpy(found.values) for found in (probes, gallery))
    block = torch.cat([rows for _, rows in distance_blocks(*arrays, metric)]).numpy()
    for row in range(50):
        order = block[row].argsort(kind="stable")
        best = dict(zip(gallery.labels[order][::-1], order[::-1]))
        expected = sorted(best.values(), key=lambda place: block[row, place])[:top]
        assert found.people[row].tolist() == gallery.labels[expected].tolist()
        assert found.sequences[row].tolist() == gallery.names[expected].tolist()
        np.testing.assert_allclose(found.distances[row], block[row, expected], rtol=1e-4, atol=1e-5)
    assert found.known is None


def test_an_index_is_searched_by_threads_at_once(monkeypatch):
    monkeypatch.setattr(search, "_NUMBERS", 37 * 12)
    gallery, probes = random(200, 40), [random(9, 40, seed) for seed in range(1, 9)]
    index = SearchIndex(gallery)
    with ThreadPoolExecutor(8) as pool:
        together = [*pool.map(lambda each: identify(index, each), probes)]
    for each, found in zip(probes, together):
        alone = identify(gallery, each)
        assert found.sequences.tolist() == alone.sequences.tolist()
        np.testing.assert_allclose(found.distances, alone.distances, rtol=1e-5)
    with pytest.raises(UserError, match="Unknown metric 'eucl'. Did you mean 'euc'"):
        SearchIndex(gallery, "eucl")


def test_a_person_with_most_of_the_gallery(monkeypatch):
    """Looking at the nearest few sequences alone would find nobody but them."""
    monkeypatch.setattr(search, "_PIECE", 64)
    gallery = embeddings([*np.linspace(0, 1, 150), 5, 6, 7], ["many"] * 150 + ["far", "farther", "farthest"])
    found = identify(gallery, embeddings([0.0], ["?"]), top=3)
    assert found.people.tolist() == [["many", "far", "farther"]]
    assert found.distances.tolist() == [[0, 5, 6]]


def test_unknown():
    gallery = embeddings([0, 10], ["a", "b"])
    found = identify(gallery, embeddings([1, 9.5, 5], ["?"] * 3), threshold=1.0)
    assert found.known.tolist() == [False, True, False]
    content = json.loads(json.dumps(found.to_json()))
    assert content["threshold"] == 1.0
    assert content["probes"][1] == {
        "name": "?-1",
        "known": True,
        "candidates": [
            {"label": "b", "distance": 0.5, "sequence": "b-1"},
            {"label": "a", "distance": 9.5, "sequence": "a-0"},
        ],
    }


def line(*more):
    """Person i, from 1 to 10, has a sequence at 100 i and one at 101 i; ``more`` are those of an eleventh."""
    values = [x for i in range(1, 11) for x in (100 * i, 101 * i)]
    return embeddings([*values, *more], [*(i for i in range(1, 11) for _ in range(2)), *[11] * len(more)])


def test_the_threshold_in_closed_form(monkeypatch):
    monkeypatch.setattr(search, "_PIECE", 7)
    # Person i's first sequence is 101 - i from person i - 1, and the second one is 100 - i from person i + 1; those at
    # the ends are 100 and 101 from anybody. Sorted: 91, 91, 92, 92, ..., 99, 99, 100, 101.
    found = learn_threshold(line(), far=0.1, metric="euc", device=CPU)
    assert found.value == 92
    assert found.accepted == 0.1
    assert found.missed == 0
    assert (found.sequences, found.people, found.model, found.metric) == (20, 10, "m", "euc")
    # The eleventh person is far from everybody, and from themselves.
    found = learn_threshold(line(-1000, -3000), far=0.1, metric="euc", device=CPU)
    assert found.value == 92
    assert found.accepted == found.missed == 2 / 22
    # One who is seen once cannot be missed.
    found = learn_threshold(line(-1000), far=0.1, metric="euc", device=CPU)
    assert found.missed == 0


def test_strangers_pass_no_more_often_than_asked():
    validation = random(300, 40)
    for far in (0.01, 0.1, 0.5):
        found = learn_threshold(validation, far, "euc", CPU)
        assert found.accepted <= far
        assert found.accepted > far - 2 / 300
        assert 0 <= found.missed <= 1


def test_thresholds_are_kept(tmp_path):
    learnt = learn_threshold(line(), far=0.1, metric="euc", device=CPU)
    write_threshold(tmp_path / "t.json", learnt)
    assert read_threshold(tmp_path / "t.json") == learnt
    probes = embeddings([150, 101], ["?", "?"])
    assert identify(line(), probes, threshold=learnt).known.tolist() == [True, True]
    assert identify(line(), probes, threshold=learnt).to_json()["threshold"]["value"] == 92
    with pytest.raises(
        UserError, match="learnt for model m and metric euc, and the embeddings are of model m, compared by cos"
    ):
        identify(line(), probes, metric="cos", threshold=learnt)
    (tmp_path / "t.json").write_text('{"value": 3}')
    with pytest.raises(UserError, match="is no threshold"):
        read_threshold(tmp_path / "t.json")


@pytest.mark.parametrize(
    ("labels", "far", "message"),
    [
        (["a", "b", "c", "d"], 0.5, "has 4 labels, no two of them alike"),
        (["a", "a", "a", "a"], 0.5, "has one person"),
        (["a", "a", "b", "b"], 0.01, "has 4 sequences: they tell no false-accept rate below 0.25, and 0.01"),
        (["a", "a", "b", "b"], 1.0, "between 0 and 1"),
    ],
)
def test_validation_sets_that_teach_nothing(labels, far, message):
    with pytest.raises(UserError, match=message):
        learn_threshold(embeddings([1, 2, 3, 4], labels), far, "euc", CPU)


@pytest.mark.parametrize("search_by", [identify, lambda gallery, *more: SearchIndex(gallery).nearest(*more)])
def test_what_cannot_be_searched_for(search_by):
    gallery = random(5, 2)
    for wrong in ("known.npz", gallery.values, None):
        with pytest.raises(UserError, match="for the gallery; expected what read_embeddings gives"):
            search_by(wrong, gallery, 1)
        with pytest.raises(UserError, match="for the probes; expected what read_embeddings gives"):
            search_by(gallery, wrong, 1)
    for top in (0, -1, 1.5):
        with pytest.raises(UserError, match=f"--top is {top}: give 1 or more"):
            search_by(gallery, gallery, top)
    with pytest.raises(UserError, match="different models"):
        search_by(gallery, embeddings(gallery.values, gallery.labels, model="n"), 1)
    with pytest.raises(UserError, match=r"have the shape \[4, 3\] and those of e.npz \[3, 4\]"):
        search_by(gallery, random(5, 2, shape=(3, 4)), 1)
    with pytest.raises(UserError, match="The gallery has no sequences"):
        search_by(gallery.take(np.arange(0)), gallery, 1)


@pytest.mark.parametrize("threshold", [0, -1.0, float("nan"), "0.1"])
def test_thresholds_that_are_none(threshold):
    with pytest.raises(UserError, match=f"rejection threshold is {threshold}: give a distance above 0"):
        identify(random(5, 2), random(5, 2), threshold=threshold)


def test_what_cannot_be_compared():
    gallery = random(5, 2)
    with pytest.raises(UserError, match="different models"):
        identify(gallery, embeddings(gallery.values, gallery.labels, model="n"))
    with pytest.raises(UserError, match="--top is 0"):
        identify(gallery, gallery, top=0)
    gallery.values[3, 0, 0] = np.nan
    with pytest.raises(UserError, match=f"e.npz: the embedding of {gallery.names[3]} is NaN"):
        identify(gallery, random(5, 2))
    with pytest.raises(UserError, match="is NaN"):
        identify(random(5, 2), gallery)
