"""What a mapping from a YAML file may hold, and in plain words what is wrong with one."""

import datetime
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError, create_model
from pydantic_core import PydanticCustomError

from opengait_meshgait.common.errors import UserError, did_you_mean

Problems = dict[tuple[str | int, ...], str]
"""One sentence for each place of a nested mapping."""

Share = Annotated[float, Field(ge=0, le=1)]


def _smaller_first(values: list[float]) -> list[float]:
    if values[0] > values[1]:
        raise mistake(f"found {values}; expected the smaller number first.")
    return values


Number = TypeVar("Number")
Pair = Annotated[list[Number], Field(min_length=2, max_length=2), AfterValidator(_smaller_first)]

_BOOL, _INT, _FLOAT, _STR, _LIST, _DICT = "true or false", "a whole number", "a number", "text", "a list", "a mapping"
_KINDS = {bool: _BOOL, int: _INT, float: _FLOAT, str: _STR, list: _LIST, dict: _DICT}
_EXPECTED = {"bool_type": _BOOL, "int_type": _INT, "float_type": _FLOAT, "string_type": _STR}
_EXPECTED |= dict.fromkeys(["list_type", "tuple_type", "is_instance_of", "sequence_str"], _LIST)
_EXPECTED |= dict.fromkeys(["dict_type", "model_type"], _DICT)


class Section(BaseModel):
    """A mapping whose keys are all known.

    Attributes:
        filled_in: keys that are not the user's to give, each with the reason.
    """

    model_config = ConfigDict(extra="forbid", strict=True, validate_default=True)
    filled_in: ClassVar[Mapping[str, str]] = {}


class Arguments(Section):
    """What a class or function may be called with; the model's name is the class's."""

    model_config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=(), validate_default=False)


SectionT = TypeVar("SectionT", bound=Section)


def validate(section: type[SectionT], raw: Any, source: str, context: Any = None) -> SectionT:
    """``raw`` with defaults filled in; ``context`` is what validators of pydantic are given besides.

    Raises:
        UserError: all that is wrong, one problem a line; ``source`` names what cannot be used.
    """
    try:
        return section.model_validate(raw, context=context)
    except ValidationError as error:
        refuse(source, explain(error, section, raw))
        raise


def refuse(source: str, problems: Problems | Sequence[str]) -> None:
    """Raise a UserError if there are problems."""
    if problems:
        lines = sentences(problems) if isinstance(problems, dict) else problems
        raise UserError("\n  ".join([f"{source} cannot be used:", *lines]))


def sentences(problems: Problems, section: str = "") -> list[str]:
    """One line for each problem, with its path below ``section``."""
    return [": ".join(filter(None, (dotted([section, *path]).strip("."), text))) for path, text in problems.items()]


def problems_of(section: type[Section], raw: Any) -> Problems:
    """All that is wrong with ``raw``."""
    try:
        section.model_validate(raw)
    except ValidationError as error:
        return explain(error, section, raw)
    return {}


def raise_inside(problems: Problems) -> None:
    """Hand problems on from within a validator of pydantic, if there are any; their paths continue its own."""
    if problems:
        raise ValidationError.from_exception_data(
            "",
            [{"type": mistake(text), "loc": path, "input": None} for path, text in problems.items()],
        )


def mistake(sentence: str) -> PydanticCustomError:
    """What a validator of pydantic raises to say ``sentence``."""
    return PydanticCustomError("explained", "{text}", {"text": sentence})


def explain(error: ValidationError, section: type[Section], raw: Any) -> Problems:
    """What pydantic found wrong with ``raw``, in plain words."""
    problems: Problems = {}
    expected: dict[tuple, list[str]] = {}
    for item in error.errors():
        path = _path(item, raw)
        if item["type"] == "explained":
            problems[path] = item["ctx"]["text"]
        elif item["type"] == "extra_forbidden":
            problems[path] = _unknown(path, section, raw)
        elif item["type"] == "missing" and isinstance(path[-1], int):
            problems[path[:-1]] = f"found {shown(item['input'])}; expected {path[-1] + 1} entries or more."
        elif item["type"] == "missing":
            owner = _section(section, path[:-1])
            needed = f"; {owner.__name__} needs it" if issubclass(owner, Arguments) else ""
            meaning = owner.model_fields[str(path[-1])].description or ""
            problems[path] = f"missing{needed}. {meaning}".strip()
        else:
            found = _EXPECTED.get(item["type"]) or re.sub(
                r"^Input should be |^\w+ should have | after validation", "", item["msg"]
            )
            # Of a union, each member has its own complaint.
            expected.setdefault(path, []).append(found)
            problems[path] = f"found {shown(item['input'])}; expected {' or '.join(dict.fromkeys(expected[path]))}."
            if expected[path] == [_STR] and isinstance(item["input"], int | float | datetime.date):
                # YAML reads 007, no and 2026-01-31 as something else, and a shell takes one pair of quotes away.
                problems[path] = f"{problems[path][:-1]}: put it in quotes, in a shell in two: \"{path[-1]}='…'\"."
    return problems


def shown(value: Any) -> str:
    """A value and its kind, for messages."""
    kind = next((name for type_, name in _KINDS.items() if isinstance(value, type_)), "null")
    text = repr(value)
    return kind if value is None else f"{text if len(text) <= 60 else text[:57] + '…'} ({kind})"


def dotted(path: Iterable[str | int]) -> str:
    """``a.b.0.c``, as ``--set`` takes it."""
    return ".".join(map(str, path))


def as_list(value: Any) -> Any:
    """Of a key that takes one mapping or a list of them: the list."""
    return [value] if isinstance(value, Mapping) else value


@cache
def arguments_of(
    entry: Callable, name: str, leading: int = 0, filled_in: tuple[tuple[str, str], ...] = ()
) -> type[Arguments]:
    """The model of what ``entry`` may be called with: names, types and defaults from its signature, meanings from its
    docstring's ``Args:``.

    Args:
        entry: a class or function. What its attribute ``filled_in`` names is not the user's to give.
        name: of the model, for messages.
        leading: so many first arguments are the caller's.
        filled_in: further arguments that are not the user's to give, each with the reason.
    """
    try:
        signature = inspect.signature(entry, eval_str=True)
    except NameError:  # annotations that only a type checker can look up
        signature = inspect.signature(entry)
    meanings = argument_meanings(entry)
    filled = dict.fromkeys(getattr(entry, "filled_in", ()), "the network fills it in: take it out.")
    filled |= dict(filled_in)
    fields: dict[str, Any] = {}
    base: type[Arguments] = Arguments
    for key, parameter in [*signature.parameters.items()][leading:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            base = type("Open", (Arguments,), {"model_config": ConfigDict(extra="allow")})
        elif parameter.kind is not parameter.VAR_POSITIONAL and key not in filled:
            hint, default = _yaml_type(parameter.annotation), parameter.default
            if default is None:
                hint = typing.Optional[hint]  # noqa: UP045
            required = default is parameter.empty
            fields[key] = (hint, Field(... if required else default, description=meanings.get(key)))
    model = create_model(name, __base__=base, __doc__=inspect.getdoc(entry), **fields)
    model.filled_in = filled
    return model


def argument_meanings(entry: Callable) -> dict[str, str]:
    """The texts of the docstring's ``Args:``, by argument; a class without has its parent's."""
    docs = [kind.__doc__ or "" for kind in getattr(entry, "__mro__", (entry,))]
    text = next((inspect.cleandoc(doc) for doc in docs if "Args:\n" in doc), "")
    text = text.partition("Args:\n")[2].partition("\n\n")[0]
    meanings: dict[str, str] = {}
    for names, meaning in re.findall(r"^ {4}([\w, ]+): (.*(?:\n {8}.*)*)", text, re.MULTILINE):
        meaning = re.sub(r":\w+:`~?(?:\w+\.)*(\w+)`", r"`\1`", " ".join(meaning.split()).replace("``", "`"))
        meanings |= dict.fromkeys(names.split(", "), meaning[:1].upper() + meaning[1:])
    return meanings


def _yaml_type(hint: Any) -> Any:
    """The part of a type that a YAML file can hold; Any where that is unknown."""
    origin, members = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Annotated, typing.Literal) or hint in (bool, int, float, str, dict, list, type(None)):
        return hint
    inner = tuple(_yaml_type(member) for member in members if member is not ...)
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(member for member in inner if member is not Any) or Any]  # noqa: UP007
    if origin is tuple and ... not in members:
        return Annotated[tuple[inner], Strict(False)]  # type: ignore[valid-type]
    if inspect.isclass(origin) and issubclass(origin, Iterable) and not issubclass(origin, Mapping):
        return Sequence[inner[0]]  # type: ignore[valid-type]
    return Any


def _path(error: Mapping[str, Any], raw: Any) -> tuple[str | int, ...]:
    """Where in ``raw`` an error lies; pydantic's own location also names the members of unions."""
    path, node = [], raw
    for part in error["loc"]:
        inside = isinstance(node, Mapping) and part in node
        if inside or (isinstance(node, list | tuple) and isinstance(part, int) and part < len(node)):
            path.append(part)
            node = node[part]
    if error["type"] in ("missing", "explained") and error["loc"] and path[-1:] != [error["loc"][-1]]:
        path.append(error["loc"][-1])
    return tuple(path)


def _section(section: type[Section], path: Iterable[str | int]) -> type[Section]:
    """The section that lies at ``path`` of another."""
    for key in path:
        section = section_type(section.model_fields[str(key)].annotation)
    return section


def section_type(annotation: Any) -> type[Section] | None:
    """The section that a field holds, also if it may be null."""
    kinds = [annotation, *typing.get_args(annotation)]
    return next((kind for kind in kinds if inspect.isclass(kind) and issubclass(kind, Section)), None)


def _unknown(path: tuple[str | int, ...], root: type[Section], raw: Any) -> str:
    section, key = _section(root, path[:-1]), str(path[-1])
    if key in section.filled_in:
        return section.filled_in[key]
    if issubclass(section, Arguments):
        return f"{section.__name__} has no such argument. {did_you_mean(key, section.model_fields)}"
    places = sorted({*_places(key, root), *_places(key, raw)} - {dotted(path)})
    if places:
        return f"unknown key. Did you mean {' or '.join(places)}?"
    return f"unknown key. {did_you_mean(key, section.model_fields)}"


def _places(key: str, node: Any, path: str = "") -> Iterable[str]:
    """Where else a key of this name lies, in a section or in a mapping."""
    if inspect.isclass(node) and issubclass(node, Section):
        children = {name: section_type(field.annotation) for name, field in node.model_fields.items()}
    elif isinstance(node, list):
        children = dict(enumerate(node))
    else:
        children = node if isinstance(node, Mapping) else {}
    for name, child in children.items():
        where = f"{path}.{name}".lstrip(".")
        if name == key:
            yield where
        yield from _places(key, child, where)
