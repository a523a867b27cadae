"""PyPI's torchvision is made for CUDA: a torch without it can't load its operators, and so not import it either.

None of the zoo's configs computes with these operators. It is enough that their names are known during the import.
"""

from __future__ import annotations

import importlib.util

import torch

SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
ASKED_FOR = ("nms", "qnms")


def import_torchvision() -> None:
    """Import torchvision, if it is installed."""
    if importlib.util.find_spec("torchvision") is None:
        return
    if torch.version.cuda is None:
        names = torch.library.Library("torchvision", "DEF")
        for name in ASKED_FOR:
            names.define(name + SIGNATURE)
    importlib.import_module("torchvision")
