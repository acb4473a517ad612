"""The weight of the LDA head's markers, chosen by validation people."""

import numpy as np
import pytest
import torch

from opengait_meshgait.networks import LDAHead
from opengait_meshgait.networks.gait_descriptor import descriptor_size
from opengait_meshgait.recipe.lda_fit import weigh_markers

MARKERS, FEATURES, EACH = 5, 8, 6


def sequences(people, right, seed):
    """Features of ``EACH`` sequences a person, of labels and of types; ``right``: how well the markers tell people."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(people).repeat_interleave(EACH)
    types = np.tile(["nm-01", "nm-01", "nm-01", "nm-02", "nm-02", "nm-02"], people)

    def part(size, clear):
        return clear * torch.randn(people, size, generator=generator)[labels] + torch.randn(
            len(labels), size, generator=generator
        )

    angle = torch.zeros(len(labels), 4)
    return [part(FEATURES, 1.5), part(descriptor_size(MARKERS), right), angle], labels, types


def fitted(weight, right=1.0):
    head = LDAHead(FEATURES, MARKERS, channels=4, marker_shrinkage=0.5, marker_weight=weight)
    head.fit(*sequences(30, right, 0)[:2])
    return head


def mean_average_precision(matched, labels, types):
    """By definition, one probe after the other."""
    distances, found = sum(torch.cdist(part, part) for part in matched.unbind(2)), []
    for probe, label in enumerate(labels):
        counts = (labels != label) | torch.from_numpy(types != types[probe])
        right = (labels[counts] == label)[distances[probe, counts].argsort()]
        places = right.nonzero()[:, 0] + 1
        found.append((torch.arange(1, len(places) + 1) / places).mean())
    return 100 * float(torch.stack(found).mean())


@pytest.mark.parametrize(("right", "bounds"), [(1.5, (0.25, 1)), (0.0, (0, 0.1))])
def test_it_is_the_weight_that_finds_validation_people_best(right, bounds):
    features, labels, types = sequences(10, right, 1)
    head = fitted("auto")
    note = weigh_markers(head, features, labels, types)
    precisions = {}
    for weight in (0.05, 0.1, 0.25, 0.5, 1.0):
        precisions[weight] = mean_average_precision(fitted(weight).project(features), labels, types)
        assert f"{weight:g}: {precisions[weight]:.1f}" in note
    chosen = float(note.split("weigh ")[1].split(",")[0])
    assert bounds[0] <= chosen <= bounds[1]
    assert "chosen by 10 validation people" in note
    assert mean_average_precision(head.project(features), labels, types) >= max(precisions.values()) - 1e-3


def test_a_checkpoint_has_the_weight():
    features, labels, types = sequences(10, 1.0, 1)
    head, loaded = fitted("auto"), LDAHead(FEATURES, MARKERS, channels=4, marker_weight="auto")
    note = weigh_markers(head, features, labels, types)
    loaded.load_state_dict(head.state_dict())
    torch.testing.assert_close(loaded.project(features), head.project(features))
    fixed = fitted(float(note.split("weigh ")[1].split(",")[0]))
    torch.testing.assert_close(head.project(features), fixed.project(features))
    head.fit(*sequences(30, 1.0, 0)[:2])  # anew: the default, until it is chosen again
    torch.testing.assert_close(head.project(features), fitted(0.25).project(features))


def test_of_equals_and_where_there_is_nothing_to_find_it_is_the_default():
    features, labels, types = sequences(10, 1.0, 1)
    default = fitted(0.25).project(features)
    head = fitted("auto")
    assert weigh_markers(head, features, labels, np.full(len(labels), "nm-01")) is None
    torch.testing.assert_close(head.project(features), default)
    alike = [torch.ones_like(part) for part in features]
    assert "weigh 0.25," in weigh_markers(head, alike, labels, types)
    torch.testing.assert_close(head.project(features), default)
