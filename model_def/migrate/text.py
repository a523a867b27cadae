"""Changes in the text of a YAML file that leave every other line as it is, comments too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from model_def.yaml_source import Loader


class Text:
    """The text of a mapping of mappings. Lines are counted from 0; a block is a key with its value."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self._edits: list[tuple[int, int, list[str]]] = []
        self._parse()
        self._open()

    def value(self, *path: str) -> Any:
        """What stands there; None where nothing does."""
        node: Any = yaml.load("\n".join(self.lines), Loader=Loader)
        for part in path:
            node = node.get(part) if isinstance(node, Mapping) else None
        return node

    def has(self, *path: str) -> bool:
        """Whether the very key is written (not by an anchor's `<<`)."""
        return path in self._nodes

    def children(self, *path: str) -> list[str]:
        """The keys that are written below `path`, in order."""
        return [known[-1] for known in self._nodes if known[:-1] == path]

    def block(self, *path: str) -> tuple[int, int]:
        """The first line of a key with its value, and the line after the last; comments that follow don't count."""
        key, value = self._nodes[path]
        last = value.end_mark.line
        if isinstance(value, yaml.CollectionNode) and not value.flow_style:
            last -= 1
            while last > key.start_mark.line and _is_comment(self.lines[last] if last < len(self.lines) else ""):
                last -= 1
        return key.start_mark.line, max(last, key.start_mark.line) + 1

    def column(self, *path: str) -> int:
        """The indentation of a key."""
        return int(self._nodes[path][0].start_mark.column)

    def replace(self, path: Sequence[str], new: Sequence[str]) -> None:
        """Put lines (indented like the key) in the place of a block."""
        indent = " " * self.column(*path)
        self._edits.append((*self.block(*path), [f"{indent}{line}" for line in new]))

    def below(self, path: Sequence[str], new: Sequence[str]) -> None:
        """Add lines after the last key below `path`, or make the key with them if it holds nothing."""
        children = self.children(*path)
        if children:
            end, column = self.block(*path, children[-1])[1], self.column(*path, children[-1])
            self._edits.append((end, end, [f"{' ' * column}{line}" for line in new]))
        elif self.has(*path):
            self.replace(path, [f"{path[-1]}:", *(f"  {line}" for line in new)])
        else:
            self.below(path[:-1], [f"{path[-1]}:", *(f"  {line}" for line in new)])

    def text(self) -> str:
        """The text with all changes, which must not overlap."""
        lines = list(self.lines)
        for start, end, new in sorted(self._edits, key=lambda edit: edit[:2], reverse=True):
            lines[start:end] = new
        return "\n".join(lines) + "\n"

    def original(self, *path: str) -> list[str]:
        """The lines of a block, without their common indentation."""
        start, end = self.block(*path)
        return [line[self.column(*path) :] if line.strip() else "" for line in self.lines[start:end]]

    def _parse(self) -> None:
        self._nodes: dict[tuple[str, ...], tuple[yaml.Node, yaml.Node]] = {}
        self._root = yaml.compose("\n".join(self.lines) + "\n", Loader=Loader)
        self._walk(self._root, ())

    def _walk(self, node: yaml.Node | None, path: tuple[str, ...]) -> None:
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            self._nodes[(*path, str(key.value))] = (key, value)
            if not path or path[0] != "hyperparameters" or len(path) == 1:
                self._walk(value, (*path, str(key.value)))

    def _open(self) -> None:
        """Write `{flow: mappings}` at the top over several lines: their keys can't be changed one by one."""
        if isinstance(self._root, yaml.MappingNode) and self._root.flow_style:
            self.lines = [line for key, value in self.value().items() for line in dump(key, value, depth=2)]
            self._parse()
        for path, (_, value) in list(self._nodes.items()):
            if len(path) < 3 and isinstance(value, yaml.MappingNode) and value.flow_style and value.value:
                start, end = self.block(*path)
                indent = " " * self.column(*path)
                new = dump(path[-1], self.value(*path), depth=3 - len(path))
                self.lines[start:end] = [f"{indent}{line}" for line in new]
                self._parse()
                return self._open()
        return None


def dump(key: str, value: Any, *, depth: int = 0) -> list[str]:
    """Lines of YAML; mappings below `depth` are written in one line, lists of mappings in one line each."""
    if depth and isinstance(value, dict) and value:
        below = [line for name, item in value.items() for line in dump(name, item, depth=depth - 1)]
        return [f"{key}:", *(f"  {line}" for line in below)]
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return [f"{key}:", *(f"  - {_in_line(item)}" for item in value)]
    return [f"{key}: {_in_line(value)}"]


def _in_line(value: Any) -> str:
    text = yaml.safe_dump(_plain(value), sort_keys=False, width=10**6, default_flow_style=True, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def comment(text: str) -> str:
    """One line as a comment."""
    return f"# {text}"


def _plain(value: Any) -> Any:
    """Without shared parts, for which YAML would write anchors."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _is_comment(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")
