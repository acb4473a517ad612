"""Names in a config become objects: ``{type: ResNet9, channels: […]}``."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from opengait_meshgait.common.errors import UserError, did_you_mean


class Registry:
    """A table from the names users write in a config to classes or functions.

    Args:
        kind: what the entries are, for messages ("backbone", "loss").
    """

    def __init__(self, kind: str):
        self.kind = kind
        self.entries: dict[str, Callable] = {}

    def register(self, entry: Callable, name: str | None = None) -> Callable:
        """Decorator: make ``entry`` known under ``name``, by default its own."""
        self.entries[name or entry.__name__] = entry
        return entry

    def get(self, name: str) -> Callable:
        """The entry called ``name``.

        Raises:
            UserError: no such entry; the message lists the nearest names.
        """
        if name not in self.entries:
            raise UserError(f"Unknown {self.kind} '{name}'. {did_you_mean(str(name), self.entries)}")
        return self.entries[name]

    def build(self, cfg: Mapping[str, Any], **extra: Any) -> Any:
        """Call the entry that ``cfg['type']`` names with the rest of ``cfg`` and ``extra``.

        Raises:
            UserError: ``type`` is missing or unknown, or an argument is unknown, missing or refused.
        """
        arguments = dict(cfg)
        if "type" not in arguments:
            raise UserError(f"A {self.kind} needs a 'type'. {did_you_mean('', self.entries)}")
        name = arguments.pop("type")
        entry = self.get(name)
        parameters = inspect.signature(entry).parameters
        for key in arguments:
            if key not in parameters:
                raise UserError(f"{self.kind} {name} has no argument '{key}'. {did_you_mean(key, parameters)}")
        arguments.update(extra)
        missing = [k for k, p in parameters.items() if p.default is p.empty and k not in arguments]
        if missing:
            raise UserError(f"{self.kind} {name} needs {', '.join(missing)}: add it to the config.")
        return entry(**arguments)
