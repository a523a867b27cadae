"""The command line: `train`, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shlex
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model_def import commands, data_commands
from model_def.arguments import HELP, PROGRAM, launcher, parse
from model_def.errors import MMDetTrialError, Stopped, is_disk_full
from model_def.garbage import uncollected
from model_def.lasting import own_line

if TYPE_CHECKING:
    from model_def.compose import Composed
    from model_def.experiment_types import Experiment


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without our signs must not end the training
    try:
        arguments = parse(sys.argv[1:] if argv is None else argv)
        arguments.own_process = argv is None
        code = _COMMANDS[arguments.command](arguments)
        sys.stdout.flush()
        return code
    except MMDetTrialError as error:
        if error.speaker is False:
            time.sleep(1)  # torchrun ends the speaker as soon as this process has ended
        else:
            _say(str(error), agreed=bool(error.speaker))
        return error.exit_code
    except KeyboardInterrupt:
        _say("stopped before there was anything to save")
        return 130
    except BrokenPipeError:  # the reader has gone, `… | head` for example
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001  # the outermost place
        if is_disk_full(error):
            _say(f"the disk is full: {error.filename or error}\n  next:    free some room, then start again")
            return 2
        from model_def.environment import unfit_torchvision

        if mismatch := unfit_torchvision(error):
            _say(mismatch)
            return 2
        defect = f"this is a defect: please report the lines above, with the output of `{PROGRAM} env`"
        own = own_line(error)
        _say(traceback.format_exc() + (f"the last line of your own code before that is {own}" if own else defect))
        return 1


def _say(message: str, *, agreed: bool = False) -> None:
    from model_def.report.console import say

    say(message, agreed=agreed)


def _help(_: argparse.Namespace) -> int:
    print(HELP)
    return 0


def _train(arguments: argparse.Namespace) -> int:
    from model_def.claim import claimed
    from model_def.mistakes import loaded
    from model_def.output import find_resume, new_output
    from model_def.report.console import rank

    resume = _resume_path(arguments)
    experiment = loaded(arguments.experiment, arguments.assignments)
    found = None if resume is None else find_resume(Path(resume) if resume else None, name=experiment.name)
    earlier = found.output if found else None
    chosen = arguments.output or earlier or new_output(experiment.name)
    goes_on = earlier is not None and chosen.resolve() == earlier.resolve()
    # Only the first rank's choice counts: clocks differ.
    with claimed(chosen, resume=goes_on) if rank() == 0 else contextlib.nullcontext(chosen) as output:
        _run(experiment, arguments, output=output, checkpoint=found.checkpoint if found else None)
    return 0


def _search(arguments: argparse.Namespace) -> int:
    from model_def.searching.command import search

    resume = _resume_path(arguments)
    search(arguments.experiment, arguments.assignments, output=arguments.output, resume=resume)
    return 0


def _run(experiment: Experiment, arguments: argparse.Namespace, *, output: Path, checkpoint: Path | None) -> None:
    with uncollected(modules=True):
        from model_def.report.console import make_console
        from model_def.report.progress import ProgressHook
        from model_def.report.quiet import quiet
        from model_def.report.summary import summarize
        from model_def.train import train

    console = make_console()
    shown = ["--master", arguments.master] if arguments.master else []
    command = shlex.join([*_launcher(), "train", str(arguments.experiment), *arguments.assignments, *shown])
    started, cleanup = time.monotonic(), contextlib.ExitStack()

    def hooks(composed: Composed, output: Path) -> list[ProgressHook]:
        progress = ProgressHook(experiment=experiment, output=output, notes=composed.notes, console=console)
        cleanup.callback(progress.close)
        return [progress]

    try:
        with quiet(console), cleanup:
            outcome = train(experiment, output=output, resume=checkpoint, hooks=hooks, master=arguments.master)
            seconds = time.monotonic() - started
            picture = _picture(outcome.output) if outcome.chief and outcome.best else None
    except Stopped as stop:
        message = f"stopped, and all is saved; go on with:\n  {command} --resume {shlex.quote(str(stop))}"
        if not Path(str(stop), "checkpoints", "latest").exists():  # in the validation before the first batch
            message = f"stopped before the first batch; start again with:\n  {command}"
        raise Stopped(message, signal_number=stop.exit_code - 128) from None
    summarize(outcome, seconds=seconds, train_command=command, picture=picture, console=console)


def _launcher() -> list[str]:
    """How this process was started, for commands that the user may repeat."""
    return launcher(int(os.environ["LOCAL_WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else None)


def _resume_path(arguments: argparse.Namespace) -> str | None:
    """PATH of `--resume [PATH]`: None without the option, empty without a path. `--resume key=value` has no path."""
    path: str | None = arguments.resume
    if path and "=" in path and not Path(path).exists():
        arguments.assignments.append(path)
        return ""
    return path


def _picture(output: Path) -> Path | None:
    """The truth beside the predictions. Training was a success even if it can't be drawn."""
    from model_def.pictures import draw_predictions

    try:
        weights = output / "checkpoints" / "best" / "model.pth"
        return draw_predictions(output / "config.py", weights, output / "pictures" / "predictions.png")
    except Exception as error:  # noqa: BLE001  # whatever it is, the checkpoints are there
        _say(f"no picture was drawn: {error}")
        return None


_COMMANDS = {
    None: _help,
    "train": _train,
    "search": _search,
    "check": commands.check,
    "explain": commands.explain,
    "migrate": commands.migrate,
    "ls": commands.ls,
    "cp": commands.cp,
    "data": commands.data,
    "data coco": data_commands.coco,
    "data put": data_commands.put,
    "data check": data_commands.check,
    "data cache": data_commands.cache,
    "predict": commands.predict,
    "env": commands.env,
}
