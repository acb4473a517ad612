"""Whose bodies they are, and where they lie: ``prepare`` with a tracker's files."""

import json
import pickle
import shutil

import numpy as np
import pytest
import torch

from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import BETAS, POSE
from opengait_meshgait.cli.main import main
from opengait_meshgait.common.pictures import frame_key, normalize_silhouette
from opengait_meshgait.prepare.bodies import Bodies
from opengait_meshgait.prepare.joining import Candidate
from opengait_meshgait.prepare.people import choose_bodies

FRAMES = [frame_key(f"{number:04d}") for number in range(1, 7)]
SEQUENCE = "0001/nm-01/000"


@pytest.fixture(scope="module")
def seen(walk):
    """Normalised silhouettes, bodies [6, 85] that fit them, and those of a person who sits."""
    pictures, smpls = walk
    others = smpls.copy()
    others[:, [6, 9]] = -1.5
    return np.stack([normalize_silhouette(picture) for picture in pictures]), smpls, others


def chosen(pictures, *tracks):
    """Of the tracks, each a person's name and rows by frame, whose is taken for each frame."""
    candidates = {frame: [] for frame in FRAMES}
    for person, rows in tracks:
        for place, row in rows.items():
            candidates[FRAMES[place]].append(Candidate(person, row))
    shape = next(iter(tracks[0][1].values())).shape
    rows, present = choose_bodies(Bodies(candidates, shape), FRAMES, pictures, load_body())
    found = {}
    for place in np.flatnonzero(present):
        found[int(place)] = next(
            person for person, own in tracks if place in own and np.array_equal(own[place], rows[place])
        )
    return found


def test_the_person_in_the_silhouettes_is_kept(seen):
    pictures, right, wrong = seen
    track, passer_by = dict(enumerate(right)), dict(enumerate(wrong))
    track[2] = wrong[2]  # a bad frame of the right person is still theirs
    passer_by[2] = right[2]
    assert chosen(pictures, ("other", passer_by), ("walker", track)) == dict.fromkeys(range(6), "walker")


def test_a_track_that_breaks_goes_on_under_a_new_number(seen):
    pictures, right, wrong = seen
    first, second = dict(enumerate(right[:3])), {4: right[4], 5: right[5]}
    whole = chosen(pictures, ("1", first), ("2", second), ("other", dict(enumerate(wrong))))
    assert whole == {0: "1", 1: "1", 2: "1", 4: "2", 5: "2"}  # frame 3 has the other person alone


def test_without_tracks_the_best_of_each_frame_is_taken(seen):
    pictures, right, wrong = seen
    candidates = {FRAMES[place]: [Candidate(None, wrong[place]), Candidate(None, right[place])] for place in range(6)}
    rows, present = choose_bodies(Bodies(candidates, (85,)), FRAMES, pictures, load_body())
    assert present.all()
    np.testing.assert_array_equal(rows, right)


def test_joints_alone_are_compared_with_the_silhouette_too(seen):
    pictures, *people = seen
    right, wrong = (
        load_body().joints(*(torch.from_numpy(rows[:, part]) for part in (POSE, BETAS))).numpy() for rows in people
    )
    track, other = dict(enumerate(right)), dict(enumerate(wrong))
    assert chosen(pictures, ("other", other), ("walker", track)) == dict.fromkeys(range(6), "walker")


@pytest.fixture
def run(tmp_path, capsys):
    def run(*more, code=0):
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        arguments = ["prepare", "generic", "--root", str(tmp_path / "raw"), "--out", str(out), "--workers", "1", *more]
        assert main(arguments) == code
        captured = capsys.readouterr()
        return captured.out + captured.err

    return run


def wham(path, rows, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    person = {"pose": rows[:, POSE], "betas": rows[:, BETAS], "frame_ids": np.arange(len(rows))}
    path.write_bytes(pickle.dumps({1: person} | more))


def weights(tmp_path, sequence=SEQUENCE):
    return pickle.loads((tmp_path / "out" / sequence / "2-weights.pkl").read_bytes())


@pytest.mark.parametrize(
    "place", [f"raw/{SEQUENCE}/wham_output.pkl", f"bodies/{SEQUENCE}/poses.pkl", f"bodies/{SEQUENCE}.pkl", "w.pkl"]
)
def test_where_the_file_may_lie(place, walk, write_pictures, run, tmp_path):
    pictures, smpls = walk
    write_pictures(tmp_path / "raw" / SEQUENCE, pictures)
    wham(
        tmp_path / place,
        smpls,
        **{"2": {"pose": smpls[:, POSE] + 1, "betas": smpls[:, BETAS], "frame_ids": np.arange(6)}},
    )
    more = {"raw": [], "bodies": ["--bodies", str(tmp_path / "bodies")], "w.pkl": ["--bodies", str(tmp_path / place)]}
    output = run(*more[place.split("/")[0]])
    assert "read in 1 sequences: WHAM: pose, betas, frame_ids." in output
    assert weights(tmp_path).min() > 0.8
    summary = json.loads((tmp_path / "out/prepare.json").read_text())
    assert summary["read"] == {"WHAM: pose, betas, frame_ids": 1} and summary["complete"]


def test_bodies_are_looked_for_in_every_sequence(walk, write_pictures, run, tmp_path):
    pictures, smpls = walk
    for sequence in (SEQUENCE, "0002/nm-01/000"):
        write_pictures(tmp_path / "raw" / sequence, pictures)
    wham(tmp_path / "raw/0002/nm-01/000/x.pkl", smpls)
    assert "1 sequences have no body at all:\n  0001/nm-01/000" in run()
    assert weights(tmp_path, "0002/nm-01/000").min() > 0.8 and not weights(tmp_path).any()


def test_one_file_for_several_sequences_is_refused(walk, write_pictures, run, tmp_path):
    for sequence in (SEQUENCE, "0002/nm-01/000"):
        write_pictures(tmp_path / "raw" / sequence, walk[0])
    wham(tmp_path / "w.pkl", walk[1])
    assert "is one file, and" in (output := run("--bodies", str(tmp_path / "w.pkl"), code=1))
    assert f"such as {SEQUENCE}.pkl" in output


@pytest.mark.parametrize("content", [None, "readme.txt", "empty.npz"])
def test_bodies_without_one_body_are_an_error(content, walk, write_pictures, run, tmp_path):
    write_pictures(tmp_path / "raw" / SEQUENCE, walk[0])
    folder = tmp_path / "bodies" / SEQUENCE
    folder.mkdir(parents=True)
    if content == "readme.txt":
        (folder / content).touch()
    elif content:
        np.savez(folder / content, results=None)
    output = run("--bodies", str(tmp_path / "bodies"), code=1)
    assert "Not one" in output and "Take --silhouettes-only or --bodies none" in output


@pytest.mark.parametrize("name", ["vibe_output.pkl", "smpl.npy", "gvhmr.pt"])
def test_a_file_beside_pictures_that_is_no_body_is_named(name, walk, write_pictures, run, tmp_path):
    write_pictures(tmp_path / "raw" / SEQUENCE, walk[0])
    (tmp_path / "raw" / SEQUENCE / name).write_bytes(pickle.dumps({"verts": np.zeros((6, 5, 3))}))
    assert name in run(code=1)


@pytest.mark.parametrize("content", [{1: {"pose": np.ones((6, 72))}}, np.ones((6, 85)), np.zeros((6, 24, 3))])
def test_a_pickle_of_bodies_is_never_taken_for_silhouettes(content, run, tmp_path):
    folder = tmp_path / "raw" / SEQUENCE
    folder.mkdir(parents=True)
    (folder / "000.pkl").write_bytes(pickle.dumps(content))
    assert f"{folder / '000.pkl'} holds" in run("--silhouettes-only", code=1)


def test_one_spoilt_frame_of_a_file_costs_that_frame(walk, write_pictures, run, tmp_path):
    pictures, smpls = walk
    write_pictures(tmp_path / "raw" / SEQUENCE, pictures)
    spoilt = smpls.copy()
    spoilt[3, 10] = np.nan
    wham(tmp_path / "raw" / SEQUENCE / "x.pkl", spoilt)
    assert "x.pkl, frame 4: 1 of its numbers are not finite" in run(code=1)
    assert "1 cannot be read" in run("--drop-bad")
    np.testing.assert_array_equal(weights(tmp_path) > 0, np.arange(6) != 3)
