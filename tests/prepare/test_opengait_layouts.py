"""What OpenGait's own scripts make of raw trees: the same sequences, the same bytes."""

import importlib.util
import os
import pickle
import sys
import tarfile
from pathlib import Path

import pytest

from opengait_meshgait.cli.main import main


@pytest.fixture
def script(monkeypatch):
    """A function that imports a script of OpenGait's ``datasets/``."""
    if not (root := os.environ.get("OPENGAIT_ROOT")):
        pytest.skip("set OPENGAIT_ROOT to an OpenGait checkout to compare with its scripts")

    def load(path):
        spec = importlib.util.spec_from_file_location(Path(path).stem, Path(root, "datasets", path))
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # where its worker processes look for it
        spec.loader.exec_module(module)
        return module

    return load


def casiab(script, raw, out):
    script("pretreatment.py").pretreat(raw, out, workers=1)


def oumvlp(script, raw, out):
    script("OUMVLP/rearrange_OUMVLP.py").rearrange(raw, out / "rearranged")
    script("pretreatment.py").pretreat(out / "rearranged", out, workers=1)


def grew(script, raw, out):
    script("GREW/rearrange_GREW.py").rearrange_GREW(raw, out / "rearranged")
    script("pretreatment.py").pretreat(out / "rearranged", out, workers=1, dataset="GREW")


def casiae(script, raw, out):
    extractor = script("CASIA-E/extractor.py")
    for person in sorted(raw.iterdir()):
        with tarfile.open(out / f"{person.name}.tar", "w") as archive:
            archive.add(person, f"forTrain/{person.name}")
        extractor.make_pkl_for_one_person(f"{person.name}.tar", str(out))


@pytest.mark.parametrize(
    ("theirs", "folders"),
    [
        (casiab, ["001/nm-01/000", "124/bg-02/090"]),
        (oumvlp, ["Silhouette_000-00/00001", "Silhouette_090-01/00001"]),
        (grew, ["train/00001/4XPn5Z28", "test/gallery/00001/79XJefi8", "test/probe/etaGVnWf"]),
        (casiae, ["001/H/scene1/bg/000/1", "1014/L/scene3_s/nm/090/2"]),
    ],
)
def test_sequences_and_bytes_are_those_of_opengait(theirs, folders, script, walk, write_pictures, tmp_path):
    small = [picture[16:80, 16:80].copy() for picture in walk[0]]  # GREW's pictures are 64 px high
    for folder in folders:
        write_pictures(tmp_path / "raw" / folder, small if theirs is grew else walk[0])
    (tmp_path / "theirs").mkdir()
    theirs(script, tmp_path / "raw", tmp_path / "theirs")
    command = ["prepare", theirs.__name__, "--root", str(tmp_path / "raw"), "--out", str(tmp_path / "ours")]
    assert main([*command, "--silhouettes-only", "--workers", "1"]) == 0

    def read(pattern):
        return {path.parts[-4:-1]: pickle.loads(path.read_bytes()) for path in tmp_path.glob(pattern)}

    expected, found = read("theirs/**/*.pkl"), read("ours/*/*/*/0-sils.pkl")
    assert found.keys() == expected.keys() and len(found) == len(folders)
    assert all(found[name].tobytes() == expected[name].tobytes() for name in found)
