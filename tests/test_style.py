"""What the linter does not check: short functions, one meaning for a class name, names that say what a value is."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("models", "training", "index", "alerts", "stream")

LONGEST = 60
"""Lines of a function."""

SAYS_NOTHING = frozenset({"found", "at", "each", "told", "held", "mine"})
"""Local names that say how a value was obtained, not what it is."""

EXEMPT = {"index/redaction/kinds.py": "at"}
"""A key of kinds.toml, which arrives as an argument."""


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Path and syntax tree of every source file."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def test_functions_are_short() -> None:
    """At most 60 lines, with decorators left out."""
    functions = [
        (f"{name}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert functions
    assert [place for place, lines in functions if lines > LONGEST] == []


def test_a_class_name_means_one_thing() -> None:
    """No public class name stands in two files."""
    homes: dict[str, set[str]] = defaultdict(set)
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].add(name)
    assert homes
    assert {name: sorted(files) for name, files in homes.items() if len(files) > 1} == {}


def test_names_say_what_a_value_is() -> None:
    """No variable or argument is called after how it was obtained."""
    places = []
    for name, tree in trees():
        for node in ast.walk(tree):
            bound = node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else None
            bound = node.arg if isinstance(node, ast.arg) else bound
            if bound in SAYS_NOTHING and EXEMPT.get(name) != bound:
                places.append(f"{name}:{node.lineno} {bound}")  # type: ignore[attr-defined]
    assert places == []
