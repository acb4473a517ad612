"""The sum of the losses, and every way to configure it wrongly."""

import pytest
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.losses import BODY_TERMS, RECOGNITION_TERMS, LossSum, NonFiniteLossError

TRIPLET = {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2}
SOFTMAX = {"type": "CrossEntropyLoss", "log_prefix": "softmax", "loss_term_weight": 0.1, "log_accuracy": True}
BODIES = [
    {"type": "MarkerLoss", "log_prefix": "marker", "loss_term_weight": 2.0, "norm": "l1", "warmup": 10},
    {"type": "JointLoss", "log_prefix": "joint", "norm": "l1"},
    {"type": "MeshLoss", "log_prefix": "mesh", "norm": "l2"},
]
ALL = (*RECOGNITION_TERMS, *BODY_TERMS)


@pytest.fixture
def inputs(rng):
    labels = torch.tensor([0, 0, 1, 1])
    frame = {"weights": torch.ones(4, 2), "height": torch.ones(4, 2), "iteration": 5}

    def points(count):
        predicted, target = torch.randn(2, 4, 2, count, 3, generator=rng)
        return {"predicted": predicted.requires_grad_(), "target": target, **frame}

    return {
        "triplet": {"embeddings": torch.randn(4, 8, 2, generator=rng, requires_grad=True), "labels": labels},
        "softmax": {"logits": torch.randn(4, 3, 2, generator=rng, requires_grad=True), "labels": labels},
        "joint": points(24),
        "marker": points(6),
        "mesh": points(30),
    }


def test_weighted_sum_and_what_it_logs(inputs):
    losses = LossSum([TRIPLET, SOFTMAX, *BODIES], ALL)
    total, info = losses(inputs)
    expected = 0.0
    for prefix, weight in {"triplet": 1.0, "softmax": 0.1, "marker": 2.0, "joint": 1.0, "mesh": 1.0}.items():
        expected += weight * losses.losses[prefix](**inputs[prefix])[0].mean().item()
    assert total.shape == ()
    assert total.item() == pytest.approx(expected, rel=1e-6)
    assert set(info) == {
        *("scalar/triplet/loss", "scalar/triplet/hard_loss", "scalar/triplet/loss_num", "scalar/triplet/mean_dist"),
        *("scalar/softmax/loss", "scalar/softmax/accuracy"),
        *("scalar/marker/loss", "scalar/marker/marker_mm", "scalar/marker/ramp"),
        *("scalar/joint/loss", "scalar/joint/mpjpe_mm", "scalar/joint/ramp"),
        *("scalar/mesh/loss", "scalar/mesh/mpvpe_mm", "scalar/mesh/ramp"),
    }
    assert all(value.shape == () and not value.requires_grad for value in info.values())
    assert info["scalar/marker/ramp"].item() == 0.5


def test_every_input_gets_a_gradient_and_nothing_is_learned(inputs):
    losses = LossSum([TRIPLET, SOFTMAX, *BODIES], ALL)
    losses(inputs)[0].backward()
    leaves = [inputs["triplet"]["embeddings"], inputs["softmax"]["logits"]]
    leaves += [inputs[term]["predicted"] for term in BODY_TERMS]
    assert all(leaf.grad.abs().sum() > 0 for leaf in leaves)
    assert not losses.state_dict()


def test_terms_without_a_loss_are_left_alone(inputs):
    total, info = LossSum([TRIPLET], ALL)(inputs)
    assert {name.split("/")[1] for name in info} == {"triplet"}
    assert total.item() == info["scalar/triplet/loss"].item()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_non_finite_names_the_term(inputs, value):
    inputs["joint"]["predicted"] = torch.full_like(inputs["joint"]["predicted"], value)
    with pytest.raises(NonFiniteLossError, match=f"The loss 'joint' is {value}. Lower the learning rate") as caught:
        LossSum([TRIPLET, *BODIES], ALL)(inputs)
    assert caught.value.term == "joint"


def test_inputs_of_a_configured_loss_are_absent(inputs):
    del inputs["mesh"]
    with pytest.raises(ValueError, match=r"expected inputs for \['mesh'\] too"):
        LossSum(BODIES, ALL)(inputs)


@pytest.mark.parametrize(
    "cfg, emitted, message",
    [
        ([], ALL, "loss_cfg is empty.*TripletLoss"),
        (
            [{**TRIPLET, "log_prefix": "tripplet"}],
            ALL,
            "'tripplet', which this model never emits. Did you mean 'triplet'",
        ),
        ([BODIES[1]], RECOGNITION_TERMS, "JointLoss has the log_prefix 'joint'.*give the model a heatmap_cfg"),
        ([TRIPLET, TRIPLET], ALL, "Two losses of loss_cfg have the log_prefix 'triplet'"),
        ([{"type": "TripletLoss", "margin": 0.2}], ALL, "TripletLoss needs a log_prefix. Known: joint, marker"),
        ([{"log_prefix": "triplet"}], ALL, "needs a 'type'"),
        ([{**TRIPLET, "type": "TripleLoss"}], ALL, "Unknown loss 'TripleLoss'. Did you mean 'TripletLoss'"),
        ([{**TRIPLET, "margins": 1}], ALL, "margins: TripletLoss has no such argument. Did you mean 'margin'"),
        ([{"type": "TripletLoss", "log_prefix": "triplet"}], ALL, "margin: missing; TripletLoss needs it"),
        ([{**TRIPLET, "log_prefix": "softmax"}], ALL, "takes embeddings, labels.*write log_prefix 'triplet'"),
        ([{**BODIES[0], "log_prefix": "triplet"}], ALL, "write log_prefix 'joint' or 'marker' or 'mesh'"),
    ],
)
def test_mistakes_are_found_before_training(cfg, emitted, message):
    with pytest.raises(UserError, match=message):
        LossSum(cfg, emitted)
