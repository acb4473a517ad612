"""What an inspection finds in a dataset's folders and files, and in one sequence's bodies."""

import pickle

import numpy as np
import pytest
import torch

from opengait_meshgait.body.supervision import load_supervision
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.layout import survey_sequences
from opengait_meshgait.prepare.inspection import (
    check_bodies,
    check_identities,
    check_lengths,
    count_modalities,
    read_sample,
)


def write(root, name, frames=4, bodies="1-smpls.pkl", weights=None):
    folder = root / name
    folder.mkdir(parents=True)
    arrays = {"0-sils.pkl": np.repeat(np.tri(64, dtype=np.uint8)[None] * 255, frames, 0)}  # wedges
    if bodies:
        arrays[bodies] = np.ones((frames, 85) if "smpl" in bodies else (frames, 24, 3), np.float32)
    if weights is not None:
        arrays["2-weights.pkl"] = np.full(frames, weights, np.float32)
    for file, array in arrays.items():
        with (folder / file).open("wb") as stream:
            pickle.dump(array, stream)


@pytest.fixture(scope="module")
def supervision():
    return load_supervision()


@pytest.fixture
def standing():
    """Five frames of a body that stands, in camera orientation, [1, 5, 85]."""
    bodies = torch.zeros(1, 5, 85)
    bodies[..., 0], bodies[..., 3] = 1, torch.pi
    return bodies


def test_a_body_that_stands(supervision, standing):
    assert check_bodies(supervision(standing)).startswith("100% of its frames have a valid body, mean weight 1.00, 1.")
    standing[:, :2] = 0
    found = check_bodies(supervision(standing, torch.tensor([[1, 1, 1, 0.5, 0]])))
    assert found.startswith("40% of its frames have a valid body, mean weight 0.30, 1.")


def test_a_body_on_its_head(supervision, standing):
    standing[..., 3] = 0.01
    with pytest.raises(UserError, match="the head is below the feet in 5 of 5 valid frames"):
        check_bodies(supervision(standing))


def test_a_body_of_centimetres(supervision, standing):
    targets = supervision(standing)
    targets.height *= 100
    with pytest.raises(UserError, match=r"its bodies are 1\d\d\.\d\d m high; expected 0.5 to 2.5 m"):
        check_bodies(targets)


def test_no_body(supervision, standing):
    with pytest.raises(UserError, match="none of its 5 bodies is valid"):
        check_bodies(supervision(standing * torch.nan))


def test_identities_whose_files_are_missing_count(tmp_path):
    write(tmp_path, "a/nm-01/000")
    write(tmp_path, "b/nm-01/000", bodies=None)
    surveys = {"train": survey_sequences(tmp_path, ["a", "b"], with_bodies=True)}
    assert "ids 2 in TRAIN_SET" in check_identities(surveys, 2)
    with pytest.raises(UserError, match="Set class_num: 2"):
        check_identities(surveys, 1)
    with pytest.raises(UserError, match=r"1 of 2 sequences cannot be used.*\n  b/nm-01/000: no bodies"):
        count_modalities(surveys.values())


def test_modalities_are_counted(tmp_path):
    write(tmp_path, "a/nm-01/000", weights=1)
    write(tmp_path, "b/nm-01/000")
    survey = survey_sequences(tmp_path, ["a", "b"], with_bodies=True)
    assert count_modalities([survey]).endswith("2 with silhouettes, 2 with body parameters, 1 with weights")
    write(tmp_path, "c/nm-01/000", bodies="1-joints.pkl")
    survey = survey_sequences(tmp_path, ["a", "b", "c"], with_bodies=True)
    with pytest.raises(UserError, match="One batch cannot hold both"):
        count_modalities([survey])


def test_a_sample_is_spread_evenly(tmp_path):
    labels = [f"{number:02d}" for number in range(10)]
    for number, label in enumerate(labels):
        write(tmp_path, f"{label}/nm-01/000", frames=number + 1)
    sample = read_sample(survey_sequences(tmp_path, labels, with_bodies=True).found, 4)
    assert [*sample.lengths] == ["00-nm-01-000", "03-nm-01-000", "06-nm-01-000", "09-nm-01-000"]
    assert sample.example.label == "06"
    found = check_lengths(sample, 5)
    assert found.startswith("read 4 of 10 sequences: 1 to 10 frames, median 7; 1 have one frame only ['00-nm-01-000'];")
    assert "2 have fewer than 5 and give some twice" in found
    assert "fewer" not in check_lengths(sample, None)


def test_the_example_has_a_body_if_any_has(tmp_path):
    for label, weight in {"a": 0, "b": 0.5, "c": 0}.items():
        write(tmp_path, f"{label}/nm-01/000", weights=weight)
    sample = read_sample(survey_sequences(tmp_path, ["a", "b", "c"], with_bodies=True).found)
    assert sample.example.label == "b"
    assert "2 of the 3 have no valid body in any frame ['a-nm-01-000', 'c-nm-01-000']" in check_lengths(sample, 1)
