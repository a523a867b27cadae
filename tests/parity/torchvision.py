"""PyPI's torchvision is made for CUDA: a torch without it can't load its operators, and so not import it either.

It is enough that the names of two are known during the import: nothing in the zoo computes with these. CrowdDet's
RoIAlign then is the one that torchvision has in Python.
"""

from __future__ import annotations

import importlib
import importlib.util

SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
ASKED_FOR = ("nms", "qnms")


def import_torchvision() -> None:
    """Import torchvision, if it is installed."""
    if importlib.util.find_spec("torchvision") is None:
        return
    import torch  # here: tests of other things import this package too

    if torch.version.cuda is None:
        names = torch.library.Library("torchvision", "DEF")
        for name in ASKED_FOR:
            names.define(name + SIGNATURE)
    importlib.import_module("torchvision")
