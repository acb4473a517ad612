"""Which sequences of a dataset are prepared: one line of JSON each, written as they are done."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from opengait_meshgait.common.files import atomic_path

Record = dict[str, Any]


class Journal:
    """A file of records, each with the name of its ``sequence``.

    A kill may tear the last line; it then counts as not written.
    """

    def __init__(self, path: Path):
        self.path = path

    def read(self) -> dict[str, Record]:
        """The records by sequence."""
        if not self.path.exists():
            return {}
        records = {}
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            records[record["sequence"]] = record
        return records

    def append(self, record: Record) -> None:
        """Add a record."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(record))

    def replace(self, records: Iterable[Record]) -> None:
        """Write all records anew, sorted by sequence."""
        with atomic_path(self.path) as temporary:
            ordered = sorted(records, key=lambda record: record["sequence"])
            temporary.write_text("".join(map(_line, ordered)), encoding="utf-8")


def _line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"
