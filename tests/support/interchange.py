"""Runs jobs of ours and of stock mmdet, each in a child process that begins as fresh as a new one, imports apart.

    python -m tests.support.interchange JOBS.json

A job is `["ours", arguments…]`, `["stock", config, work_dir, checkpoint or ""]` or `["test", config, weights, out]`.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
import traceback
from typing import Any

import mmcv.ops  # noqa: F401  # what every job needs is imported once
import mmdet.models  # noqa: F401
from mmdet.apis import inference_detector, init_detector
from mmengine.config import Config
from mmengine.runner import Runner

import model_def.train  # noqa: F401
from model_def import cli
from tests.support.stock import Recorder, unround


def stock(config_file: str, work_dir: str, checkpoint: str) -> None:
    """mmdet's tools/train.py, with a checkpoint of each epoch or of each 6 iterations; `checkpoint` is resumed from."""
    unround()
    config = Config.fromfile(config_file)
    by_epoch = config.train_cfg.get("type", "EpochBasedTrainLoop") == "EpochBasedTrainLoop"
    hook = {"type": "CheckpointHook", "interval": 1 if by_epoch else 6, "by_epoch": by_epoch}
    config.merge_from_dict({"work_dir": work_dir, "default_hooks.checkpoint": {"_delete_": True, **hook}})
    if checkpoint:
        config.resume, config.load_from = True, checkpoint
        os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # without it stock can't read its own checkpoints
    runner = Runner.from_cfg(config)
    runner.register_hook(Recorder(pathlib.Path(work_dir, "stock.jsonl")))
    runner.train()


def test(config_file: str, weights: str, out: str) -> None:
    """mmdet's tools/test.py, and its inference one image after another; writes both evaluations' metrics."""
    unround()
    config = Config.fromfile(config_file)
    config.work_dir, config.load_from = str(pathlib.Path(out).parent), weights
    runner = Runner.from_cfg(config)
    found = {"test": runner.test(), "inference": _inference(runner, config_file, weights)}
    pathlib.Path(out).write_text(json.dumps(found, default=float))


def _inference(runner: Runner, config_file: str, weights: str) -> dict[str, float]:
    model = init_detector(config_file, weights, device="cpu")
    dataset, evaluator = runner.test_loop.dataloader.dataset, runner.test_loop.evaluator
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        result = inference_detector(model, info["img_path"])
        result.set_metainfo({"img_id": info["img_id"]})
        evaluator.process(data_samples=[result], data_batch=None)
    return evaluator.evaluate(len(dataset))


def ours(*arguments: str) -> None:
    """Our command line."""
    code = cli.main(list(arguments))
    if code:
        sys.exit(code)


JOBS = {"ours": ours, "stock": stock, "test": test}


def main(jobs: list[list[Any]]) -> None:
    """One child after another."""
    for kind, *arguments in jobs:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                JOBS[kind](*arguments)
                code = 0
            except BaseException:  # noqa: BLE001  # whatever it is, the parent is told
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            sys.exit(f"{kind} {arguments} failed")


if __name__ == "__main__":
    main(json.loads(pathlib.Path(sys.argv[1]).read_text()))
