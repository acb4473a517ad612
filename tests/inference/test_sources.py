"""Where sequences may lie, and what is wrong with those that cannot be used."""

import pickle
import shutil

import cv2
import numpy as np
import pytest

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.pictures import normalize_silhouette
from opengait_meshgait.data.reader import read_silhouettes
from opengait_meshgait.inference.silhouettes import SilhouetteSize
from opengait_meshgait.inference.sources import find_sources

SIZE = SilhouetteSize(64, 64, 44)


def read(source, size=SIZE):
    return source.read(size, False).pictures


def write_pictures(folder, pictures, names=None):
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{names[number] if names else number}.png"), picture)


def test_prepared_folders(dataset):
    found = find_sources(dataset)
    assert len(found) == 16
    assert [found[1].label, found[1].type, found[1].view, found[1].name] == ["0001", "nm-01", "090", "0001-nm-01-090"]
    np.testing.assert_array_equal(read(found[1]), read_silhouettes(dataset / "0001/nm-01/090/0-sils.pkl"))


def test_folders_of_pictures(tmp_path, sequences):
    raw = np.pad(sequences[3], ((0, 0), (5, 9), (30, 20)))
    write_pictures(tmp_path / "b" / "nm-01" / "090", raw)
    write_pictures(tmp_path / "a" / "nm-01" / "090", sequences[0])
    first, second = find_sources(tmp_path)
    assert (first.name, second.name) == ("a-nm-01-090", "b-nm-01-090")
    np.testing.assert_array_equal(read(first), sequences[0])
    np.testing.assert_array_equal(read(second), [normalize_silhouette(picture) for picture in raw])
    (alone,) = find_sources(tmp_path / "a" / "nm-01" / "090")
    assert (alone.name, alone.label, alone.type) == ("090", "090", "")
    np.testing.assert_array_equal(read(alone), sequences[0])


def test_pictures_are_in_the_order_of_their_numbers(tmp_path, sequences):
    write_pictures(tmp_path / "x", sequences[3], [9, 10, 11, 100, 101, 1000, 1001, 1002, 1003])
    write_pictures(tmp_path / "x", sequences[1][:1], ["090-gei"])
    (source,) = find_sources(tmp_path / "x")
    np.testing.assert_array_equal(read(source), sequences[3])


def test_pictures_of_different_sizes(tmp_path, sequences):
    pictures = [np.pad(picture, number) for number, picture in enumerate(sequences[0], 1)]
    write_pictures(tmp_path / "x", [*pictures, np.zeros((9, 9), np.uint8)])
    (source,) = find_sources(tmp_path / "x")
    np.testing.assert_array_equal(read(source), [normalize_silhouette(picture) for picture in pictures])


def test_stacks(tmp_path, sequences):
    np.savez(
        tmp_path / "x.npz",
        **{"bob/nm-01/090": sequences[0], "ann": np.pad(sequences[1], 2), "bob/bg/0/1": sequences[2]},
    )
    found = find_sources(tmp_path / "x.npz")
    assert [(one.label, one.type, one.view) for one in found] == [
        ("ann", "", ""),
        ("bob", "bg", "0/1"),
        ("bob", "nm-01", "090"),
    ]
    assert len(read(found[0])) == 7
    np.testing.assert_array_equal(read(found[2]), sequences[0])


def test_one_pickle(dataset):
    (source,) = find_sources(dataset / "0001/nm-01/000/0-sils.pkl")
    assert source.name == "0-sils"
    assert read(source).shape[1:] == (64, 64)
    (same,) = find_sources(dataset / "0001/nm-01/000")
    assert same.name == "000"
    np.testing.assert_array_equal(read(same), read(source))


def test_nothing_there(tmp_path):
    with pytest.raises(UserError, match="is missing. Give a folder"):
        find_sources(tmp_path / "x")
    (tmp_path / "x.txt").touch()
    with pytest.raises(UserError, match="unknown kind"):
        find_sources(tmp_path / "x.txt")
    with pytest.raises(UserError, match=r"no sequences.*found x.txt"):
        find_sources(tmp_path)


def test_unusable_folders_are_listed(tmp_path):
    (tmp_path / "a" / "nm-01" / "090").mkdir(parents=True)
    with pytest.raises(UserError, match=r"holds no sequences.*found a/nm-01/090"):
        find_sources(tmp_path)
    (tmp_path / "a" / "nm-01" / "090" / "0-sils.pkl").touch()
    with pytest.raises(UserError, match="1 sequences.*\n.*a/nm-01/090.*is empty"):
        find_sources(tmp_path)


def test_damaged_files(tmp_path, sequences):
    write_pictures(tmp_path / "x", sequences[0])
    (tmp_path / "x" / "1.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="1.png is damaged"):
        read(find_sources(tmp_path / "x")[0])
    (tmp_path / "x.npz").write_bytes(b"PK no archive")
    with pytest.raises(UserError, match="no .npz archive"):
        find_sources(tmp_path / "x.npz")
    for array in (sequences[0], sequences[0][0, 0], np.array("embeddings")):
        with (tmp_path / "x.npz").open("wb") as file:
            np.save(file, array)
        with pytest.raises(UserError, match="single array without a name.*save it with np.savez"):
            find_sources(tmp_path / "x.npz")


def test_nobody_is_there(tmp_path):
    write_pictures(tmp_path / "x", np.zeros((2, 80, 50), np.uint8))
    with pytest.raises(UserError, match="in none of its 2 pictures"):
        read(find_sources(tmp_path / "x")[0])
    specks = np.zeros((2, 80, 50), np.uint8)
    specks[:, 3, 3] = 255
    write_pictures(tmp_path / "x", specks)
    with pytest.raises(UserError, match="x: in none of its 2 pictures"):
        read(find_sources(tmp_path / "x")[0])


def test_stacks_that_are_none(tmp_path):
    np.savez(tmp_path / "x.npz", ann=np.zeros(3), bob=np.array([{}], dtype=object))
    for source, message in zip(
        find_sources(tmp_path / "x.npz"), (r"ann\) holds float64 \[3\]", r"bob\) cannot be read")
    ):
        with pytest.raises(UserError, match=message):
            read(source)
    np.savez(tmp_path / "y.npz", embeddings=np.zeros((1, 2, 3)), labels=["a"])
    with pytest.raises(UserError, match="embeddings already"):
        find_sources(tmp_path / "y.npz")
    np.savez(tmp_path / "z.npz")
    with pytest.raises(UserError, match="is empty"):
        find_sources(tmp_path / "z.npz")


def test_pickles_of_another_size(tmp_path, sequences):
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(sequences[0].repeat(2, 1).repeat(2, 2)))
    with pytest.raises(
        UserError, match="128 x 128 px, and the model was trained on 64 x 64: prepare them with --size 64"
    ):
        read(find_sources(tmp_path / "x.pkl")[0])
    (same,) = find_sources(tmp_path / "x.pkl")
    np.testing.assert_array_equal(read(same, SilhouetteSize(128, 128, 88)), sequences[0].repeat(2, 1).repeat(2, 2))


def test_pictures_beside_sequences_are_named_and_not_read(dataset, tmp_path, sequences, caplog):
    root = tmp_path / "data"
    shutil.copytree(dataset, root)
    write_pictures(root, sequences[0][:1], ["worst"])
    write_pictures(root / "0001", sequences[0][:1])
    write_pictures(root / "0001" / "nm-01", sequences[0][:1])
    (root / "0001" / "nm-01" / "270").mkdir()
    (root / "notes.txt").touch()
    assert len(find_sources(root)) == 16
    (record,) = caplog.records
    assert record.getMessage().endswith("worst.png, 0001/0.png, 0001/nm-01/0.png, 0001/nm-01/270.")


def test_endings_are_read_whatever_their_case(tmp_path, sequences):
    for person, ending in (("a", "png"), ("b", "PNG")):
        folder = tmp_path / person / "nm-01" / "090"
        write_pictures(folder, sequences[0])
        for path in list(folder.iterdir()):
            path.rename(path.with_suffix(f".{ending}"))
    assert [one.label for one in find_sources(tmp_path)] == ["a", "b"]


def test_mixtures_are_refused(dataset, tmp_path, sequences):
    root = tmp_path / "data"
    shutil.copytree(dataset, root)
    write_pictures(root / "9999" / "nm-01" / "000", sequences[0])
    with pytest.raises(UserError, match="16 of pickles .0001-nm-01-000. and 1 of pictures .9999-nm-01-000."):
        find_sources(root)
    write_pictures(root / "0001" / "nm-01" / "000", sequences[0])
    with pytest.raises(UserError, match="000 holds PNGs and 0-sils.pkl"):
        find_sources(root)
    write_pictures(tmp_path / "x", sequences[0])
    write_pictures(tmp_path / "x" / "another", sequences[0])
    with pytest.raises(UserError, match="pictures and more in folders that do not lie as id/type/view .another/0.png"):
        find_sources(tmp_path / "x")


def test_bodies_beside_pictures_are_no_mixture(tmp_path, sequences):
    write_pictures(tmp_path / "a" / "nm-01" / "090", sequences[0])
    (tmp_path / "a" / "nm-01" / "090" / "smpls.pkl").touch()
    (source,) = find_sources(tmp_path)
    np.testing.assert_array_equal(read(source), sequences[0])
