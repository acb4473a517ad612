"""The Gait3D protocol against loops over probes, by hand, and against OpenGait."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation import PROTOCOLS, evaluate_recognition, split_gallery


def evaluate(embeddings, labels, types, views, probes, **more):
    """The figures of Gait3D's protocol."""
    return evaluate_recognition(embeddings, labels, types, views, PROTOCOLS["Gait3D"], probes, **more)


def case(n, ids, probe_count, seed, whole_numbers=False):
    """Embeddings with labels, types, views, and the names of random probes."""
    rng = torch.Generator().manual_seed(seed)
    labels = [f"{i:04d}" for i in torch.randint(ids, (n,), generator=rng).tolist()]
    types, views = [f"camid{i % 3}" for i in range(n)], [f"seq{i}" for i in range(n)]
    chosen = torch.randperm(n, generator=rng)[:probe_count].tolist()
    probes = [f"{labels[i]}-{types[i]}-{views[i]}" for i in chosen]
    if whole_numbers:
        embeddings = torch.randint(-2, 3, (n, 2, 1), generator=rng).float()
    else:
        embeddings = torch.randn(n, 8, 4, generator=rng)
        embeddings += 0.7 * torch.randn(ids, 8, 4, generator=rng)[[int(label) for label in labels]]
    return embeddings, labels, types, views, probes


def loops(embeddings, labels, types, views, probes):
    """One probe after the other; Euclidean, ties by gallery order."""
    names = ["-".join(parts) for parts in zip(labels, types, views)]
    gallery = [i for i, name in enumerate(names) if name not in probes]
    ranks, aps, inps = [], [], []
    for i, name in enumerate(names):
        if name not in probes or labels[i] not in [labels[j] for j in gallery]:
            continue
        far = {j: (embeddings[i] - embeddings[j]).double().norm(dim=0).mean().item() for j in gallery}
        hits = [labels[j] == labels[i] for j in sorted(gallery, key=lambda j: (round(far[j], 6), j))]
        precisions = [sum(hits[: r + 1]) / (r + 1) for r, hit in enumerate(hits) if hit]
        ranks.append(hits.index(True))
        aps.append(sum(precisions) / len(precisions))
        inps.append(precisions[-1])
    metrics = {f"Rank-{k}": 100 * sum(rank < k for rank in ranks) / len(ranks) for k in (1, 5, 10)}
    return metrics | {"mAP": 100 * sum(aps) / len(aps), "mINP": 100 * sum(inps) / len(inps)}


@given(
    n=st.integers(2, 30),
    ids=st.integers(1, 8),
    share=st.floats(0.1, 0.9),
    seed=st.integers(0, 999),
    chunk=st.sampled_from([1, 3, 100]),
)
def test_equals_loops(n, ids, share, seed, chunk):
    embeddings, labels, types, views, probes = case(n, ids, max(1, int(share * n)), seed, whole_numbers=True)
    try:
        result = evaluate(embeddings, labels, types, views, probes, chunk=chunk)
    except UserError:
        strangers = {name.split("-")[0] for name in probes}
        others = {label for label, *name in zip(labels, types, views) if "-".join([label, *name]) not in probes}
        assert not strangers & others
    else:
        assert result.metrics == pytest.approx(loops(embeddings, labels, types, views, probes))
        assert result.rank1 == result.metrics["Rank-1"]


def test_by_hand():
    # On a line; probes of A at 0 and B at 10. A's own come 1st and 3rd, B's own 2nd; C is a stranger.
    rows = [("A", 0.0), ("B", 10.0), ("C", 5.0), ("A", 1.0), ("B", 2.0), ("A", 7.5)]
    labels, numbers = zip(*rows)
    views = [f"s{i}" for i in range(6)]
    probes = ["A-c-s0", "B-c-s1", "C-c-s2", "D-c-s9"]
    result = evaluate(torch.tensor(numbers).reshape(6, 1, 1), labels, ["c"] * 6, views, probes)
    assert result.metrics == pytest.approx(
        {
            "Rank-1": 50.0,
            "Rank-5": 100.0,
            "Rank-10": 100.0,
            "mAP": 100 * ((1 + 2 / 3) / 2 + 1 / 2) / 2,
            "mINP": 100 * (2 / 3 + 1 / 2) / 2,
        }
    )
    assert list(result.notes[:2]) == [
        "1 of 4 probes of PROBE_SET (such as D-c-s9) are not in the test set.",
        "1 of 3 probes left out: their identity is not in the gallery.",
    ]


def test_a_collapsed_network_is_not_rewarded():
    embeddings, labels, types, views, probes = case(200, 20, 60, seed=3)
    result = evaluate(torch.zeros_like(embeddings), labels, types, views, probes)
    assert result.rank1 < 15


def test_order_and_chunks_and_scale_do_not_matter():
    embeddings, labels, types, views, probes = case(90, 12, 30, seed=1)
    expected = evaluate(embeddings, labels, types, views, probes).metrics
    assert 10 < expected["Rank-1"] < 100
    order = torch.randperm(90, generator=torch.Generator().manual_seed(2)).tolist()
    shuffled = [[column[i] for i in order] for column in (labels, types, views)]
    assert evaluate(embeddings[order], *shuffled, probes).metrics == pytest.approx(expected)
    assert evaluate(embeddings, labels, types, views, probes, chunk=7).metrics == pytest.approx(expected)
    assert evaluate(2 * embeddings, labels, types, views, {*probes}).metrics == pytest.approx(expected)


@pytest.mark.parametrize(
    "rows, probes, message",
    [
        ([("1", "c", "s")], [], "None of the 0 probes of PROBE_SET is among the 1 test sequences \\(such as 1-c-s\\)"),
        ([("1", "c", "s")], ["1-c-t"], "None of the 1 probes of PROBE_SET \\(such as 1-c-t\\) is among"),
        ([], ["1-c-t"], "among the 0 test sequences. PROBE_SET holds names id-type-view"),
        ([("1", "c", "s")], ["1-c-s"], "All 1 test sequences are in PROBE_SET"),
        ([("1", "c", "s"), ("2", "c", "s")], ["1-c-s"], "None of the 1 probes has an identity that is in the gallery"),
    ],
)
def test_nothing_to_evaluate(rows, probes, message):
    columns = [*zip(*rows)] or [(), (), ()]
    with pytest.raises(UserError, match=message):
        split_gallery(*columns, PROTOCOLS["Gait3D"], probes)
    with pytest.raises(UserError, match=message):
        evaluate(torch.zeros(len(rows), 2, 1), *columns, probes)


def test_infinite_embeddings():
    embeddings, labels, types, views, probes = case(10, 3, 3, seed=0)
    embeddings[0, 0, 0] = torch.inf
    with pytest.raises(
        UserError, match=f"1 of 10 sequences are NaN or infinite, first that of {labels[0]}-camid0-seq0"
    ):
        evaluate(embeddings, labels, types, views, probes)
