"""The corpus of wrong inputs: small experiments with a mistake, and the message that each must give."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

import yaml

FOLDER = pathlib.Path(__file__).parents[1] / "data" / "wrong"
# Fixed text: the messages name its lines and columns.
EXPERIMENT = """\
name: tiny
searcher: {name: single, metric: bbox_mAP, smaller_is_better: false}
hyperparameters:
  config_file: retinanet/retinanet_r18_fpn_1x_coco.py
  global_batch_size: 2
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wrong:
    """One input.

    Attributes:
        says: the whole message; `…` stands for anything within a line.
        experiment: the YAML, changed by `edit`: old text to new text.
        add, override: lines behind it: at the end of `hyperparameters`, and below `override_mmdet_config`.
        merge, config: what `merge_config` and `config_file` hold, if they are files of the user's own.
        files: other files.
        run: `key=value` arguments.
    """

    says: str
    experiment: str = EXPERIMENT
    edit: Mapping[str, str] = dataclasses.field(default_factory=dict)
    add: str = ""
    override: str = ""
    merge: str | None = None
    config: str | None = None
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    run: Sequence[str] = ()

    def write(self, folder: pathlib.Path) -> None:
        """Write the experiment and its files."""
        own = {"tiny.yaml": self._text(), "more.py": self.merge, "mine.py": self.config}
        for name, text in {**own, **self.files}.items():
            if text is not None:
                (folder / name).write_text(text, encoding="utf-8")

    def _text(self) -> str:
        text = self.experiment
        for old, new in self.edit.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        if self.config is not None:
            text = text.replace("retinanet/retinanet_r18_fpn_1x_coco.py", "mine.py")
        merge = "" if self.merge is None else "  merge_config: more.py\n"
        overrides = f"  override_mmdet_config:\n{textwrap.indent(self.override, '    ')}" if self.override else ""
        return f"{text}{merge}{overrides}{self.add}"

    def is_said(self, message: str) -> bool:
        """Whether the message is the right one."""
        pattern = re.escape(self.says.strip()).replace("…", "[^\n]*")
        return re.fullmatch(pattern, message.strip()) is not None


def corpus() -> Iterator[tuple[str, Wrong]]:
    """Every input, with the name of its file and its own."""
    for path in sorted(FOLDER.glob("*.yaml")):
        for name, case in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            yield f"{path.stem}: {name}", Wrong(**case)
