"""`meshgait embed` and `meshgait identify`, as they are typed."""

import json

import numpy as np
import pytest

from opengait_meshgait.cli.main import main
from opengait_meshgait.inference.embeddings import write_embeddings


@pytest.fixture
def write(tmp_path):
    """A function that writes one-dimensional embeddings of some people."""

    def make(name, values, labels, model="m"):
        values = np.asarray(values, np.float32)[:, None, None]
        names = [f"{label}-{number}" for number, label in enumerate(labels)]
        texts = {"names": names, "labels": labels, "types": labels, "views": labels}
        write_embeddings(tmp_path / name, [values], values.shape, texts, model, "euc")
        return str(tmp_path / name)

    return make


@pytest.fixture
def files(write):
    """A gallery, probes, and a validation set."""
    gallery = write("g.npz", [0, 1, 50, 51], ["ann", "ann", "bob", "bob"])
    probe = write("p.npz", [3, 52, 30], ["x", "y", "z"])
    validation = write(
        "v.npz", [x for i in range(10) for x in (100 * i, 100 * i + 5)], [i for i in "abcdefghij" for _ in "12"]
    )
    return ["--gallery", gallery, "--probe", probe], validation


def identify(*arguments):
    return main(["identify", "--device", "cpu", *map(str, arguments)])


def test_people_are_named(files, capsys):
    assert identify(*files[0], "--top", 2) == 0
    assert capsys.readouterr().out.splitlines() == [
        "x-0: ann 2, bob 47",
        "y-1: bob 1, ann 51",
        "z-2: bob 20, ann 29",
        "3 probes; the gallery has 4 sequences of 2 people",
    ]


def test_strangers_are_unknown(files, capsys, tmp_path):
    assert identify(*files[0], "--unknown", 10, "--top", 1) == 0
    assert "z-2: unknown (nearest: bob 20)" in capsys.readouterr().out
    saved = tmp_path / "t.json"
    assert (
        identify(*files[0], "--validation", files[1], "--far", 0.1, "--save", saved, "--json", tmp_path / "o.json") == 0
    )
    out = capsys.readouterr().out
    assert "Rejection threshold 95 (euc) for FAR ≤ 10.00%, learnt from 20 sequences of 10 people" in out
    assert "the false-accept rate is 0.00% and the miss rate 0.00%" in out
    assert "x-0: " not in out
    learnt = json.loads((tmp_path / "o.json").read_text())
    assert [probe["known"] for probe in learnt["probes"]] == [True, True, True]
    assert learnt["threshold"]["value"] == 95
    assert identify(*files[0], "--unknown", saved, "--json", tmp_path / "again.json") == 0
    assert json.loads((tmp_path / "again.json").read_text()) == learnt


def test_approximate_search_tells_its_recall(files, capsys, tmp_path):
    pytest.importorskip("faiss")
    assert identify(*files[0], "--top", 2, "--index", "faiss", "--json", tmp_path / "o.json") == 0
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith("Approximate search looks at 1 of 2 lists (faiss): for 100.0% of 1 probes")
    found = json.loads((tmp_path / "o.json").read_text())
    assert found["recall"] == {"looked_at": 1, "lists": 2, "probes": 1, "nearest": 1, "top": 2, "people": 1}
    assert identify(*files[0], "--top", 2, "--json", tmp_path / "exact.json") == 0
    assert json.loads((tmp_path / "exact.json").read_text()) == {**found, "recall": None}


def test_a_gallery_larger_than_what_the_threshold_was_learnt_from(files, capsys):
    gallery, probe = files[1], files[0][3]
    assert identify("--gallery", gallery, "--probe", probe, "--validation", files[0][1], "--far", 0.25) == 0
    assert "20 sequences of 10 people: more than the 4 that the threshold was learnt from" in capsys.readouterr().out


def test_people_who_may_be_the_same_are_told(files, write, capsys):
    labels = [label for label in ("ann", *"abcdefghi") for _ in "12"]
    namesakes = write("n.npz", [x for i in range(10) for x in (90 * i + 7, 90 * i + 9)], labels)
    assert identify(*files[0], "--validation", namesakes, "--far", 0.1) == 0
    assert "Note: 1 validation people are called like people of gallery or probes (ann)" in capsys.readouterr().out
    assert identify(*files[0][:2], "--probe", files[0][1]) == 0
    assert "Note: 4 of the 4 probes are sequences of the gallery, and find themselves." in capsys.readouterr().out


def test_mistakes(files, write, capsys, tmp_path):
    other = write("other.npz", [1], ["ann"], model="n")
    cases = [
        ([*files[0], "--unknown", tmp_path / "none.json"], "Cannot read"),
        ([*files[0], "--save", tmp_path / "t.json"], "--save keeps what is learnt"),
        ([*files[0], "--json", tmp_path], "--json"),
        ([*files[0], "--validation", other], "different models"),
        ([*files[0][:2], "--probe", other], "different models"),
        ([*files[0][:2], "--probe", tmp_path / "none.npz"], "is missing. Make it with `meshgait embed`"),
        ([*files[0], "--validation", files[1], "--far", 0.001], "tell no false-accept rate below 0.05"),
        ([*files[0], "--validation", files[0][1]], "4 of the 4 sequences in"),
        ([*files[0], "--validation", files[0][3]], "learnt from people who are in neither gallery nor probes"),
        ([*files[0], "--far", 0.1], "--far is the rate that --validation V.npz is learnt for"),
        ([*files[0], "--unknown", 3, "--far", 0.1], "--far is the rate"),
    ]
    for arguments, message in cases:
        assert identify(*arguments) == 1
        assert message in capsys.readouterr().err


def test_embedding_mistakes(tmp_path, capsys):
    (tmp_path / "x.pt").write_bytes(b"nothing")
    cases = [
        (["--ckpt", tmp_path / "none.pt", "--out", tmp_path / "e.npz"], "none.pt is missing"),
        (["--ckpt", tmp_path / "x.pt", "--out", tmp_path / "e.npz"], "damaged or no checkpoint"),
        (["--ckpt", tmp_path / "x.pt", "--out", tmp_path / "e.txt"], "should end in .npz"),
    ]
    for arguments, message in cases:
        assert main(["embed", "--in", str(tmp_path), "--device", "cpu", *map(str, arguments)]) == 1
        assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*e.*"))
