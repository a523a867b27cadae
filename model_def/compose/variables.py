"""Variables of a config file that nothing reads: mmengine keeps them in the config, and they do nothing there."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from model_def.compose.lines import bases, statements

_TEMPLATE = re.compile(r"_base_\.(\w+)")  # `_base_.name` in Python, `{{_base_.name}}` in a string


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variable:
    """A name that a config file gives a value at its top level.

    Attributes:
        line, column: from 1.
    """

    name: str
    file: Path
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


def unread(file: Path, wanted: Callable[[Path], bool], above: frozenset[str] = frozenset()) -> Iterator[Variable]:
    """The variables of `file` and its bases that are read neither in their own file nor by those that build upon it.

    A file that builds upon another one can't change what that one has read: `data_root = …` over a base with a
    `data_root` of its own changes nothing.

    Args:
        wanted: which files are looked at; one that isn't ends the chain.
        above: the names that the files above read.
    """
    if not wanted(file):
        return
    read = above | set(_reads(file))
    yield from (variable for variable in _assigned(file) if variable.name not in read)
    for base in bases(file):
        yield from unread(base, wanted, read)


def _assigned(file: Path) -> Iterator[Variable]:
    """The names that a Python config gives a value at its top level; private ones (`_name`) are left out."""
    for statement in statements(file):
        for target in statement.targets if isinstance(statement, ast.Assign) else ():
            if isinstance(target, ast.Name) and not target.id.startswith("_"):
                yield Variable(name=target.id, file=file, line=target.lineno, column=target.col_offset + 1)


def _reads(file: Path) -> Iterator[str]:
    for statement in statements(file):
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                yield node.id
            elif isinstance(node, ast.Attribute):
                yield from _TEMPLATE.findall(ast.unparse(node))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from _TEMPLATE.findall(node.value)
