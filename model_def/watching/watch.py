"""What TensorBoard and the web UI show of each validation beside its metrics."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from determined import pytorch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter

from model_def.evaluate.counted import Counted
from model_def.evaluate.names import name_prefixes
from model_def.experiment_types import Experiment
from model_def.watching.figures import confusion, precision_recall
from model_def.watching.scenes import Scene, scenes
from model_def.watching.trace import check_traced

GROUP = "per_class_AP"


class WatchHook(Hook):
    """Reports the AP of each class; draws curves, a confusion matrix, and a few images with their predictions.

    It takes what the validation has computed anyway: nothing is predicted or evaluated twice, and no random number is
    drawn.
    """

    priority = "LOWEST"

    def __init__(self, context: pytorch.PyTorchTrialContext, experiment: Experiment) -> None:
        self._context = context
        self._experiment = experiment
        self._scenes: dict[str, Scene] = {}
        self._drawn: dict[str, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Choose the images.

        Raises:
            ExperimentError: it asks for images or batches that are not there.
        """
        self._scenes = watched(runner, self._experiment)
        if self._context.distributed.rank == 0:
            self._show_once(runner.iter)

    def before_val_epoch(self, runner: Runner) -> None:
        """Forget the last validation's pictures."""
        self._drawn = {}

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] | None = None
    ) -> None:
        """Draw the images that are among these."""
        for sample in outputs or ():
            scene = self._scenes.get(getattr(sample, "img_path", ""))
            if scene is None or scene.name in self._drawn or "pred_instances" not in sample:
                continue
            try:
                picture = scene.draw(runner.val_loop.dataloader.dataset, sample.pred_instances)
                self._drawn[scene.name] = encoded(picture, "JPEG")
            except Exception as error:  # noqa: BLE001  # a picture must not end a training
                del self._scenes[sample.img_path]
                print(f"{scene.name} is not drawn: {type(error).__name__}: {error}")

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """The first process reports for all."""
        counted = taken(runner.val_loop)
        parts = self._context.distributed.gather(self._drawn)
        if parts is None:
            return
        self._report(counted, runner.iter)
        pictures = {f"validation/{name}": picture for part in parts for name, picture in sorted(part.items())}
        if self._experiment.hyperparameters.pictures:
            pictures |= dict(_figures(counted))
        for tag, picture in pictures.items():
            summary = Summary(value=[Summary.Value(tag=tag, image=picture)])
            self._context.get_tensorboard_writer()._get_file_writer().add_summary(summary, runner.iter)

    def _show_once(self, trained: int) -> None:
        """Have TensorBoard hide what the run has written behind the checkpoint that it goes on from."""
        folder = self._context.get_tensorboard_path()
        self._context._tbd_writer = SummaryWriter(str(folder), purge_step=trained + 1 if trained else 0)

    def _report(self, counted: Mapping[str, Counted], step: int) -> None:
        average = {f"{name}_{each}": ap for name, one in counted.items() for each, ap in one.average().items()}
        if average:
            self._context._core.train.report_metrics(GROUP, step, average)
        for name, ap in average.items():
            self._context.get_tensorboard_writer().add_scalar(f"{GROUP}/{name}", ap, step)


def watched(runner: Runner, experiment: Experiment) -> dict[str, Scene]:
    """The images that are drawn of a parked Runner's validations.

    Raises:
        ExperimentError: the experiment asks for images, or for batches to trace, that are not there.
    """
    check_traced(experiment, runner.max_iters)
    return scenes(runner.val_loop and runner.val_loop.dataloader.dataset, experiment)


def taken(loop: Any) -> dict[str, Counted]:
    """What the evaluators have counted since they were asked last, as `bbox`, `segm`, `teacher/bbox`."""
    prefixes, found = name_prefixes(loop), []
    for metric in loop.evaluator.metrics:
        own, metric.counted = getattr(metric, "counted", []), []
        for place, one in enumerate(own):
            found.append((prefixes[place * len(prefixes) // len(own)], metric.prefix, one))
    unique = len({(prefix, one.kind) for prefix, _, one in found}) == len(found)
    return {f"{prefix}{one.kind}" if unique else f"{prefix}{name}/{one.kind}": one for prefix, name, one in found}


def _figures(counted: Mapping[str, Counted]) -> Iterator[tuple[str, Any]]:
    for name, one in counted.items():
        yield f"precision_recall/{name}", encoded(precision_recall(one, name), "PNG")
        if one.pairs is not None:
            yield f"confusion/{name}", encoded(confusion(one, name), "PNG")


def encoded(picture: Image.Image, form: str) -> Any:
    """A picture as TensorBoard keeps it; it can be sent to another process."""
    stream = io.BytesIO()
    picture.save(stream, form, quality=90)
    size = {"width": picture.width, "height": picture.height}
    return Summary.Image(**size, colorspace=3, encoded_image_string=stream.getvalue())
