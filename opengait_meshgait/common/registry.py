"""Names in a config become objects: ``{type: ResNet9, channels: […]}``."""

import importlib
import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.common.validation import Arguments, Problems, arguments_of, problems_of, refuse


class Registry:
    """A table from the names users write in a config to classes or functions.

    Args:
        kind: what the entries are, for messages ("backbone", "loss").
        base: classes of one's own that derive from it can be named by their import path, ``my_package.MyBackbone``;
            None: only what is registered. Nothing else is ever called, for configs come with other people's weights.
        key: of the name, in a config.
        leading: so many first arguments are not the config's, but :meth:`build`'s.
        filled_in: arguments that are not the config's either, each with the reason.
        unusable: names that users may expect and that cannot be used, each with the reason.
        advice: said to whoever asks for a name that is like no other.
    """

    def __init__(
        self,
        kind: str,
        base: type | None = None,
        key: str = "type",
        leading: int = 0,
        filled_in: Mapping[str, str] = MappingProxyType({}),
        unusable: Mapping[str, str] = MappingProxyType({}),
        advice: str = "",
    ):
        self.kind, self.base, self.key, self.leading = kind, base, key, leading
        self.filled_in, self.unusable, self.advice = filled_in, unusable, advice
        self.entries: dict[str, Callable] = {}

    def register(self, entry: Callable, name: str | None = None) -> Callable:
        """Decorator: make ``entry`` known under ``name``, by default its own."""
        self.entries[name or entry.__name__] = entry
        return entry

    def get(self, name: str) -> Callable:
        """The entry called ``name``, or the class at that import path.

        Raises:
            UserError: there is none; the message lists the nearest names.
        """
        if name in self.entries:
            return self.entries[name]
        if self.base is not None and "." in str(name):
            return self._imported(name)
        if name in self.unusable:
            raise UserError(f"The {self.kind} {name} cannot be used: {self.unusable[name]}.")
        hint = did_you_mean(str(name), self.entries)
        if self.base is not None and hint.startswith("Known"):
            hint = f"{hint} {self.advice}".strip()
            hint += " A class of your own is named by its import path: my_package.MyClass."
        raise UserError(f"Unknown {self.kind} '{name}'. {hint}")

    def problems(self, cfg: Mapping[str, Any]) -> Problems:
        """All that is wrong with ``cfg``: the name, or arguments that are unknown, missing, of another type or not the
        user's to give."""
        if self.key not in cfg:
            return {(self.key,): f"A {self.kind} needs a '{self.key}'. {did_you_mean('', self.entries)}"}
        try:
            section = self.arguments(cfg[self.key])
        except UserError as error:
            return {(self.key,): str(error)}
        return problems_of(section, {key: value for key, value in cfg.items() if key != self.key})

    def arguments(self, name: str) -> type[Arguments]:
        """The model of what the entry called ``name`` may be given.

        Raises:
            UserError: as :meth:`get`.
        """
        return arguments_of(self.get(name), name.rpartition(".")[2], self.leading, tuple(self.filled_in.items()))

    def known_arguments(self, cfg: Mapping[str, Any]) -> Collection[str]:
        """The arguments of what ``cfg`` names; none if that is unknown."""
        try:
            return self.arguments(cfg[self.key]).model_fields
        except UserError:
            return ()

    def build(self, cfg: Mapping[str, Any], *leading: Any, **extra: Any) -> Any:
        """Call the entry that ``cfg`` names with ``leading``, the rest of ``cfg`` and ``extra``.

        Raises:
            UserError: see :meth:`problems`.
        """
        problems = self.problems(cfg)
        missing = {(key,) for key in extra if key not in cfg}
        refuse(
            f"The {self.kind} {cfg.get(self.key, '')}".strip(), {k: v for k, v in problems.items() if k not in missing}
        )
        arguments = {key: value for key, value in cfg.items() if key != self.key}
        return self.get(cfg[self.key])(*leading, **arguments, **extra)

    def _imported(self, path: str) -> type:
        module_name, _, name = path.rpartition(".")
        if "" not in sys.path:
            sys.path.append("")  # modules beside the config, where the command is not `python -m`
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            raise UserError(
                f"Cannot import {module_name} for the {self.kind} {path}: {error}. Install it, or run the command in "
                "the folder that holds it."
            ) from error
        known = [key for key, value in vars(module).items() if inspect.isclass(value) and issubclass(value, self.base)]
        if name not in known:
            wanted = f"a class that derives from {self.base.__name__}"
            found = f"is not {wanted}" if hasattr(module, name) else f"is not in it; expected {wanted}"
            raise UserError(f"{self.kind} {path}: {name} {found}. {did_you_mean(name, known)}")
        return vars(module)[name]
