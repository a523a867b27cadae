"""`config.py` read back: its values alone, none of its code."""

from __future__ import annotations

import ast
from typing import Any

from mmengine.config import Config


def read_values(text: str) -> Config:
    """The config that a text of `name = value` lines holds, as `write_config` and mmengine write it.

    Raises:
        SyntaxError: it is no Python.
        ValueError: it is more than values, so that reading it would run code.
    """
    return Config(dict(_assigned(statement) for statement in ast.parse(text).body))


def _assigned(statement: ast.stmt) -> tuple[str, Any]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, _value(value)
    raise ValueError(f"line {statement.lineno} is no `name = value`")


def _value(node: ast.expr) -> Any:
    """Literals, `dict(key=value)` and `dict({key: value})`."""
    match node:
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords) if all(each.arg for each in keywords):
            return {each.arg: _value(each.value) for each in keywords}
        case ast.Call(func=ast.Name(id="dict"), args=[ast.Dict() as inner], keywords=[]):
            return _value(inner)
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {ast.literal_eval(key): _value(value) for key, value in zip(keys, values, strict=True) if key}
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise ValueError(f"line {node.lineno} is no plain value") from error
