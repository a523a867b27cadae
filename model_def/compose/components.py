"""What the registries know: which components a `type` names, and which arguments each accepts."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import textwrap
import typing
from collections.abc import Callable, Iterator
from typing import Any

import mmengine.registry
import torch.nn as nn
from mmengine.registry import Registry

from model_def.fields import nearest
from model_def.garbage import uncollected

# Keys that whoever builds a component takes out of its config before the constructor sees it.
BUILDER_KEYS = ("type", "_scope_", "_delete_", "priority", "convert_to_iter_based", "constructor", "paramwise_cfg")
LAYER_KEYS = (
    *("requires_grad", "layer", "override", "deform_groups", "deformable_groups", "fallback_on_stride"),
    *("scale_factor", "bg_cls_weight"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Argument:
    """One argument of a constructor. `annotation` and `default` are `inspect.Parameter.empty` where there is none."""

    name: str
    annotation: Any
    default: Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Component:
    """What may be written in the config of one `type`.

    Attributes:
        arguments: by name, through `**kwargs` of the base classes.
        open: whether it takes any argument at all.
    """

    arguments: dict[str, Argument]
    open: bool = False

    def accepts(self, name: str) -> bool:
        """Whether `name` may be written beside the `type`."""
        return self.open or name in self.arguments or name in BUILDER_KEYS or name in LAYER_KEYS


def component(type_name: Any) -> Component | None:
    """The component of that name; None if no registry has it. A class itself may stand for its name."""
    found = _registered(type_name) if isinstance(type_name, str) else (type_name,) if callable(type_name) else ()
    parts = [_component(target) for target in found]
    if not parts:
        return None
    # A name may be in several registries (mmcv's and mmdet's Resize); mmdet's comes first.
    arguments = {name: argument for part in reversed(parts) for name, argument in part.arguments.items()}
    return Component(arguments=arguments, open=any(part.open for part in parts))


def classes_of(type_name: Any) -> tuple[type, ...]:
    """The registered classes of that name, mmdet's first."""
    found = _registered(type_name) if isinstance(type_name, str) else (type_name,)
    return tuple(target for target in found if inspect.isclass(target))


def with_names(known: Component | None, names: list[str]) -> Component:
    """`known` (or nothing) with more names that it accepts."""
    empty = inspect.Parameter.empty
    more = {name: Argument(name=name, annotation=empty, default=empty) for name in names}
    return Component(arguments={**more, **(known.arguments if known else {})}, open=bool(known and known.open))


def nearest_types(type_name: str) -> list[str]:
    """Registered names that look like `type_name`."""
    return nearest(type_name, sorted({name for registry in _registries() for name in registry.module_dict}))


def is_foreign(type_name: str) -> bool:
    """Whether the name belongs to an OpenMMLab package that isn't looked at here (`mmpretrain.ConvNeXt`)."""
    scope, dot, _ = type_name.partition(".")
    return bool(dot) and scope not in ("mmdet", "mmengine", "mmcv")


def _registered(name: str) -> tuple[Callable[..., Any], ...]:
    last = name.rsplit(".", 1)[-1]
    return tuple(
        dict.fromkeys(registry.module_dict[last] for registry in _registries() if last in registry.module_dict)
    )


@functools.cache
def _registries() -> tuple[Registry, ...]:
    """mmdet's registries, then mmcv's, then mmengine's, with all of their modules imported."""
    with uncollected(modules=True):
        from mmdet.utils import register_all_modules  # heavy: seconds

        register_all_modules(init_default_scope=False)
    roots = [value for value in vars(mmengine.registry).values() if isinstance(value, Registry)]
    scopes = {"mmdet": 0, "mmcv": 1}
    return tuple(sorted((r for root in roots for r in _family(root)), key=lambda r: scopes.get(r.scope, 2)))


def _family(registry: Registry) -> Iterator[Registry]:
    yield registry
    for child in registry.children.values():
        yield from _family(child)


@functools.cache
def _component(target: Callable[..., Any]) -> Component:
    arguments: dict[str, Argument] = {}
    for function in _constructors(target):
        parameters = inspect.signature(function).parameters.values()
        hints = _hints(function)
        for p in parameters:
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != "self":
                found = Argument(name=p.name, annotation=hints.get(p.name, p.annotation), default=p.default)
                arguments.setdefault(p.name, found)
        rest = next((p.name for p in parameters if p.kind == p.VAR_KEYWORD), None)
        if rest is None and not _many_bases(target):
            return Component(arguments=arguments)
        if rest is not None and not _only_for_super(function, rest):
            return Component(arguments=arguments, open=True)
    return Component(arguments=arguments, open=not _many_bases(target))


def _many_bases(target: Callable[..., Any]) -> bool:
    """Whether a constructor may skip a base, so that the next one without `**kwargs` isn't the last."""
    return inspect.isclass(target) and any(len(base.__bases__) > 1 for base in target.__mro__)


def _only_for_super(function: Callable[..., Any], rest: str) -> bool:
    """Whether `**rest` goes to a base class's constructor and nowhere else: then that signature decides."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return False
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == rest]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_init(node.func)]
    to_super = [k.value for call in calls for k in call.keywords if k.arg is None and isinstance(k.value, ast.Name)]
    return bool(uses) and all(use in to_super for use in uses)


def _is_init(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and function.attr == "__init__"


def _constructors(target: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    if not inspect.isclass(target):
        yield target
        return
    for base in target.__mro__:
        if base not in (object, nn.Module) and "__init__" in vars(base):
            yield vars(base)["__init__"]


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):  # a name that only exists for type checkers
        return {}
