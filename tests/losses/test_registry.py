"""Which outputs go to which loss."""

import inspect
from types import SimpleNamespace

import pytest
import torch

from opengait_meshgait.losses import BODY_TERMS, LOSSES, RECOGNITION_TERMS, loss_inputs
from opengait_meshgait.losses.registry import ARGUMENTS


def output(**bodies):
    points = dict.fromkeys(["joints", "markers", "vertices"]) | bodies
    return SimpleNamespace(embeddings=torch.zeros(2, 4, 1), logits=torch.zeros(2, 3, 1), **points)


def targets():
    return SimpleNamespace(joints="j", markers="m", vertices="v", height="h", joint_weights="jw", mesh_weights="mw")


def test_everything_there():
    given = output(joints=1, markers=2, vertices=3)
    inputs = loss_inputs(given, "labels", targets(), 7)
    assert set(inputs) == {*RECOGNITION_TERMS, *BODY_TERMS} == set(ARGUMENTS)
    assert {term: tuple(arguments) for term, arguments in inputs.items()} == ARGUMENTS
    assert inputs["triplet"] == {"embeddings": given.embeddings, "labels": "labels"}
    assert inputs["softmax"] == {"logits": given.logits, "labels": "labels"}
    frame = {"height": "h", "iteration": 7}
    assert inputs["joint"] == {"predicted": 1, "target": "j", "weights": "jw", **frame}
    assert inputs["marker"] == {"predicted": 2, "target": "m", "weights": "mw", **frame}
    assert inputs["mesh"] == {"predicted": 3, "target": "v", "weights": "mw", **frame}


@pytest.mark.parametrize("case", [(output(joints=1, markers=2), None), (output(), targets())])
def test_no_bodies_no_body_terms(case):
    assert set(loss_inputs(case[0], "labels", case[1], 0)) == set(RECOGNITION_TERMS)


def test_only_what_is_predicted():
    assert set(loss_inputs(output(markers=1), "labels", targets(), 0)) == {*RECOGNITION_TERMS, "marker"}


@pytest.mark.parametrize("name", LOSSES.entries)
def test_every_loss_suits_a_term(name):
    wanted = tuple(inspect.signature(LOSSES.get(name).forward).parameters)[1:]
    assert wanted in ARGUMENTS.values()
