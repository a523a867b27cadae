"""`max_broken_images`: training leaves out files that are no images, up to a number."""

from __future__ import annotations

import importlib
from typing import Any

from model_def.compose.tree import rebuilt, type_name
from model_def.errors import ConfigError
from model_def.experiment_types import Experiment

MODULE = "model_def.loading.skipping"  # where the transform is registered

Node = dict[str, Any]


def with_skipping(config: Node, experiment: Experiment) -> Node:
    """`config` whose training images are loaded by `LoadImageOrSkip`, or unchanged if none may be broken.

    Validation leaves nothing out: its metrics would be of other data.

    Raises:
        ConfigError: the training data is loaded in another way.
    """
    most = experiment.hyperparameters.max_broken_images
    if not most:
        return config

    importlib.import_module(MODULE)

    def change(node: Node) -> Node:
        loads = type_name(node) == "LoadImageFromFile" and node["type"] != "mmpretrain.LoadImageFromFile"
        return {**node, "type": "LoadImageOrSkip", "max_broken": most} if loads else node

    loader = rebuilt(config["train_dataloader"], change)
    if loader == config["train_dataloader"]:
        raise ConfigError(
            what="`max_broken_images` has no effect: the training pipeline has no LoadImageFromFile",
            value=most,
            where=experiment.where("hyperparameters", "max_broken_images"),
            next="take it out",
        )
    given = config.get("custom_imports") or {}
    modules = given.get("imports") or []
    imports = {**given, "imports": [*([modules] if isinstance(modules, str) else modules), MODULE]}
    return {**config, "train_dataloader": loader, "custom_imports": {"allow_failed_imports": False, **imports}}
