"""Where a config file writes a value: files and lines along its `_base_` chain, found in its syntax tree.

The file is not run here, so a value that is computed (in a loop, by a function) has the line of the whole expression.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config

from model_def.compose.tree import DELETE
from model_def.compose.tree import Path as TreePath


@dataclasses.dataclass(frozen=True, kw_only=True)
class Written:
    """One place that gives a value.

    Attributes:
        line, column: from 1.
        text: the expression there, as Python.
    """

    file: Path
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


def written(file: Path, path: TreePath) -> Iterator[Written]:
    """The places in `file` and its bases that give the value at `path`, the one that has the effect first."""
    found, deleted = _in_file(file, path)
    if found is not None:
        yield Written(file=file, line=found.lineno, column=found.col_offset + 1, text=ast.unparse(found))
    for base in () if deleted else bases(file):
        yield from written(base, path)


@functools.cache
def statements(file: Path) -> tuple[ast.stmt, ...]:
    """The statements of a config file; none of one that isn't Python."""
    if file.suffix != ".py":  # mmengine reads JSON and YAML configs as well: they have no lines here
        return ()
    return tuple(ast.parse(file.read_text(encoding="utf-8")).body)


@functools.cache
def bases(file: Path) -> tuple[Path, ...]:
    """The files that `file` builds upon; in either of mmengine's styles (`_base_`, `with read_base()`)."""
    if file.suffix != ".py":
        return ()
    imports = [node for part in statements(file) if isinstance(part, ast.With) for node in part.body]
    if imports:
        return tuple(filter(None, (_module(file, node) for node in imports if isinstance(node, ast.ImportFrom))))
    # A config that was loaded has bases that can be found, and has warned already: its lines are no reason to fail.
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(Path(Config._get_cfg_path(base, str(file))[0]) for base in Config._get_base_files(str(file)))
    return ()


def _module(file: Path, statement: ast.ImportFrom) -> Path | None:
    parts = (statement.module or "").split(".")
    if statement.level:
        folder = file.parents[statement.level - 1]
        found = folder.joinpath(*parts).with_suffix(".py")
        return found if found.is_file() else None
    spec = importlib.util.find_spec(statement.module or "")
    return Path(spec.origin) if spec and spec.origin else None


def _in_file(file: Path, path: TreePath) -> tuple[ast.expr | None, bool]:
    """The expression of this one file that gives the value, and whether it hides what the bases say."""
    for target, value in reversed(list(_assignments(file))):
        if path[: len(target)] == target:
            found, deleted = _within(file, value, path[len(target) :])
            if found is not None or deleted:
                return found, deleted
    return None, False


def _assignments(file: Path) -> Iterator[tuple[TreePath, ast.expr]]:
    """`model = …`, `model['neck'] = …`, `model.neck = …` and `model.update(…)`, as (path, expression)."""
    for statement in statements(file):
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                if path := _target(target):
                    yield path, statement.value
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            call = statement.value
            if (
                isinstance(call.func, ast.Attribute)
                and call.func.attr == "update"
                and (path := _target(call.func.value))
            ):
                yield path, call.args[0] if call.args else ast.Call(ast.Name("dict"), [], call.keywords)


def _target(node: ast.expr) -> TreePath:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute) and (above := _target(node.value)):
        return (*above, node.attr)
    if isinstance(node, ast.Subscript) and (above := _target(node.value)):
        with contextlib.suppress(ValueError):
            return (*above, ast.literal_eval(node.slice))
    return ()


def _within(file: Path, node: ast.expr, path: TreePath) -> tuple[ast.expr | None, bool]:
    """The part of an expression at `path`; (None, …) if this expression leaves it to the bases."""
    node = _followed(file, node)
    if not path:
        # A section that is written here is given here as far as its keys are; a leaf is given whole.
        return node, False
    entries = _entries(node)
    if entries is None:
        items = node.elts if isinstance(node, ast.List | ast.Tuple) else []
        inside = isinstance(path[0], int) and path[0] < len(items)
        return _within(file, items[int(path[0])], path[1:]) if inside else (node, False)
    if path[0] in entries:
        found, deleted = _within(file, entries[path[0]], path[1:])
    else:
        found, deleted = entries.get(None), False
    return found, deleted or DELETE in entries


def _followed(file: Path, node: ast.expr) -> ast.expr:
    """What a name stands for, where an earlier statement of the same file gives it."""
    if isinstance(node, ast.Name):
        for target, value in _assignments(file):
            if target == (node.id,) and value is not node:
                return _followed(file, value)
    return node


def _entries(node: ast.expr) -> dict[object, ast.expr] | None:
    """The entries of `dict(…)` or `{…}`; what is unpacked into it has the key None. None if it is something else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        return {keyword.arg: keyword.value for keyword in node.keywords}
    if isinstance(node, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        return dict(zip(keys, node.values, strict=True))
    return None
