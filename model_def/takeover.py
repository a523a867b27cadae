"""Goes on from a checkpoint that stock mmengine has written, as mmengine's own resume would."""

from __future__ import annotations

import pathlib

from model_def.errors import WeightsError
from model_def.loop import Pump
from model_def.runner import ParkedRunner
from model_def.state.runner_state import restore
from model_def.weights.stock import StockCheckpoint, read_stock


def take_over(runner: ParkedRunner, pump: Pump, path: pathlib.Path) -> int:
    """Put a stock checkpoint into a parked runner; returns the iterations that it has trained.

    Raises:
        WeightsError: it is no such checkpoint, or one of another model, optimizer, schedule or batch size.
    """
    checkpoint = read_stock(path)
    _check_same_length(checkpoint, pump)
    if checkpoint.seed not in (None, runner._randomness_cfg.get("seed")):
        # mmengine draws the rest of the run from the old seed.
        runner._randomness_cfg.update(seed=checkpoint.seed)
        runner.set_randomness(**runner._randomness_cfg)
    restore(runner, checkpoint.content)
    return checkpoint.iterations


def _check_same_length(checkpoint: StockCheckpoint, pump: Pump) -> None:
    """Epochs of another length would put the schedules and the data at different places."""
    epoch, done = checkpoint.epoch, checkpoint.iterations
    if pump.by_epoch and not epoch * len(pump) <= done <= (epoch + 1) * len(pump):
        raise WeightsError(
            what="the checkpoint was trained with epochs of another length",
            value=f"{done} batches in {epoch} epochs",
            where=str(checkpoint.path),
            allowed=f"epochs of {len(pump)} batches, as in this experiment",
            next="set global_batch_size to that run's batch size times its number of processes, and take its data",
        )


def notes(path: pathlib.Path, *, seed: int) -> tuple[str, ...]:
    """What to tell the user before a run goes on from the stock checkpoint at `path`.

    Args:
        seed: the experiment's.

    Raises:
        WeightsError: it is no such checkpoint.
    """
    checkpoint = read_stock(path, mmap=True)
    found = [
        f"goes on from mmengine's {path.name}: epoch {checkpoint.epoch}, batch {checkpoint.iterations}; the file holds "
        "no random numbers' state, so augmentations go on as mmengine's own resume does, not as the stopped run would "
        "have; what holds for one process alone (BatchNorm's statistics) is the first one's"
    ]
    if checkpoint.seed not in (None, seed):
        found.append(f"random numbers start from the checkpoint's seed {checkpoint.seed}, as in mmengine")
    return tuple(found)
