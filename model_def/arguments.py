"""The command line's grammar. Nothing is imported here that takes time: help must come at once."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from model_def import data_arguments

PROGRAM = "python -m model_def"

HELP = f"""\
Trains MMDetection models from one experiment YAML: here as on a Determined cluster.

usage: {PROGRAM} COMMAND …

  train EXPERIMENT.yaml [key=value …] [--output DIR] [--resume [PATH]]   train a detector
  search EXPERIMENT.yaml [key=value …] [--output DIR] [--resume [PATH]]  run its search: many trials, the best wins
  check EXPERIMENT.yaml [key=value …] [--run]                            try everything but the training
  explain EXPERIMENT.yaml [KEY …] [key=value …] [--diff OTHER] [--json]  each value, and where it comes from
  migrate OLD.yaml > NEW.yaml                                            from mmdet 2.x and the old adapter
  ls [WORD …] [--json]                                                   experiments, and the zoo's configs
  cp NAME DEST                                                           start an experiment from one, or from a config
  data quickstart|digits [--root DIR]                                    build a small real data set
  data coco --year 2017 --to DIR|s3://…|gs://… [--split …]               download COCO, and unpack it on the way
  data put DIR s3://…|gs://…                                             upload a data set
  data check|cache EXPERIMENT.yaml [key=value …]                         is all of it there; fill the disk cache
  predict EXPERIMENT_OR_OUTPUT IMAGE … [--threshold 0.3] [--to DIR]      find objects in images
  env                                                                    versions and devices

examples:
  {PROGRAM} data quickstart
  {PROGRAM} train experiments/quickstart.yaml
  {PROGRAM} train experiments/quickstart.yaml optim_wrapper.optimizer.lr=1e-3 train_cfg.max_epochs=5
  {PROGRAM} train experiments/quickstart.yaml --resume
  {PROGRAM} predict experiments/quickstart.yaml photo.jpg
  {PROGRAM} explain experiments/quickstart.yaml model.backbone optim_wrapper
  {PROGRAM} ls rtmdet tiny
  {PROGRAM} cp rtmdet_tiny_8xb32-300e_coco mine.yaml
  torchrun --nproc-per-node 2 -m model_def train experiments/quickstart.yaml

A key whose first part is a field of the experiment YAML (searcher.metric=…) changes that field.
Any other key changes the MMDetection config. {PROGRAM} COMMAND --help tells more.
Exit codes: 0 done, 1 failed, 2 a mistake in what was given, 130 or 143 stopped (and saved, if training had begun)."""


class _Parser(argparse.ArgumentParser):
    """argparse, with a suggestion for an option that does not exist."""

    def error(self, message: str) -> NoReturn:
        """Print the usage, the mistake and the nearest options; exit with 2."""
        hint = _did_you_mean(message, [option for action in self._actions for option in action.option_strings])
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: error: {message}{hint}\n")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments as a namespace with `command`, which is None when nothing but help is wanted.

    Raises:
        SystemExit: with 2 for a mistake, whose message is printed; with 0 after a command's help.
    """
    if not argv or argv[0] in ("-h", "--help", "help"):
        return argparse.Namespace(command=None)
    words = 2 if " ".join(argv[:2]) in _COMMANDS else 1
    command = " ".join(argv[:words])
    if command not in _COMMANDS:
        commands = [name for name in _COMMANDS if " " not in name]
        nearest = _nearest(command, commands)
        hint = f" (did you mean {nearest}?)" if nearest else f" (there are {', '.join(commands)})"
        print(f"usage: {PROGRAM} COMMAND …\n{PROGRAM}: error: there is no command {command!r}{hint}", file=sys.stderr)
        raise SystemExit(2)
    description, add_arguments = _COMMANDS[command]
    parser = _Parser(prog=f"{PROGRAM} {command}", description=description, allow_abbrev=False)
    add_arguments(parser)
    arguments = parser.parse_intermixed_args(list(argv[words:]))
    arguments.command, arguments.given = command, list(argv)
    return arguments


def launcher(processes: int | None) -> list[str]:
    """The words that start this program: in processes of torchrun's, or (None) in one of its own."""
    return PROGRAM.split() if processes is None else ["torchrun", "--nproc-per-node", str(processes), "-m", "model_def"]


def _experiment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", metavar="EXPERIMENT.yaml", type=Path, help="an experiment file")
    parser.add_argument("assignments", metavar="key=value", nargs="*", default=[], help="change a field, for this run")


def _run(parser: argparse.ArgumentParser, resume: str) -> None:
    _experiment(parser)
    parser.add_argument("--output", metavar="DIR", type=Path, help="default: output/NAME/TIME")
    parser.add_argument("--resume", metavar="PATH", nargs="?", const="", help=resume)


def _check(parser: argparse.ArgumentParser) -> None:
    _experiment(parser)
    parser.add_argument("--run", action="store_true", help="train on one batch and predict: tells seconds and memory")


def _train(parser: argparse.ArgumentParser) -> None:
    _run(parser, "go on from an output directory or a checkpoint; without PATH: the newest output of this experiment")
    parser.add_argument("--master", metavar="URL", help="have a Determined master show this run's metrics")


def _search(parser: argparse.ArgumentParser) -> None:
    _run(parser, "go on with the search in this directory; without PATH: the newest search of this experiment")


def _explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", metavar="EXPERIMENT.yaml", type=Path, help="an experiment file")
    parser.add_argument(
        "words", metavar="KEY, key=value", nargs="*", default=[], help="show these parts; change a field, for this run"
    )
    parser.add_argument(
        "--diff", metavar="OTHER", help="show what differs from another experiment, or with `zoo` from its config_file"
    )
    parser.add_argument("--json", action="store_true", help="print a list of {path, value, origin, replaced}")


def _migrate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", metavar="OLD.yaml", type=Path, help="an experiment file for mmdet 2.x")


def _ls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words", metavar="WORD", nargs="*", default=[], help="show what has all of these in name, title or data set"
    )
    parser.add_argument("--json", action="store_true", help="print {experiments: […], zoo: […]} with all that is known")


def _cp(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="an experiment's path or name, or a config of the zoo")
    parser.add_argument(
        "dest", metavar="DEST", type=Path, help="a new .yaml file, or a folder; nothing is written over"
    )


def _data_check(parser: argparse.ArgumentParser) -> None:
    _experiment(parser)
    data_arguments.missing(parser)


def _predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        metavar="EXPERIMENT_OR_OUTPUT",
        type=Path,
        help="an output directory (its best checkpoint), a checkpoint (its UUID on a cluster), or an experiment file "
        "(its newest output)",
    )
    parser.add_argument("images", metavar="IMAGE", type=Path, nargs="+")
    parser.add_argument("--threshold", metavar="SCORE", type=_score, default=0.3, help="default: 0.3")
    parser.add_argument("--to", metavar="DIR", type=Path, help="default: predictions/ in the output directory")


def _env(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "train": ("Train a detector.", _train),
    "search": ("Run the experiment's search on this machine, or on a cluster of Ray.", _search),
    "check": ("Try everything but the training: YAML, config, model, data, weights, metrics.", _check),
    "explain": ("Print the whole config, each value with the place it comes from and what it replaced.", _explain),
    "migrate": ("Print an experiment that was written for mmdet 2.x as one for mmdet 3.x.", _migrate),
    "ls": ("List experiments, and the zoo's configs.", _ls),
    "cp": ("Start a new experiment from another one, or from a config of the zoo.", _cp),
    "data": ("Build a small real data set, unless it is there.", data_arguments.built),
    "data coco": (
        "Download COCO and unpack it on the way. Stopped and started again, it goes on.",
        data_arguments.coco,
    ),
    "data put": ("Upload a data set. What is there already is not sent again.", data_arguments.put),
    "data check": ("See that every file that an experiment reads is there.", _data_check),
    "data cache": ("Bring all that an experiment reads into the disk cache.", _data_check),
    "predict": ("Find objects in images. Prints JSON, and draws the boxes.", _predict),
    "env": ("Print versions, compiled operators and devices.", _env),
}


def _score(text: str) -> float:
    score = float(text)
    if not 0 <= score <= 1:
        raise ValueError(text)
    return score


_score.__name__ = "score from 0 to 1"  # argparse puts it into its message


def _did_you_mean(message: str, options: list[str]) -> str:
    words = [word.split("=")[0].rstrip(":") for word in message.split()]
    wrong = [word for word in words if word.startswith("--") and word not in options]
    nearest = _nearest(wrong[0], options) if wrong else ""
    return f" (did you mean {nearest}?)" if nearest else ""


def _nearest(word: str, words: list[str]) -> str:
    return next(iter(difflib.get_close_matches(word, words, n=1, cutoff=0.5)), "")
