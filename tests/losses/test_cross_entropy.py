"""Cross-entropy against its definition, and against OpenGait."""

import math

import pytest
import torch

from opengait_meshgait.losses import CrossEntropyLoss


@pytest.mark.parametrize("label_smooth", [False, True])
def test_definition(rng, label_smooth):
    n, classes, parts, scale, eps = 5, 4, 3, 16.0, 0.1
    logits = torch.rand(n, classes, parts, generator=rng)
    labels = torch.randint(classes, (n,), generator=rng)
    loss, info = CrossEntropyLoss(scale=scale, label_smooth=label_smooth, eps=eps)(logits=logits, labels=labels)
    total = 0.0
    for i in range(n):
        for p in range(parts):
            z = [scale * logits[i, k, p].item() for k in range(classes)]
            log_sum = math.log(sum(math.exp(v) for v in z))
            spread = eps if label_smooth else 0.0
            weights = [spread / classes + (1 - spread) * (k == labels[i].item()) for k in range(classes)]
            total += sum(float(w) * (log_sum - v) for w, v in zip(weights, z))
    assert loss.item() == pytest.approx(total / (n * parts), rel=1e-5)
    assert info == {"loss": loss}


def test_untrained_network_has_the_entropy_of_guessing():
    loss, info = CrossEntropyLoss(label_smooth=False, log_accuracy=True)(
        logits=torch.zeros(4, 10, 2), labels=torch.tensor([0, 0, 3, 4])
    )
    assert loss.item() == pytest.approx(math.log(10))
    assert info["accuracy"].item() == 0.5


def test_accuracy_counts_parts():
    logits = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [1.0, 1.0]]])
    _, info = CrossEntropyLoss(log_accuracy=True)(logits=logits, labels=torch.tensor([0, 1]))
    assert info["accuracy"].item() == 0.75


def test_fp32_under_autocast(rng):
    logits = torch.randn(4, 6, 2, generator=rng)
    labels = torch.tensor([0, 1, 2, 3])
    expected, _ = CrossEntropyLoss()(logits=logits, labels=labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = CrossEntropyLoss()(logits=logits, labels=labels)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)
    half, _ = CrossEntropyLoss()(logits=logits.half(), labels=labels)
    assert half.dtype == torch.float32


@pytest.mark.parametrize("options", [{}, {"label_smooth": False, "scale": 1}, {"eps": 0.3, "log_accuracy": True}])
def test_numbers_of_opengait(opengait, rng, options):
    logits = torch.randn(12, 7, 4, generator=rng)
    labels = torch.randint(7, (12,), generator=rng)
    ours, info = CrossEntropyLoss(**options)(logits=logits, labels=labels)
    theirs, their_info = opengait.CrossEntropyLoss(**options)(logits=logits, labels=labels)
    torch.testing.assert_close(ours, theirs)
    assert list(info) == list(their_info)
    for name in info:
        torch.testing.assert_close(info[name], their_info[name])
