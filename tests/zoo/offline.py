"""A config that downloads nothing, and whose model is the same otherwise."""

from __future__ import annotations

import importlib.util
import pathlib
from typing import Any

from mmengine.config import Config

from model_def.compose.tree import dotted, walk
from tests.parity.language import ZOO as BERT
from tests.parity.language import local_language


def offline(config: Config, folder: pathlib.Path) -> Config:
    """A copy of a config with a small language model, kept in `folder`, for the one that mmdet would download."""
    if importlib.util.find_spec("transformers") is None:  # then no language model is built at all
        return config
    return Config(local_language(config.to_dict(), folder))


def assignments(model: dict[str, Any], folder: pathlib.Path) -> list[str]:
    """The same for `check`, which composes by itself: `key=value` for each place in the model."""
    if importlib.util.find_spec("transformers") is None:
        return []
    local_language(BERT, folder)
    return [f"{dotted(('model', *path))}={folder}" for path, value in walk(model) if value == BERT]
