"""Files of embeddings: what the engine computes, whole, bounded in memory, of one model."""

import numpy as np
import pytest

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.inference import embeddings as embeddings_file
from opengait_meshgait.inference.embeddings import (
    check_comparable,
    embed_to_file,
    read_embeddings,
    write_embeddings,
)

TEXTS = {key: ["a", "b", "ccc"] for key in ("names", "labels", "types", "views")}


def write(path, values, texts=TEXTS, model="m"):
    write_embeddings(path, [values[:1], values[1:]], values.shape, texts, model, "euc")
    return path


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)


def test_the_engines_embeddings(model, dataset, engine_embeddings, tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings_file, "_WINDOW", 5)
    done = embed_to_file(model, dataset, tmp_path / "e.npz", quiet=True)
    assert (done.sequences, done.people) == (16, 4)
    found = read_embeddings(tmp_path / "e.npz")
    assert (found.model, found.metric) == (model.fingerprint, "euc")
    assert len(found) == 16
    rows = {
        f"{label}/{kind}/{view}": row
        for row, (label, kind, view) in enumerate(zip(found.labels, found.types, found.views))
    }
    names, expected = engine_embeddings
    np.testing.assert_allclose(found.values[[rows[name] for name in names]], expected, atol=1e-5)
    assert found.names[rows["0003/nm-02/090"]] == "0003-nm-02-090"


def test_numpy_reads_the_file(values, tmp_path):
    with np.load(write(tmp_path / "e.npz", values)) as archive:
        np.testing.assert_array_equal(archive["embeddings"], values)
        assert archive["names"].tolist() == TEXTS["names"]
        assert str(archive["model"]) == "m"


def test_the_file_is_mapped(values, tmp_path):
    found = read_embeddings(write(tmp_path / "e.npz", values))
    assert isinstance(found.values, np.memmap)
    np.testing.assert_array_equal(found.values, values)


def test_files_that_numpy_wrote(values, tmp_path):
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "e.npz", model="m", metric="euc", embeddings=values, **TEXTS)
        np.testing.assert_array_equal(read_embeddings(tmp_path / "e.npz").values, values)


def test_a_failure_leaves_no_file(model, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings_file, "_WINDOW", 5)
    calls = []

    def fail_later(sils, names):
        calls.append(names)
        if len(calls) == 2:
            raise UserError("enough")
        return np.zeros((len(sils), *model.embedding_shape), np.float32)

    monkeypatch.setattr(model, "embed", fail_later)
    with pytest.raises(UserError, match="enough"):
        embed_to_file(model, dataset, tmp_path / "e.npz", quiet=True)
    assert not list(tmp_path.iterdir())


def test_a_bad_sequence_is_named(model, tmp_path, sequences):
    np.savez(tmp_path / "x.npz", ann=sequences[0], bob=np.zeros((2, 64, 64), np.uint8))
    with pytest.raises(UserError, match=r"x.npz \(bob\) holds 2 frames, and all of them are black"):
        embed_to_file(model, tmp_path / "x.npz", tmp_path / "e.npz", quiet=True)


def test_files_that_are_none(values, tmp_path):
    path = tmp_path / "e.npz"
    with pytest.raises(UserError, match="is missing. Make it with"):
        read_embeddings(path)
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read"):
        read_embeddings(path)
    np.savez(path, ann=values)
    with pytest.raises(UserError, match="lacks embeddings, names, labels, types, views, model, metric, and holds ann"):
        read_embeddings(path)
    write(path, values)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="cannot be read"):
        read_embeddings(path)
    write(path, values, {**TEXTS, "names": ["a"]})
    with pytest.raises(UserError, match=r"float32 \[3, 5, 2\] and 1 names"):
        read_embeddings(path)
    write(path, values[:0], {key: [] for key in TEXTS})
    with pytest.raises(UserError, match="holds no sequences"):
        read_embeddings(path)


def test_different_models(values, tmp_path):
    one = read_embeddings(write(tmp_path / "a.npz", values, model="m"))
    other = read_embeddings(write(tmp_path / "b.npz", values, model="n"))
    check_comparable(one, one)
    with pytest.raises(UserError, match=r"a.npz and .*b.npz are embeddings of different models \(m and n\)"):
        check_comparable(one, other)
