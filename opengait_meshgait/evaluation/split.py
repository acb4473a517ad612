"""The split of test sequences into gallery and probes; needs no embeddings, so it can be asked before training."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation.protocols import ACROSS_VIEWS, ONE_GROUP, PROTOCOLS, Protocol


class Compared(NamedTuple):
    """Indices of the sequences that one group of figures compares, in the order given."""

    gallery: np.ndarray
    probes: np.ndarray


class Split(NamedTuple):
    """Who is compared with whom.

    Attributes:
        groups: gallery and probes of each group, such as ``BG``.
        notes: what was left out, and what means nothing; one sentence each.
    """

    groups: Mapping[str, Compared]
    notes: Sequence[str]


def split_gallery(
    labels: Sequence, types: Sequence, views: Sequence, protocol: Protocol, named: Collection[str] = ()
) -> Split:
    """Gallery and probes among test sequences.

    Args:
        labels: ``n`` identities, as the partition names them.
        types: ``n`` sequence types, such as ``nm-01`` (Gait3D: cameras).
        views: ``n`` views, such as ``090`` (Gait3D: sequences).
        protocol: of the data set.
        named: names ``id-type-view``, what the partition has under ``protocol.partition_key``, where it has one.

    Raises:
        UserError: there is no gallery, no probe, nothing that may be compared.
        ValueError: there are not as many types and views as labels.
    """
    if not len(labels) == len(types) == len(views):
        counts = f"{len(labels)} labels, {len(types)} types and {len(views)} views"
        raise ValueError(f"expected as many types and views as labels, got {counts}")
    labels, types, views = as_strings(labels), as_strings(types), as_strings(views)
    if protocol.partition_key:
        groups, notes = _by_names([*zip(labels, types, views)], protocol, named)
    else:
        groups, notes = _by_types(types, views, protocol)
    views = protocol.views_of(views)
    if ACROSS_VIEWS in protocol.figures:
        groups, more = _with_other_views(labels, views, groups)
    else:
        groups, more = _with_matches(labels, views, groups, protocol)
    return Split(groups, [*notes, *more, *_meaningless(labels, views, groups, protocol)])


def has_match(labels: np.ndarray, views: np.ndarray, compared: Compared, other_views: bool) -> np.ndarray:
    """Which probes have their identity in the gallery, bool ``[q]``; with ``other_views``, in another view."""
    known = np.isin(labels[compared.probes], labels[compared.gallery])
    if not other_views:
        return known
    seen: dict[str, set[str]] = {}
    for index in compared.gallery:
        seen.setdefault(labels[index], set()).add(views[index])
    return np.asarray([bool(seen.get(labels[i], set()) - {views[i]}) for i in compared.probes], dtype=bool)


def as_strings(values: Sequence) -> np.ndarray:
    """Labels, types or views as an array of strings ``[n]``."""
    return np.asarray([str(value) for value in values], dtype=np.str_)


def of_types(types: np.ndarray, patterns: Iterable[str]) -> np.ndarray:
    """Which of ``types [n]`` are of one of the patterns, bool ``[n]``."""
    wanted = [*patterns]
    return np.isin(types, [kind for kind in np.unique(types) if any(fnmatchcase(kind, each) for each in wanted)])


def _by_types(types: np.ndarray, views: np.ndarray, protocol: Protocol) -> tuple[dict[str, Compared], list[str]]:
    used = ~np.isin(protocol.views_of(views), protocol.ignored_views)
    galleries = {group: of_types(types, protocol.galleries(group)) & used for group in protocol.groups}
    probes = {
        group: of_types(types, patterns) & ~galleries[group] & used for group, patterns in protocol.groups.items()
    }
    wanted = (
        ("gallery", galleries, map(protocol.galleries, protocol.groups)),
        ("probe", probes, protocol.groups.values()),
    )
    for role, chosen, patterns in wanted:
        if not any(each.any() for each in chosen.values()):
            raise UserError(_nothing(protocol.name, role, [*dict.fromkeys(sum(patterns, []))], types))
    groups, notes = {}, []
    for group, patterns in protocol.groups.items():
        absent = [(galleries, protocol.galleries(group), "gallery"), (probes, patterns, "a probe")]
        for chosen, each, role in absent:
            if not chosen[group].any():
                notes.append(f"{group} left out: there is no sequence of type {', '.join(each)} to be {role}.")
                break
        else:
            groups[group] = Compared(np.flatnonzero(galleries[group]), np.flatnonzero(probes[group]))
    if not groups:
        raise UserError(f"The protocol of {protocol.name} compares nothing here: {' '.join(notes)}")
    return groups, notes


def _by_names(
    sequences: Sequence[tuple[str, str, str]], protocol: Protocol, named: Collection[str]
) -> tuple[dict[str, Compared], list[str]]:
    names, wanted, key = ["-".join(parts) for parts in sequences], {*named}, protocol.partition_key
    what = "probe" if protocol.probes == key else "gallery sequence"
    listed = np.asarray([name in wanted for name in names], dtype=bool)
    if not listed.any():
        raise UserError(
            f"None of the {len(wanted)} {what}s of {key}{_example(wanted)} is among the {len(names)} test "
            f"sequences{_example(names)}. {key} holds names id-type-view: take the partition of this data set."
        )
    if listed.all():
        others = "they are the gallery" if what == "probe" else "they are the probes"
        raise UserError(f"All {len(names)} test sequences are in {key}: leave some out, {others}.")
    absent = wanted.difference(names)
    notes = [f"{len(absent)} of {len(wanted)} {what}s of {key}{_example(absent)} are not in the test set."]
    first, second = np.flatnonzero(~listed), np.flatnonzero(listed)
    compared = Compared(first, second) if what == "probe" else Compared(second, first)
    return {ONE_GROUP: compared}, notes if absent else []


def _with_other_views(
    labels: np.ndarray, views: np.ndarray, groups: Mapping[str, Compared]
) -> tuple[dict[str, Compared], list[str]]:
    """The groups that have pairs of different views."""
    kept, notes = {}, []
    for group, compared in groups.items():
        seen = np.unique(views[np.concatenate(compared)])
        if len(seen) == 1:
            notes.append(f"{group} left out: probes and gallery have {seen[0]} as their only view.")
            continue
        kept[group] = compared
        strangers = (~np.isin(labels[compared.probes], labels[compared.gallery])).sum()
        if strangers:
            notes.append(f"{group}: {strangers} probes of identities without a gallery sequence are misses.")
    if not kept:
        raise UserError(
            f"All probes and gallery sequences have the view {seen[0]}, and identical views are not compared: test on "
            "two views or more."
        )
    return kept, notes


def _with_matches(
    labels: np.ndarray, views: np.ndarray, groups: Mapping[str, Compared], protocol: Protocol
) -> tuple[dict[str, Compared], list[str]]:
    """The groups, without probes that there is nobody to find for."""
    kept, notes = {}, []
    where = " in another view" if protocol.other_views else ""
    for group, (gallery, probes) in groups.items():
        known = has_match(labels, views, Compared(gallery, probes), protocol.other_views)
        prefix = "" if group == ONE_GROUP else f"{group}: "
        if not known.all():
            left_out = f"{(~known).sum()} of {len(known)} probes left out"
            notes.append(f"{prefix}{left_out}: their identity is not in the gallery{where}.")
        if known.any():
            kept[group] = Compared(gallery, probes[known])
    if not kept:
        number = sum(len(compared.probes) for compared in groups.values())
        hint = f": {protocol.probes} must leave out at least one sequence of an identity" * (
            isinstance(protocol.probes, str)
        )
        raise UserError(f"None of the {number} probes has an identity that is in the gallery{where}{hint}.")
    return kept, notes


def _meaningless(
    labels: np.ndarray, views: np.ndarray, groups: Mapping[str, Compared], protocol: Protocol
) -> list[str]:
    """Figures that are 100 % whatever the network does."""
    people = np.unique(labels[np.concatenate([compared.gallery for compared in groups.values()])])
    if len(people) == 1:
        return [
            f"The gallery holds one identity only ({people[0]}): whoever is in it is recognised whatever the network "
            "does. Test on more people."
        ]
    by_view = ACROSS_VIEWS in protocol.figures
    choice = max(
        np.unique(views[compared.gallery], return_counts=True)[1].max() if by_view else len(compared.gallery)
        for compared in groups.values()
    )
    certain = [f"Rank-{k}" for k in protocol.ranks_of(protocol.figures[0]) if k > 1 and choice <= k]
    if not certain:
        return []
    return [
        f"{' and '.join(certain)} cannot fail for who is in the gallery: a probe is compared with {choice} gallery "
        f"sequences {'of one view ' if by_view else ''}at most."
    ]


def _nothing(name: str, role: str, patterns: Sequence[str], types: np.ndarray) -> str:
    found = ", ".join(np.unique(types)) or "no sequence at all"
    return (
        f"The protocol of {name} takes sequences of type {', '.join(patterns)} as {role}, and the test set has "
        f"{found}. Set test_dataset_name to the protocol these types belong to. Known: {', '.join(sorted(PROTOCOLS))}; "
        "or to a YAML file of your own (docs/evaluation.md)."
    )


def _example(names: Collection[str]) -> str:
    return f" (such as {min(names)})" if names else ""
