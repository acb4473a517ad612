"""Imports point only downwards, a public name has one definition, and nothing is left undone."""

import ast
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "opengait_meshgait"
MAY_IMPORT = {
    "common": set(),
    "evaluation": set(),
    "losses": set(),
    "networks": set(),
    "body": set(),
    "data": {"body"},
    "visual": {"networks"},
    "walkers": {"body"},
    "recipe": {"data", "body", "networks", "losses", "evaluation"},
    "engine": {"recipe", "visual", "data", "body", "networks", "losses", "evaluation"},
    "inference": {"recipe", "visual", "data", "body", "networks", "evaluation"},
    "opengait": {"engine", "recipe", "visual", "data", "body", "networks", "losses", "evaluation"},
    "prepare": {"engine", "recipe", "visual", "data", "body"},
}
MAY_IMPORT["benchmark"] = set(MAY_IMPORT) - {"prepare"}
MAY_IMPORT["doctor"] = {"prepare", "opengait", "engine", "data", "body", "networks"}
MAY_IMPORT["cli"] = set(MAY_IMPORT)
SEVERAL_DEFINITIONS = {
    ("cli", "parser"),  # each command's
    ("cli", "run"),
    ("cli", "main"),  # the command itself and modules that `python -m` starts
    ("opengait", "main"),
}
FILES = sorted(PACKAGE.glob("*/**/*.py"))


def imported_rooms(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module]
        for name in names:
            parts = name.split(".")
            if parts[0] == PACKAGE.name and len(parts) > 1:
                yield parts[1]


def test_every_room_is_known():
    rooms = {p.relative_to(PACKAGE).parts[0] for p in FILES}
    assert rooms == set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    room = path.relative_to(PACKAGE).parts[0]
    allowed = MAY_IMPORT[room] | {room, "common"}
    assert set(imported_rooms(path)) <= allowed


def imported_files(path):
    """Of the files of ``path``'s own room that it imports, at whatever place."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (parts := node.module.split("."))[:1] == [PACKAGE.name]:
            module = PACKAGE.joinpath(*parts[1:])
            named = [module.with_suffix(".py"), *(module / f"{alias.name}.py" for alias in node.names)]
            yield from (file for file in named if file in FILES and file != path)


def test_files_do_not_import_each_other_in_circles():
    TopologicalSorter({path: {*imported_files(path)} for path in FILES if path.name != "__init__.py"}).prepare()


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "__init__.py"], ids=str)
def test_init_files_only_hand_names_on(path):
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        names = isinstance(node, ast.Assign) and [t.id for t in node.targets] == ["__all__"]
        assert docstring or names or isinstance(node, ast.ImportFrom), ast.unparse(node)


def public_names(path):
    """Functions, classes and constants that a module defines."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
        else:
            continue
        yield from (name for name in names if not name.startswith("_") and name != "logger")


def test_a_public_name_has_one_definition():
    places = defaultdict(set)
    for path in FILES:
        place = path.relative_to(PACKAGE)
        for name in public_names(path):
            if (place.parts[0], name) not in SEVERAL_DEFINITIONS:
                places[name].add(str(place))
    assert {name: sorted(found) for name, found in places.items() if len(found) > 1} == {}
