"""Protocols of tests as data: who is gallery, who is a probe, and which figures are made of their distances."""

from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from opengait_meshgait.common.configs import read_yaml
from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.common.validation import Section, mistake, validate

ONE_GROUP = "all"
"""The group of probes where there is one only; its figures have no group in their names."""
ACROSS_VIEWS, RETRIEVAL = "cross-view", "retrieval"
Types = Annotated[list[str], Field(min_length=1)]
Groups = Annotated[dict[str, Types], Field(min_length=1)]


class SubmissionTypes(Section):
    """Which sequences go into the file that a benchmark's server scores."""

    gallery: Types = Field(description="Types of the sequences whose identities are listed.")
    probes: Types = Field(description="Types of the sequences whose identities are not known here.")


class Protocol(Section):
    """Gallery, probes and figures of a test. Types may be shell patterns such as `nm-*`; no sequence is both gallery
    and probe of one group."""

    name: str = Field("", description="What messages call it; left out, the file's name.")
    gallery: Types | Groups | str | None = Field(
        None,
        description="Sequence types; or types by group of probes, where each group has a gallery of its own; or the "
        "key of a list of names id-type-view in the partition. Left out where `probes` is such a key: all others.",
    )
    probes: Types | Groups | str | None = Field(
        None,
        description="Types by group: each group, such as `BG`, has figures of its own; or types of a single group; or "
        "the key of a list in the partition. Left out where `gallery` is such a key: all others.",
    )
    figures: Annotated[list[Literal["cross-view", "retrieval"]], Field(min_length=1)] = Field(
        ["cross-view"],
        description="`cross-view`: Rank-k of each pair of different views, averaged; `retrieval`: each probe against "
        "its whole gallery. Of both, mAP and mINP are those of retrieval.",
    )
    ranks: list[Annotated[int, Field(gt=0)]] | None = Field(
        None, min_length=1, description="The k of Rank-k; null: 1 and 5 across views, else 1, 5 and 10."
    )
    other_views: bool = Field(
        False, description="In retrieval, leave out what shows the probe's own person in the probe's view."
    )
    ignored_views: list[str] = Field([], description="Views whose sequences are neither gallery nor probes.")
    view_ends_before: str | None = Field(
        None, min_length=1, description="A view is its name up to here: `_` makes one view of `1_a` and `1_b`."
    )
    submission: SubmissionTypes | None = Field(None, description="Write a file for the server of a benchmark.")

    @model_validator(mode="after")
    def complete(self) -> "Protocol":
        """Types on both sides, or names on one."""
        keys = [key for key in (self.gallery, self.probes) if isinstance(key, str)]
        absent = [name for name in ("gallery", "probes") if getattr(self, name) is None]
        if keys and len(absent) != 1:
            raise mistake("gallery and probes: one is a key of the partition; leave the other out, it is all others.")
        if absent and not keys:
            raise mistake(f"{absent[0]}: missing; name the sequence types, such as [nm-01].")
        if isinstance(self.gallery, dict) and self.gallery.keys() != self.groups.keys():
            raise mistake(f"gallery: found groups {', '.join(self.gallery)}; expected {', '.join(self.groups)}.")
        if self.ranks and 1 not in self.ranks:
            raise mistake(f"ranks: found {self.ranks}; expected 1 among them.")
        return self

    @property
    def groups(self) -> dict[str, list[str]]:
        """The types of the probes, by group."""
        return self.probes if isinstance(self.probes, dict) else {ONE_GROUP: self.probes}  # type: ignore[dict-item]

    @property
    def partition_key(self) -> str | None:
        """The key of the list in the partition that names probes or gallery; None where types tell."""
        return next((key for key in (self.gallery, self.probes) if isinstance(key, str)), None)

    def galleries(self, group: str) -> list[str]:
        """The types of a group's gallery."""
        return self.gallery[group] if isinstance(self.gallery, dict) else self.gallery  # type: ignore[return-value]

    def ranks_of(self, figures: str) -> Sequence[int]:
        """The k of Rank-k for :data:`ACROSS_VIEWS` or :data:`RETRIEVAL`."""
        return self.ranks or ((1, 5) if figures == ACROSS_VIEWS else (1, 5, 10))

    def views_of(self, names: np.ndarray) -> np.ndarray:
        """Views as this protocol tells them apart, ``[n]``."""
        if self.view_ends_before is None:
            return names
        return np.asarray([name.partition(self.view_ends_before)[0] for name in names.tolist()], dtype=np.str_)


def _shipped() -> dict[str, Protocol]:
    with as_file(files("opengait_meshgait") / "assets" / "protocols.yaml") as path:
        entries = read_yaml(path)
    return {name: validate(Protocol, {"name": name, **entry}, name) for name, entry in entries.items()}


PROTOCOLS = _shipped()
"""The protocols of data sets, by their names."""


def find_protocol(name: str) -> Protocol:
    """The protocol of a data set, or one's own.

    Args:
        name: a key of :data:`PROTOCOLS`, or a YAML file.

    Raises:
        UserError: there is none of that name, or the file cannot be used.
    """
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    if not is_protocol_file(name):
        raise UserError(
            f"No protocol for test_dataset_name '{name}'. {did_you_mean(str(name), PROTOCOLS)} Or name a YAML file of "
            "your own: docs/evaluation.md."
        )
    raw = read_yaml(name)
    if not isinstance(raw, dict):
        raise UserError(f"{name} is no protocol: expected keys such as gallery and probes (docs/evaluation.md).")
    return validate(Protocol, {"name": Path(name).stem, **raw}, name)


def is_protocol_file(name: str) -> bool:
    """Whether ``test_dataset_name`` means a file of one's own."""
    return str(name).endswith((".yaml", ".yml"))
