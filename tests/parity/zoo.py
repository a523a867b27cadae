"""The leaf configs of the zoo that ships in the mmdet wheel, one of each family first."""

from __future__ import annotations

import functools
import os
import pathlib
import warnings
from collections import Counter
from typing import Any

import mmdet
from mmengine.config import Config

ROOT = pathlib.Path(mmdet.__file__).parent / ".mim" / "configs"


@functools.cache
def leaves() -> tuple[str, ...]:
    """Names such as `retinanet/retinanet_r50_fpn_1x_coco.py`, so that every family is seen early."""
    names = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))
    seen: Counter[str] = Counter()
    ranked = []
    for name in names:
        if "_base_" in name:
            continue
        family = os.path.dirname(name)
        ranked.append((seen[family], name))
        seen[family] += 1
    return tuple(name for _, name in sorted(ranked))


def load(name: str) -> dict[str, Any]:
    """The config as a plain dict; raises whatever its Python raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Config.fromfile(str(ROOT / name)).to_dict()
