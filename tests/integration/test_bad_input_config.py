"""Mistakes in configs and overrides: `train` and `check` say the same, and write nothing."""

from __future__ import annotations

import pytest

from tests.support.place import Mistake, Place, assert_refused, says, written

CONFIG = "retinanet/retinanet_r18_fpn_1x_coco.py"
BATCH = "  global_batch_size: 2\n"
MY_LOOP = """
from mmdet.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop

@LOOPS.register_module(force=True)
class MyLoop(EpochBasedTrainLoop):
    def run(self):
        print("mine")
        return super().run()
"""


def merged(text: str) -> dict:
    """A `merge_config` that holds `text`."""
    return {"prepare": written("more.py", text), "edit": (BATCH, f"{BATCH}  merge_config: more.py\n")}


CONFIGS: dict[str, Mistake] = {
    "no such config": says(
        "no such config file: 'retinanet/retinanet_r18_fpn_1x_coc.py'",
        "tiny.yaml:4:3 (hyperparameters.config_file)",
        f"did you mean `{CONFIG}`",
        edit=(CONFIG, "retinanet/retinanet_r18_fpn_1x_coc.py"),
    ),
    "a merge_config that fails": says(
        "ZeroDivisionError: division by zero: 'more.py'",
        "more.py:2, from tiny.yaml:6:3",
        **merged("a = 0\nb = 1 / a\n"),
    ),
    "an unknown key in the YAML": says(
        "`train_cfg.max_epoch` does not exist",
        "tiny.yaml:18:17 (hyperparameters.override_mmdet_config.train_cfg.max_epoch)",
        "did you mean `train_cfg.max_epochs`",
        edit=("max_epochs", "max_epoch"),
    ),
    "a derived value": says(
        "`train_dataloader.batch_size` follows from `hyperparameters.global_batch_size`",
        "remove the override",
        arguments=("train_dataloader.batch_size=8",),
    ),
    "an impossible argument of the model": says(
        "can't build the model",
        "assert num_outs >= ",
        "tiny.yaml:12:5 (hyperparameters.override_mmdet_config.model.neck)",
        "fpn.py:",
        arguments=("model.neck.num_outs=1",),
    ),
    "an impossible argument of the optimizer": says(
        "Invalid learning rate: -1",
        "override_mmdet_config.optim_wrapper.optimizer",
        arguments=("optim_wrapper.optimizer.lr=-1",),
    ),
    "an impossible argument of a schedule": says(
        "should between 0 and 1",
        "override_mmdet_config.param_scheduler.0",
        arguments=("param_scheduler.0.start_factor=3",),
    ),
    "an impossible argument of a transform": says(
        "probs must be float",
        "override_mmdet_config.train_dataloader.dataset.pipeline.3",
        arguments=("train_dataloader.dataset.pipeline.3.prob=7",),
    ),
    "an impossible argument of a hook": says(
        "momentum must be in range", "got 7", arguments=("custom_hooks=[{type: EMAHook, momentum: 7}]",)
    ),
    "an impossible argument of a dataloader": says(
        "num_workers option should be non-negative",
        "override_mmdet_config.train_dataloader)",
        arguments=("train_dataloader.num_workers=-1",),
    ),
    "a loop that nobody else can drive": says(
        "this train loop has a `run` of its own",
        "MyLoop",
        "a custom hook (custom_hooks)",
        prepare=written("my_loop.py", MY_LOOP),
        arguments=("custom_imports={imports: [my_loop]}", "train_cfg={_delete_: true, type: MyLoop, max_epochs: 2}"),
    ),
    "half a validation": says(
        "val_evaluator is missing", "val_dataloader=null val_cfg=null", arguments=("val_evaluator=null",)
    ),
    "mixed precision on a CPU": says(
        "mixed precision needs a GPU",
        "optim_wrapper.type=OptimWrapper",
        arguments=("optim_wrapper.type=AmpOptimWrapper",),
    ),
    "a metric that nobody reports": says(
        "no evaluator reports this metric: 'bbox_map'",
        "tiny.yaml:22:3 (searcher.metric)",
        "bbox_mAP_50",
        "did you mean `bbox_mAP`",
        edit=("bbox_mAP", "bbox_map"),
    ),
    "an unknown metric of an evaluator": says(
        "metric should be one of", "got bbx", arguments=("val_evaluator.metric=bbx",)
    ),
}


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize("name", CONFIGS)
def test_config(name: str, command: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    if "precision" in name:
        monkeypatch.setattr("model_def.compose.require.is_cuda_available", lambda: False)
    CONFIGS[name].make(place)
    assert_refused(place, command, "tiny.yaml", *CONFIGS[name].arguments, words=CONFIGS[name].says)


def test_a_batch_that_does_not_divide_over_the_slots_of_a_cluster(place: Place) -> None:
    words = ("can't be divided evenly over 2 slots: 3", "command line (global_batch_size=3)", "2 or 4")
    assert_refused(place, "check", "tiny.yaml", "global_batch_size=3", "resources.slots_per_trial=2", words=words)


def test_layers_that_do_not_fit_show_at_the_first_batch(place: Place) -> None:
    """Building such a model works, so that `check` can't see it."""
    words = ("can't be trained on its first batch", "to have 65 channels, but got 64", "conv.py:")
    assert_refused(place, "train", "tiny.yaml", "model.neck.in_channels=[8, 16, 32, 65]", words=words)
