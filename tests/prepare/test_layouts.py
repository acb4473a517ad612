"""Each dataset's raw layout, as a tiny tree; and trees that lie otherwise."""

import pickle
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from opengait_meshgait.cli.main import main
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.pictures import normalize_silhouette
from opengait_meshgait.prepare.layouts import LAYOUTS
from opengait_meshgait.prepare.raw import find_raw

# Folders with pictures, and what OpenGait's scripts call the sequences in them.
TREES = {
    "gait3d": {"2D_Silhouettes/0001/camid0_videoid2/seq0": "0001/camid0_videoid2/seq0"},
    "oumvlp": {"Silhouette_015-01/00001": "00001/01/015", "Silhouette_270-00/10307": "10307/00/270"},
    "casiab": {"001/nm-01/000": "001/nm-01/000", "124/cl-02/180": "124/cl-02/180"},
    "casiae": {
        "001/H/scene1/bg/000/1": "001/H-scene1-bg-1/000",
        "1014/L/scene3_s/nm/090/2": "1014/L-scene3_s-nm-2/090",
    },
    "ccpg": {"000/U0_D0_BG/00_0": "000/U0_D0_BG/00_0", "199/U3_D3/90": "199/U3_D3/90"},
    "grew": {
        "train/00001/4XPn5Z28": "00001train/00/4XPn5Z28",
        "train/00001/0aaaaaaa": "00001train/00/0aaaaaaa",
        "test/gallery/00001/t16VLaQf": "00001/02/t16VLaQf",
        "test/gallery/00001/79XJefi8": "00001/01/79XJefi8",
        "test/gallery/06000/zzzzzzzz": "06000/01/zzzzzzzz",
        "test/probe/etaGVnWf": "probe/03/etaGVnWf",
    },
    "sustech1k": {
        "0000/00-nm/000/Sils_aligned": "0000/00-nm/000",
        "1057/02-bg-cl/090-far/Sils_aligned": "1057/02-bg-cl/090-far",
    },
    "fvg": {"session1/001_02": "001/session1-02/front", "session3/001_12": "001/session3-12/front"},
    "generic": {"Zoë/nm/090": "Zoë/nm/090"},
}


def plant(root, dataset):
    for folder in TREES[dataset]:
        (root / folder).mkdir(parents=True)
    return root


@pytest.mark.parametrize("dataset", LAYOUTS)
def test_folders_become_sequences(dataset, tmp_path):
    found = find_raw(dataset, plant(tmp_path, dataset), None, with_bodies=False)
    assert {sequence.name: sequence.silhouettes for sequence in found.sequences} == {
        name: str(tmp_path / folder) for folder, name in TREES[dataset].items()
    }
    assert [sequence.name for sequence in found.sequences] == sorted(TREES[dataset].values())
    assert not found.passed_over and not found.without_silhouettes


@pytest.mark.parametrize("dataset", LAYOUTS)
def test_examples_in_messages_are_right(dataset, tmp_path):
    layout = LAYOUTS[dataset]
    (tmp_path / layout.example).mkdir(parents=True)
    if layout.bodies_folder:
        (tmp_path / layout.bodies_folder / layout.bodies_example).mkdir(parents=True)
    found = find_raw(dataset, tmp_path, None, with_bodies=bool(layout.bodies_folder))
    assert len(found.sequences) == 1 and not found.without_silhouettes
    if layout.bodies_folder:
        assert found.sequences[0].bodies == str(tmp_path / layout.bodies_folder / layout.bodies_example)


@pytest.mark.parametrize("named", LAYOUTS)
@pytest.mark.parametrize("there", [name for name in LAYOUTS if name != "generic"])
def test_another_layout_is_recognised(there, named, tmp_path):
    root = plant(tmp_path, there)
    by_person = ("casiab", "ccpg", "sustech1k")  # id/type/view themselves
    if named == there or (named == "generic" and there in by_person):
        assert len(find_raw(named, root, None, False).sequences) == len(TREES[there])
    else:
        with pytest.raises(UserError, match=f"It lies like .*: `meshgait prepare {there}`"):
            find_raw(named, root, None, False)


@pytest.mark.parametrize("dataset", [name for name in LAYOUTS if name != "generic"])
def test_a_folder_too_high_or_too_low(dataset, tmp_path):
    root = plant(tmp_path / "raw", dataset)
    with pytest.raises(UserError, match=re.escape(f"The layout begins in {root}: give that folder")):
        find_raw(dataset, tmp_path, None, False)
    with pytest.raises(UserError, match=re.escape(f"The layout begins in {root}: give that folder")):
        find_raw(dataset, root / next(iter(TREES[dataset])).partition("/")[0], None, False)


@pytest.mark.parametrize(
    ("dataset", "odd"),
    [
        ("casiab", "001/nm_01"),
        ("casiab", "abc"),
        ("casiae", "001/H/scene1/walk"),
        ("ccpg", "000/U0-D0"),
        ("grew", "train/1"),
        ("sustech1k", "0000/nm"),
        ("fvg", "session1/001-03"),
    ],
)
def test_folders_of_other_names_are_told(dataset, odd, tmp_path):
    plant(tmp_path, dataset)
    (tmp_path / odd / "x").mkdir(parents=True)
    found = find_raw(dataset, tmp_path, None, False)
    assert found.passed_over == [odd] and len(found.sequences) == len(TREES[dataset])


def test_nothing_that_is_known(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    with pytest.raises(
        UserError, match=r"looked for <id>/<type>/<view>, such as 001/nm-01/090, in .*holds: a\. .*--help"
    ):
        find_raw("casiab", tmp_path, None, False)


def prepare(dataset, root, out, *more):
    assert main(["prepare", dataset, "--root", str(root), "--out", str(out), "--workers", "1", *more]) == 0
    return {str(path.parent.relative_to(out)): pickle.loads(path.read_bytes()) for path in out.rglob("0-sils.pkl")}


@pytest.mark.parametrize("dataset", LAYOUTS)
def test_pictures_become_training_data(dataset, walk, write_pictures, tmp_path, capsys):
    for folder in TREES[dataset]:
        write_pictures(tmp_path / "raw" / folder, walk[0])
        if dataset == "casiae":
            for path in sorted((tmp_path / "raw" / folder).iterdir()):
                path.write_bytes(cv2.imencode(".jpg", cv2.imread(str(path), 0))[1].tobytes())
                path.rename(path.with_suffix(".jpg"))
    expected = [normalize_silhouette(picture) for picture in walk[0]]
    if how := LAYOUTS[dataset].aligned:
        pictures = walk[0]
        if dataset == "casiae":
            paths = sorted(next(iter((tmp_path / "raw").rglob("0001.jpg"))).parent.iterdir())
            pictures = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
        resizing = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}[how]
        expected = [cv2.resize(picture, (64, 64), interpolation=resizing) for picture in pictures]
    prepared = prepare(dataset, tmp_path / "raw", tmp_path / "out", "--silhouettes-only")
    assert prepared.keys() == {*TREES[dataset].values()}
    for silhouettes in prepared.values():
        np.testing.assert_array_equal(silhouettes, expected)
    assert "passed over" not in capsys.readouterr().out


def test_normalised_pictures_stay_as_they_are(write_pictures, tmp_path):
    pictures = np.zeros((2, 64, 64), np.uint8)
    pictures[0, 20:50, 5:35] = np.tri(30) * 255  # neither at full height nor in the middle; the second is empty
    write_pictures(tmp_path / "raw/train/00001/4XPn5Z28", pictures)
    prepared = prepare("grew", tmp_path / "raw", tmp_path / "out")
    np.testing.assert_array_equal(prepared["00001train/00/4XPn5Z28"], pictures[:1])


SUSTECH1K = [
    "00-000-LiDAR-PCDs", "01-000-LiDAR-PCDs_depths", "02-000-LiDAR-PCDs_sils", "03-000-Camera-Pose",
    "06-000-Camera-Sils_aligned", "07-000-Camera-Sils_raw", "10-sync-000-LiDAR-PCDs_sils",
    "14-sync-000-Camera-Sils_aligned", "15-sync-000-Camera-Sils_raw",
]  # fmt: skip


@pytest.mark.parametrize(
    ("dataset", "sequence", "names", "right"),
    [
        ("sustech1k", "0000/00-nm/000", SUSTECH1K, "06-000-Camera-Sils_aligned"),
        ("ccpg", "000/U0_D0/00_0", ["aligned-sils", "ratios", "rgbs", "sils"], "aligned-sils"),
    ],
)
def test_pickles_of_opengait(dataset, sequence, names, right, tmp_path):
    folder = tmp_path / "raw" / sequence
    folder.mkdir(parents=True)
    pictures = np.tile(np.tri(64, dtype=np.uint8) * 255, (len(names), 3, 1, 1))
    pictures[range(len(names)), 0, -1, range(len(names))] = 0  # which tells them apart
    for name, content in zip(names, pictures):
        name = f"{folder.name}-{name}" if dataset == "ccpg" else name
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(content))
    prepared = prepare(dataset, tmp_path / "raw", tmp_path / "out")
    np.testing.assert_array_equal(prepared[sequence], pictures[names.index(right)])


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("dataset", ["casiab", "casiae", "grew", "fvg"])
def test_bodies_of_ones_own(dataset, mirrored, tmp_path):
    root, bodies = plant(tmp_path / "raw", dataset), tmp_path / "bodies"
    places = {name: bodies / (folder if mirrored else name) for folder, name in TREES[dataset].items()}
    for place in places.values():
        place.mkdir(parents=True)
    found = find_raw(dataset, root, bodies, True)
    assert {sequence.name: sequence.bodies for sequence in found.sequences} == {n: str(p) for n, p in places.items()}
    folder, name = next(iter(TREES[dataset].items()))
    (root / folder).rmdir()
    assert find_raw(dataset, root, bodies, True).without_silhouettes == [name]
    places[name].rmdir()
    (root / folder).mkdir()
    assert not Path(next(s.bodies for s in find_raw(dataset, root, bodies, True).sequences if s.name == name)).exists()


def test_bodies_where_there_are_none(tmp_path):
    with pytest.raises(UserError, match="No bodies of CASIA-B.*--silhouettes-only"):
        find_raw("casiab", plant(tmp_path, "casiab"), tmp_path / "bodies", True)


def frames_of_two_kinds(folder, picture):
    for ending in (".jpg", ".png"):
        (folder / f"0001{ending}").write_bytes(cv2.imencode(ending, picture)[1].tobytes())


def thinned_pickle(folder, picture):
    (folder / "14-sync-000-Camera-Sils_aligned.pkl").write_bytes(pickle.dumps(picture[None]))


def two_pickles(folder, picture):
    for name in ("a-aligned-sils.pkl", "b-aligned-sils.pkl"):
        (folder / name).write_bytes(pickle.dumps(picture[None]))


BAD = {
    "no picture": ("casiab", "001/nm-01/000", lambda *_: None, "one pickle of silhouettes; found nothing"),
    "another ending": ("casiab", "001/nm-01/000", frames_of_two_kinds, None),
    "a frame twice": ("casiae", "001/H/scene1/nm/000/1", frames_of_two_kinds, "0001.jpg and 0001.png"),
    "thinned": ("sustech1k", "0000/00-nm/000", thinned_pickle, "one pickle [0-9][0-9]-[0-9]*-Camera-Sils_aligned.pkl"),
    "ambiguous": ("ccpg", "000/U0_D0/00_0", two_pickles, "one pickle *-aligned-sils.pkl; found a-aligned"),
    "not opened": ("grew", "train/00001/4XPn5Z28", lambda folder, _: (folder / "x.png").mkdir(), "Cannot read"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_folders(case, walk, tmp_path, capsys):
    dataset, place, spoil, message = BAD[case]
    folder = tmp_path / "raw" / place
    folder.mkdir(parents=True)
    spoil(folder, cv2.resize(walk[0][0], (64, 64)))
    command = ["prepare", dataset, "--root", str(tmp_path / "raw"), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert main([*command, "--silhouettes-only"]) == (message is not None)
    assert (message or "1 of 1 sequences prepared") in capsys.readouterr().out
    assert len(list((tmp_path / "out").glob("*/*/*/0-sils.pkl"))) == (message is None)


def test_a_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "CASIA-B.zip").touch()
    with pytest.raises(UserError, match="CASIA-B.zip is not a folder"):
        find_raw("casiab", tmp_path / "CASIA-B.zip", None, False)
