import hashlib
import json

import numpy as np
import pytest

from opengait_meshgait.cli.main import main
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.walkers import gait_fitting
from opengait_meshgait.walkers.bones import turn
from opengait_meshgait.walkers.gait_cycle import GAIT_JOINTS, WAVES, mirror_rotations, mirror_vectors
from opengait_meshgait.walkers.gait_fitting import fit_gait
from opengait_meshgait.walkers.gait_model import describe_gait, load_gait, save_gait
from opengait_meshgait.walkers.person import WalkName
from opengait_meshgait.walkers.recorded import load_recording
from opengait_meshgait.walkers.sequence import make_scene


@pytest.fixture(scope="module")
def shipped():
    return load_gait("cmu")


def test_left_and_right_are_alike(shipped):
    np.testing.assert_allclose(mirror_vectors(shipped.mean), shipped.mean, atol=1e-6)
    np.testing.assert_allclose(mirror_rotations(shipped.reference), shipped.reference, atol=1e-6)
    for factors in (shipped.between, shipped.within):
        covariance, mirrored = (rows.T @ rows for rows in (factors, mirror_vectors(factors)))
        # The factors left out may take one of a pair with them.
        np.testing.assert_allclose(mirrored, covariance, atol=0.02 * covariance.diagonal().max())


def test_cmu_was_learned_from_cmu_alone(shipped):
    assert len(shipped.people) == 14
    assert {person[0] for person in shipped.people} == {"C"}
    assert all(entry["file"].startswith(entry["person"]) for entry in shipped.learned_from)
    assert describe_gait("cmu") == {"name": "cmu", "fingerprint": shipped.fingerprint, "people": shipped.people}


def test_draws_differ_as_the_model_says(shipped):
    rng = np.random.default_rng(0)
    people = [shipped.draw(rng) for _ in range(600)]
    spread = np.stack([gait.vector for gait in people]) - shipped.mean
    assert (spread**2).mean() == pytest.approx((shipped.between**2).sum(0).mean(), rel=0.15)
    walks = np.stack([people[0].vary(rng).vector for _ in range(600)]) - people[0].vector
    steady = (1 - shipped.waver**2) * (shipped.within**2).sum(0)
    assert (walks**2).mean() == pytest.approx(steady.mean(), rel=0.15)


def test_a_file_gives_the_model_back(shipped, tmp_path):
    save_gait(shipped, tmp_path / "again.npz")
    save_gait(shipped, tmp_path / "twice.npz")
    again = load_gait(str(tmp_path / "again.npz"))
    assert again.fingerprint == shipped.fingerprint and again.learned_from == shipped.learned_from
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "twice.npz").read_bytes()
    assert (tmp_path / "again.npz").stat().st_size < 500_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": None}, "has no mean"),
        ({"between": np.zeros((3, 5))}, r"between is float64 \[3, 5\]"),
        ({"mean": np.full(661, np.nan)}, "must be finite numbers"),
        ({"waver": np.float64(2)}, "waver is 2.0"),
        ({"learned_from": np.array("nobody")}, "learned_from is no list"),
    ],
)
def test_a_bad_file_is_refused(shipped, tmp_path, changes, message):
    arrays = {name: getattr(shipped, name) for name in ("reference", "mean", "between", "within")}
    arrays |= {"waver": np.float64(shipped.waver), "learned_from": np.array(json.dumps([]))} | changes
    np.savez(tmp_path / "bad.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(UserError, match=message):
        load_gait(str(tmp_path / "bad.npz"))


@pytest.mark.parametrize(("name", "message"), [("cmv", "Did you mean 'cmu'"), ("none.npz", "Cannot read none.npz")])
def test_no_such_model(name, message):
    with pytest.raises(UserError, match=message):
        load_gait(name)


@pytest.fixture
def nodding(clip, write_npz, tmp_path):
    """Files of two people who walk alike, but for one's hanging head."""
    files = []
    for person, nod in (("A", 0.0), ("B", 0.3)):
        local = clip["local_rot"].copy()
        local[:, 15] = local[:, 15] @ turn("X", nod)
        files.append(write_npz(tmp_path / f"{person}_1.npz", clip | {"local_rot": local, "subject": np.array(person)}))
    return files


def test_people_differ_as_the_recorded_ones(nodding, body):
    model = fit_gait([load_recording(file) for file in nodding], body, broaden=0.0)
    spread = np.sqrt((model.between**2).sum(0))[:-1].reshape(WAVES, len(GAIT_JOINTS), 3)
    head = GAIT_JOINTS.index(15)
    assert spread[0, head, 0] == pytest.approx(0.3 / np.sqrt(2), rel=0.02)
    np.testing.assert_allclose(mirror_vectors(model.mean), model.mean, atol=1e-9)


def test_the_command_writes_the_model(nodding, body, tmp_path, capsys):
    out = tmp_path / "gait.npz"
    command = ["gait", "learn", "--motion", *map(str, nodding), "--broaden", "0", "--out", str(out)]
    assert main(command) == 0
    model = load_gait(str(out))
    assert f"2 walks of 2 people, fingerprint {model.fingerprint}" in capsys.readouterr().out
    assert model.people == ["A", "B"]
    assert model.learned_from[1]["sha256"] == hashlib.sha256(nodding[1].read_bytes()).hexdigest()
    scene = make_scene(body, WalkName(1, "nm", 1), 10, seed=0, gait=str(out))
    assert len(scene.skin) == 10


def test_one_person_is_not_enough(nodding, tmp_path, capsys):
    assert main(["gait", "learn", "--motion", str(nodding[0]), "--out", str(tmp_path / "gait.npz")]) == 1
    assert "of 1 people (A); at least 2" in capsys.readouterr().err


def test_procedural_people_broaden_the_differences(nodding, body, monkeypatch):
    monkeypatch.setattr(gait_fitting, "PROCEDURAL_PEOPLE", 12)
    recordings = [load_recording(file) for file in nodding]
    narrow, broad = (fit_gait(recordings, body, broaden) for broaden in (0.0, 0.5))
    assert len(broad.between) > len(narrow.between) + 8
    np.testing.assert_allclose(broad.mean, narrow.mean)


def test_two_people_are_farther_apart_than_two_walks(shipped):
    rng = np.random.default_rng(2)
    people = np.stack([shipped.draw(rng).vector for _ in range(40)])
    far = np.linalg.norm(people[:, None] - people, axis=2)[np.triu_indices(40, 1)]
    own = [
        np.linalg.norm(gait.vary(rng).vector - gait.vary(rng).vector) for gait in (shipped.draw(rng) for _ in range(40))
    ]
    assert np.median(own) < 0.5 * np.median(far)
    assert far.min() > np.median(own)
