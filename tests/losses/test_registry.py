"""Which outputs go to which loss."""

import inspect
from types import SimpleNamespace

import pytest
import torch

from opengait_meshgait.losses import LOSSES, RECOGNITION_TERMS, emitted_terms, loss_inputs
from opengait_meshgait.losses.registry import ARGUMENTS


def output(**bodies):
    points = dict.fromkeys(["joints", "markers", "vertices"]) | bodies
    return SimpleNamespace(embeddings=torch.zeros(2, 4, 1), logits=torch.zeros(2, 3, 1), **points)


def targets():
    return SimpleNamespace(joints="j", markers="m", vertices="v", height="h", joint_weights="jw", mesh_weights="mw")


def test_everything_there():
    given = output(joints=1, markers=2, vertices=3)
    inputs = loss_inputs(given, "labels", targets(), 7, ("sils", "covered"))
    assert set(inputs) == set(emitted_terms(heatmaps=True, bodies=True)) == set(ARGUMENTS)
    assert {term: tuple(arguments) for term, arguments in inputs.items()} == ARGUMENTS
    assert inputs["triplet"] == {"embeddings": given.embeddings, "labels": "labels"}
    assert inputs["softmax"] == {"logits": given.logits, "labels": "labels"}
    frame = {"height": "h", "iteration": 7}
    assert inputs["joint"] == {"predicted": 1, "target": "j", "weights": "jw", **frame}
    assert inputs["marker"] == {"predicted": 2, "target": "m", "weights": "mw", **frame}
    assert inputs["silhouette"] == {"vertices": 3, "silhouettes": "sils", "covered": "covered", "iteration": 7}
    assert inputs["mesh"] == {"predicted": 3, "target": "v", "weights": "mw", **frame}


@pytest.mark.parametrize("case", [(output(joints=1, markers=2), None), (output(), targets())])
def test_no_bodies_no_body_terms(case):
    assert set(loss_inputs(case[0], "labels", case[1], 0)) == set(RECOGNITION_TERMS)


def test_only_what_is_predicted():
    assert set(loss_inputs(output(markers=1), "labels", targets(), 0)) == {*RECOGNITION_TERMS, "marker"}


def test_silhouettes_need_a_mesh_and_no_true_body():
    seen = ("sils", "covered")
    assert set(loss_inputs(output(vertices=3), "labels", None, 0, seen)) == {*RECOGNITION_TERMS, "silhouette"}
    assert set(emitted_terms(heatmaps=True, bodies=False)) == {*RECOGNITION_TERMS, "silhouette"}
    assert set(loss_inputs(output(markers=2), "labels", None, 0, seen)) == set(RECOGNITION_TERMS)
    assert emitted_terms(heatmaps=False, bodies=True) == RECOGNITION_TERMS


@pytest.mark.parametrize("name", LOSSES.entries)
def test_every_loss_suits_a_term(name):
    wanted = tuple(inspect.signature(LOSSES.get(name).forward).parameters)[1:]
    assert wanted in ARGUMENTS.values()
