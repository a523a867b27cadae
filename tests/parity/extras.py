"""Components that a user's own context might register."""

from __future__ import annotations

from mmdet.models import RetinaNet
from mmdet.registry import MODELS
from mmengine.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class TwoOptimizers:
    """Gives the backbone and the rest of a model their own optimizers: `{backbone: …, rest: …}`."""

    def __init__(self, optim_wrapper_cfg, paramwise_cfg=None):
        self.configs = optim_wrapper_cfg

    def __call__(self, model):
        rest = nn.ModuleList(module for name, module in model.named_children() if name != "backbone")
        parts = {"backbone": model.backbone, "rest": rest}
        wrappers: dict[str, OptimWrapper] = {
            name: build_optim_wrapper(part, {"type": "OptimWrapper", "optimizer": dict(self.configs[name])})
            for name, part in parts.items()
        }
        return OptimWrapperDict(**wrappers)


@MODELS.register_module()
class RetinaNetOfTwoOptimizers(RetinaNet):
    """A RetinaNet whose two optimizers step one after the other, for the same loss."""

    def train_step(self, data, optim_wrapper):
        data = self.data_preprocessor(data, training=True)
        loss, logged = self.parse_losses(self(**data, mode="loss"))
        for wrapper in optim_wrapper.values():
            wrapper.zero_grad()
        loss.backward()
        for wrapper in optim_wrapper.values():
            wrapper.step()
        return logged
