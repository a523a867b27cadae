"""The commands but for `train`. What takes time to import is imported by the command that needs it."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from model_def.arguments import PROGRAM
from model_def.class_names import so_many
from model_def.data_arguments import MOVED
from model_def.errors import UserError

if TYPE_CHECKING:
    from model_def.explain import Values


def check(arguments: Namespace) -> int:
    """Try everything but the training."""
    if arguments.own_process and not arguments.run:
        from model_def.light import import_lightly

        import_lightly()
    from model_def.check import check as check_steps

    return check_steps(arguments.experiment, arguments.assignments, run=arguments.run)


def explain(arguments: Namespace) -> int:
    """Print the config with the origin of each value, or what differs from another one."""
    from model_def.report.console import make_console, print_python
    from model_def.report.quiet import quiet

    keys = [word for word in arguments.words if "=" not in word]
    assignments = [word for word in arguments.words if "=" in word]
    with quiet(make_console(sys.stderr)):  # standard output is for the config
        from model_def import explain as explaining

        values = explaining.explain(arguments.experiment, assignments, keys)
        other = _other(arguments) if arguments.diff else {}
    if arguments.diff:
        wanted = {path: value for path, value in other.items() if explaining.is_below(path, keys)}
        for line in explaining.difference(values, wanted):
            print(line)
    elif arguments.json:
        print(explaining.as_json(values))
    else:
        print_python(explaining.as_python(values))
    return 0


def _other(arguments: Namespace) -> Values:
    from model_def import explain as explaining

    if arguments.diff == "zoo":
        return explaining.explain_zoo(arguments.experiment)
    return explaining.explain(Path(arguments.diff))


def migrate(arguments: Namespace) -> int:
    """Print an experiment for mmdet 2.x as one of today.

    Raises:
        UserError: some of it has no meaning today; what has is printed all the same.
    """
    from model_def.rewrite import rewrite

    text, problems = rewrite(arguments.experiment)
    print(text, end="")
    if problems:
        raise UserError.of(problems)
    return 0


def ls(arguments: Namespace) -> int:
    """List experiments and configs."""
    from model_def import catalogue

    for line in [catalogue.as_json(arguments.words)] if arguments.json else catalogue.listing(arguments.words):
        print(line)
    return 0


def cp(arguments: Namespace) -> int:
    """Start a new experiment."""
    from model_def.copying import copy
    from model_def.report.console import make_console
    from model_def.report.quiet import quiet

    with quiet(make_console(sys.stderr)):
        file = copy(arguments.name, arguments.dest, light=arguments.own_process)
    print(f"wrote {file}\n  python -m model_def check {file}\n  python -m model_def train {file}")
    return 0


def data(arguments: Namespace) -> int:
    """Build a data set."""
    if arguments.name in MOVED:
        name = arguments.name
        raise UserError(what=f"`{name}` has to stand right behind `data`", next=f"{PROGRAM} data {name} --help")
    from model_def import datasets

    build = getattr(datasets, arguments.name)
    built = build(arguments.root) if arguments.root else build()
    root, classes = os.path.relpath(built.root), so_many(len(built.classes))
    print(f"{'built' if built.fresh else 'already there'}: {root} ({classes})")
    for name, split in built.splits.items():
        print(f"  {name}: {split.images} images, {split.annotations} boxes")
    print(f"  where it is from, and its licence: {root}/SOURCE.md")
    return 0


def predict(arguments: Namespace) -> int:
    """Find objects in images."""
    from model_def.output import newest_output
    from model_def.report.console import make_console
    from model_def.report.quiet import quiet

    with quiet(make_console(sys.stderr)):  # standard output is for the JSON
        from model_def import predict as predicting
        from model_def.inference import find_checkpoint

        model = arguments.model
        if model.suffix in (".yaml", ".yml"):
            from model_def.experiment import load_experiment

            model = newest_output(load_experiment(model).name, holding="checkpoints/latest")
        given = find_checkpoint(model)
        to = arguments.to or given.home / "predictions"
        found = predicting.predict(given.config, given.weights, arguments.images, to=to, threshold=arguments.threshold)
    print(predicting.as_json(found))
    for prediction in found:
        print(f"{prediction.image}: {len(prediction.boxes)} boxes, drawn in {prediction.drawn}", file=sys.stderr)
    return 0


def env(_: Namespace) -> int:
    """Print versions and devices."""
    from model_def.environment import report

    for line in report():
        print(line)
    return 0
