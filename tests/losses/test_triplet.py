"""The triplet loss against loops over all triplets, and against OpenGait."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.losses import TripletLoss


def loops(embeddings, labels, margin):
    """All (anchor, positive, negative) one by one, in float64: mean of those that hurt, the worst, their number."""
    loss, hard, number = [], [], []
    for part in embeddings.double().unbind(2):
        hinges = [
            ((part[a] - part[p]).norm() - (part[a] - part[n]).norm() + margin).clamp(min=0)
            for a in range(len(part))
            for p in range(len(part))
            for n in range(len(part))
            if labels[a] == labels[p] and labels[a] != labels[n]
        ]
        hurting = [hinge for hinge in hinges if hinge > 0]
        loss.append(sum(hurting) / max(len(hurting), 1) + torch.zeros(()))
        hard.append(max(hinges, default=torch.zeros(())))
        number.append(len(hurting))
    return torch.stack(loss), torch.stack(hard), torch.tensor(number)


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=7),
    parts=st.integers(1, 3),
    margin=st.sampled_from([0.0, 0.2, 3.0]),
    seed=st.integers(0, 99),
)
def test_equals_loops_for_any_number_of_sequences_per_identity(labels, parts, margin, seed):
    embeddings = torch.randn(len(labels), 4, parts, generator=torch.Generator().manual_seed(seed), requires_grad=True)
    labels = torch.tensor(labels)
    loss, info = TripletLoss(margin)(embeddings=embeddings, labels=labels)
    expected, hard, number = loops(embeddings, labels, margin)
    torch.testing.assert_close(loss, expected.float(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(info["hard_loss"], hard.float(), atol=1e-3, rtol=1e-3)
    assert info["loss_num"].tolist() == number.tolist()


def test_by_hand():
    # On a line: 0 and 1 are one person, 3 and 7 another.
    embeddings = torch.tensor([0.0, 1.0, 3.0, 7.0]).reshape(4, 1, 1)
    loss, info = TripletLoss(margin=0.5)(embeddings=embeddings, labels=torch.tensor([5, 5, 9, 9]))
    # Only anchor 3 with positive 7 (4 away) hurts: its negatives are 3 and 2 away, 4 - 3 + 0.5 and 4 - 2 + 0.5.
    assert loss.tolist() == pytest.approx([2.0])
    assert {name: value.tolist() for name, value in info.items()} == {
        "loss": pytest.approx([2.0]),
        "hard_loss": pytest.approx([2.5]),
        "loss_num": [2.0],
        "mean_dist": pytest.approx([2 * (1 + 3 + 7 + 2 + 6 + 4) / 16]),
    }


def test_gradient_equals_that_of_loops(rng):
    embeddings = torch.randn(6, 4, 2, generator=rng, requires_grad=True)
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    (ours,) = torch.autograd.grad(TripletLoss(0.2)(embeddings=embeddings, labels=labels)[0].sum(), embeddings)
    (theirs,) = torch.autograd.grad(loops(embeddings, labels, 0.2)[0].sum(), embeddings)
    # float64 norm() has gradient 0 at 0, so the self-pairs agree as well.
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3], [0]])
def test_identities_alone_or_all_the_same(labels, rng):
    embeddings = torch.randn(len(labels), 4, 2, generator=rng, requires_grad=True)
    loss, _ = TripletLoss(0.2)(embeddings=embeddings, labels=torch.tensor(labels))
    loss.sum().backward()
    assert loss.isfinite().all()
    assert embeddings.grad.isfinite().all()
    if len(set(labels)) == 1:
        assert loss.tolist() == [0.0, 0.0]


def test_coinciding_embeddings_have_a_finite_gradient():
    embeddings = torch.ones(4, 3, 2, requires_grad=True)
    loss, _ = TripletLoss(0.2)(embeddings=embeddings, labels=torch.tensor([0, 0, 1, 1]))
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([0.2, 0.2])
    assert embeddings.grad.isfinite().all()


def test_parts_and_order_do_not_matter_to_each_other(rng):
    embeddings = torch.randn(8, 4, 3, generator=rng)
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    loss, _ = TripletLoss(0.2)(embeddings=embeddings, labels=labels)
    alone, _ = TripletLoss(0.2)(embeddings=embeddings[:, :, 1:2], labels=labels)
    torch.testing.assert_close(loss[1:2], alone)
    order = torch.randperm(8, generator=rng)
    shuffled, _ = TripletLoss(0.2)(embeddings=embeddings[order], labels=labels[order])
    torch.testing.assert_close(shuffled, loss)


def test_fp32_under_autocast(rng):
    embeddings = torch.randn(8, 16, 2, generator=rng)
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    expected, _ = TripletLoss(0.2)(embeddings=embeddings, labels=labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = TripletLoss(0.2)(embeddings=embeddings, labels=labels)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)


@pytest.mark.parametrize("scale", [0.01, 0.3, 3.0])
def test_numbers_of_opengait(opengait, rng, scale):
    embeddings = (scale * torch.randn(32, 16, 4, generator=rng)).requires_grad_()
    labels = torch.arange(8).repeat_interleave(4)
    ours, info = TripletLoss(margin=0.2)(embeddings=embeddings, labels=labels)
    theirs, their_info = opengait.TripletLoss(margin=0.2)(embeddings=embeddings, labels=labels)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
    assert list(info) == list(their_info)
    for name in info:
        torch.testing.assert_close(info[name], their_info[name], atol=1e-6, rtol=1e-5, msg=name)
    gradients = [torch.autograd.grad(loss.sum(), embeddings)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)
