"""Linear LDA head of embeddings and markers."""

import copy

import numpy as np
import pytest
import scipy.linalg
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks import LDAHead
from opengait_meshgait.networks.lda_head import _Projection
from opengait_meshgait.networks.registry import LAYERS

PEOPLE, EACH, FEATURES = 12, 6, 8


def people(seed=0):
    """Features of 12 people ``[72, 8]`` that differ in the first two directions, and not in the noisiest; labels."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.tensor([0.1, 0.1, 5.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    centres = torch.zeros(PEOPLE, FEATURES)
    centres[:, :2] = torch.randn(PEOPLE, 2, generator=generator)
    labels = torch.arange(PEOPLE).repeat_interleave(EACH)
    return centres[labels] + noise * torch.randn(len(labels), FEATURES, generator=generator), labels


def fitted(channels=2, **arguments):
    discriminant, (x, labels) = LDAHead(FEATURES, channels=channels, **arguments), people()
    discriminant.fit([x], labels)
    return discriminant.eval()


def test_directions_are_those_of_the_generalised_eigenproblem():
    x, labels = (part.double().numpy() for part in people())
    discriminant = fitted(channels=3, shrinkage=0.5)
    centres = np.stack([x[labels == who].mean(0) for who in range(PEOPLE)])
    deviations = x - centres[labels.astype(int)]
    within = deviations.T @ deviations / len(x)
    within += 0.5 * np.trace(within) / FEATURES * np.eye(FEATURES)
    centred = centres - x.mean(0)
    values, vectors = scipy.linalg.eigh(centred.T @ centred / PEOPLE, within)
    values, vectors = values[::-1][:3], vectors[:, ::-1][:, :3]
    expected = vectors * np.sqrt(values / (1 + values))
    projection = discriminant.silhouettes
    found = (projection.components @ projection.basis).double().numpy()
    ratios = np.linalg.norm(found, axis=0) / np.linalg.norm(expected, axis=0)
    assert ratios == pytest.approx(np.full(3, ratios[0]), rel=1e-4)
    cosines = np.abs((found * expected).sum(0)) / np.linalg.norm(found, axis=0) / np.linalg.norm(expected, axis=0)
    assert cosines == pytest.approx(np.ones(3), abs=1e-4)


def test_it_finds_where_people_differ():
    x, labels = people(seed=1)  # other noise and other people than those it was fitted to
    embeddings = fitted(shrinkage=0.01)(x[:, :, None], None)[:, :, 0]
    assert embeddings.shape == (PEOPLE * EACH, 2)

    def recognised(points):
        distances = torch.cdist(points, points).fill_diagonal_(torch.inf)
        return (labels[distances.argmin(1)] == labels).float().mean()

    assert recognised(embeddings) > recognised(x) + 0.3


def test_distances_of_training_people_are_one_on_average():
    x, labels = people()
    discriminant = fitted()
    embeddings = discriminant(x[:, :, None], None)[:, :, 0]
    different = labels[:, None] != labels
    assert torch.cdist(embeddings, embeddings)[different].mean() == pytest.approx(1, rel=1e-4)


def test_what_is_farther_out_than_most_is_pulled_in():
    x, labels = people()
    discriminant = fitted(channels=3)
    lengths = discriminant(x[:, :, None], None)[:, :, 0].norm(dim=1)
    reach = discriminant.silhouettes.reach
    assert lengths.max() <= reach * (1 + 1e-6)
    assert (lengths < reach * (1 - 1e-6)).float().mean() == pytest.approx(0.5, abs=0.02)
    far = discriminant.silhouettes.mean + torch.tensor([1.0, 10.0, 1000.0])[:, None] * (100 * torch.eye(FEATURES)[0])
    found = discriminant.silhouettes(far)
    torch.testing.assert_close(found.norm(dim=1), reach.expand(3), rtol=1e-5, atol=0)
    torch.testing.assert_close(found[2], found[1], rtol=0.05, atol=0.01)  # all in one direction


def test_markers_are_a_part_of_their_own_that_counts_by_its_weight(reconstruction):
    markers = 0.1 * torch.randn(PEOPLE * EACH, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    x, labels = people()
    found = {}
    for weight in (0.5, 1.0):
        discriminant = LDAHead(FEATURES, 5, channels=2, marker_weight=weight)
        discriminant.set_sides(reconstruction.side, reconstruction.flip)
        discriminant.fit(discriminant.features(x[:, :, None], markers), labels)
        found[weight] = discriminant(x[:, :, None], markers)
    assert found[1.0].shape == (PEOPLE * EACH, 2, 2)
    assert torch.equal(found[1.0][:, :, 0], found[0.5][:, :, 0])
    torch.testing.assert_close(0.5 * found[1.0][:, :, 1], found[0.5][:, :, 1])


def test_fused_embeddings_and_those_of_silhouettes_alone_count_half_each(reconstruction):
    alone, labels = people()
    fused, markers = people(seed=1)[0], 0.1 * torch.randn(PEOPLE * EACH, 4, 5, 3)
    head = LDAHead(FEATURES, 5, fused=True, channels=2)
    head.set_sides(reconstruction.side, reconstruction.flip)
    inputs = head.features(fused[:, :, None], markers, alone=alone[:, :, None])
    head.fit(inputs, labels)
    found = head.eval()(fused[:, :, None], markers, alone=alone[:, :, None])
    assert found.shape[1:] == head.shape == (2, 3)
    for place, (embeddings, share) in enumerate([(alone, 0.5), (fused, 0.5)]):
        single = LDAHead(FEATURES, 5, channels=2)
        single.set_sides(reconstruction.side, reconstruction.flip)
        single.fit(single.features(embeddings[:, :, None], markers), labels)
        expected = single(embeddings[:, :, None], markers)
        torch.testing.assert_close(found[..., place], share * expected[..., 0])
    torch.testing.assert_close(found[..., 2], expected[..., 1])


def test_what_tells_people_apart_may_depend_on_how_they_are_turned():
    # A person's own number, which looks larger from one side than from the other, and one that is noise.
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(PEOPLE).repeat_interleave(EACH)
    angle = 2 * torch.pi * torch.rand(len(labels), generator=generator)
    turned = torch.stack([angle.cos(), angle.sin(), (2 * angle).cos(), (2 * angle).sin()], 1)
    own = torch.linspace(-1, 1, PEOPLE)[labels]
    x = torch.stack([own * (1.5 + turned[:, 0]), torch.randn(len(labels), generator=generator)], 1)
    projections = [_Projection(2, 1, 2, 0.001, with_angle=knows) for knows in (True, False)]
    correlations = []
    for projection, heading in zip(projections, (turned, None)):
        projection.fit(x, heading, labels)
        projection.reach.fill_(torch.inf)
        found = projection(x, heading)[:, 0]
        assert found.mean().abs() < 1e-5
        correlations.append(torch.corrcoef(torch.stack([found, own]))[0, 1].abs())
    assert 1 - correlations[0] < (1 - correlations[1]) / 3


def test_the_analysis_of_some_components_is_that_of_what_they_span():
    x, labels = people()
    x = torch.cat([x, x @ torch.randn(FEATURES, 3, generator=torch.Generator().manual_seed(0))], 1)
    found = []
    for components in (FEATURES, FEATURES + 3):
        projection = _Projection(FEATURES + 3, 2, components, 1e-6, with_angle=False)
        projection.fit(x, None, labels)
        found.append(torch.pdist(projection(x)))
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)


def test_fitting_leaves_random_numbers_alone_and_needs_none():
    x, labels = people()
    torch.manual_seed(3)
    first = fitted()
    drawn = torch.rand(3)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(3))
    assert torch.equal(fitted().silhouettes.basis, first.silhouettes.basis)


def test_without_weight_no_markers_are_looked_at():
    discriminant = LDAHead(FEATURES, 5, marker_weight=0)
    assert discriminant.markers is None
    assert discriminant.shape == (64, 1)
    assert set(discriminant.state_dict()) == {
        f"silhouettes.{name}" for name in ("mean", "components", "basis", "offset", "reach")
    }


def test_more_channels_than_directions_are_zero():
    embeddings = fitted(channels=20)(people()[0][:, :, None], None)
    assert embeddings.shape == (PEOPLE * EACH, 20, 1)
    assert torch.equal(embeddings[:, FEATURES:], torch.zeros(PEOPLE * EACH, 20 - FEATURES, 1))


def test_whoever_loads_a_fit_has_it():
    discriminant, fresh = fitted(), LDAHead(FEATURES, channels=2)
    assert not fresh.fitted
    fresh.load_state_dict(discriminant.state_dict())
    assert fresh.fitted
    assert copy.deepcopy(discriminant).fitted
    fresh.load_state_dict(LDAHead(FEATURES, channels=2).state_dict())
    assert not fresh.fitted


def test_it_has_nothing_to_train():
    assert not [*fitted().parameters()]


@pytest.mark.parametrize(
    "x, labels, message",
    [
        (torch.randn(6, FEATURES), torch.zeros(6, dtype=int), "found 1 people in 6 training sequences"),
        (torch.randn(6, FEATURES), torch.arange(6), "sequences of the same person that differ"),
        (torch.ones(6, FEATURES), torch.arange(6) // 3, "sequences of the same person that differ"),
    ],
)
def test_it_needs_people_and_sequences(x, labels, message):
    with pytest.raises(UserError, match=message):
        LDAHead(FEATURES).fit([x], labels)


@pytest.mark.parametrize(
    "change", [{"channels": 0}, {"components": 0}, {"shrinkage": 0}, {"marker_shrinkage": -1}, {"marker_weight": -0.1}]
)
def test_it_names_what_is_wrong(change):
    (name,) = change
    with pytest.raises(UserError, match=f"Discriminant cannot be used:\n  {name}: found .*expected greater than"):
        LAYERS.build({"type": "Discriminant", **change}, features=FEATURES, markers=5)
