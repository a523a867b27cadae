"""What the plan says of optimizers and learning rates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mmengine.runner import IterBasedTrainLoop

from model_def.compose.learning_rate import scale
from model_def.optim import optim_wrappers
from model_def.report.curve import curve
from model_def.report.rates import Length

if TYPE_CHECKING:
    from mmengine.runner import Runner


def optimizers(runner: Runner) -> str:
    """`SGD, lr 0.01 with LinearLR, MultiStepLR`, for each optimizer."""
    return "; ".join(_one_optimizer(wrapper, runner) for wrapper in optim_wrappers(runner.optim_wrapper).values())


def _one_optimizer(wrapper: Any, runner: Runner) -> str:
    own, factor = _rate(wrapper), _scale(runner)
    text = f"{type(wrapper.optimizer).__name__}, lr {own * factor:g}"
    if factor != 1:
        text += f" ({own:g} of the config × {factor:g} for the batch size)"
    schedulers = runner.param_schedulers if isinstance(runner.param_schedulers, list) else []
    if names := [type(scheduler).__name__ for scheduler in schedulers]:
        text += f" with {', '.join(dict.fromkeys(names))}"
    if clip := wrapper.clip_grad_kwargs:
        text += f", gradients clipped at {next(iter(clip.values()))}"
    return text + (", mixed precision" if "Amp" in type(wrapper).__name__ else "")


def _rate(wrapper: Any) -> float:
    """The optimizer's rate; some parameters may have a part of it (`paramwise_cfg`)."""
    return float(wrapper.optimizer.defaults["lr"])


def _scale(runner: Runner) -> float:
    return scale(runner.cfg, runner.world_size * batch_size(runner))


def schedules(runner: Runner) -> Iterator[str]:
    """A drawing of the learning rate and its numbers, for each optimizer that has a schedule."""
    loop, found = runner.train_loop, runner.cfg.get("param_scheduler")
    length = Length(total=loop.max_iters, batches=len(runner.train_dataloader), epochs=epochs(runner))
    for name, wrapper in optim_wrappers(runner.optim_wrapper).items():
        own = found.get(name) if isinstance(found, Mapping) and "type" not in found else found
        if own and (drawn := curve(own, _rate(wrapper) * _scale(runner), length)):
            yield f"{drawn.bars()}\n{drawn.text()}"


def batch_size(runner: Runner) -> int:
    """Images in a batch of this process."""
    loader = runner.train_dataloader
    return int(getattr(loader, "batch_size", None) or loader.batch_sampler.batch_size)


def epochs(runner: Runner) -> int | None:
    """How many epochs the loop runs; None for a loop that counts iterations."""
    return None if isinstance(runner.train_loop, IterBasedTrainLoop) else int(runner.train_loop.max_epochs)
