"""`search`: plan, claim a directory, run, tell."""

from __future__ import annotations

import contextlib
import importlib.util
import shlex
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from model_def.arguments import PROGRAM
from model_def.claim import claimed
from model_def.errors import OutputError, Stopped, UserError
from model_def.output import new_output, newest_output
from model_def.searching.plan import Plan, make_plan
from model_def.searching.search import Search

ENGINE = "ray[tune]==2.60.0"  # as the extra `search` in pyproject.toml
RECORD = "search.jsonl"


def search(file: Path, assignments: Sequence[str], *, output: Path | None, resume: str | None) -> None:
    """Run an experiment's search to its end.

    Args:
        file, assignments: the experiment, as `train` takes them.
        output: where to write; by default a new directory below output/.
        resume: a search's directory to go on in; empty for the experiment's newest one, None for a new search.

    Raises:
        UserError: a mistake in the experiment, found before or by the first trial.
        Stopped: a signal asked for a stop; all trials have saved.
    """
    require_ray()
    plan = make_plan(file, assignments)
    chosen = _chosen(plan, output, resume)
    with claimed(chosen, resume=resume is not None), _alone(chosen):
        _run(Search(plan, chosen))


def require_ray() -> None:
    """Ray is installed; it is not imported here.

    Raises:
        UserError: it isn't.
    """
    if importlib.util.find_spec("ray") is None:
        raise UserError(
            what="a search off a cluster runs on Ray Tune, and the package ray is not installed",
            allowed="one trial with values of your own without it: python -m model_def train EXPERIMENT.yaml key=value",
            next=f'pip install "{ENGINE}"',
        )


def _run(search: Search) -> None:
    from model_def.report.console import make_console
    from model_def.searching.board import Board, summarize
    from model_def.searching.picture import draw_search
    from model_def.searching.settings import set_environment

    set_environment()
    from model_def.searching import engine  # imports ray

    plan, console, started = search.plan, make_console(), time.monotonic()
    console.print(_heading(search))
    with Board(search, console) as board:
        number = engine.run(search, board.changed)
    if search.hopeless is not None:
        raise UserError(what=search.hopeless)
    if number is not None:
        command = shlex.join([*PROGRAM.split(), "search", str(plan.file), *plan.assignments])
        resume = f"{command} --resume {shlex.quote(str(search.output))}"
        raise Stopped(f"stopped, and all is saved; go on with:\n  {resume}", signal_number=number)
    picture = draw_search(search, search.output / "search.png")
    summarize(search, seconds=time.monotonic() - started, picture=picture, console=console)


def _heading(search: Search) -> str:
    plan = search.plan
    searcher, trials = plan.experiment.searcher, len(search.trials)
    over = trials - len(search.left())
    lines = [
        plan.experiment.name,
        f"  search      {searcher.name}, {trials} trials, up to {plan.at_once} at a time; for {searcher.metric}",
        *(f"  bracket     {plan.brackets.count(number)} trials, compared after {', '.join(map(str, rungs))} {plan.unit}"
          for number, rungs in enumerate(plan.lengths) if rungs),
        f"  output      {search.output}",
        *([f"  goes on     {over} trials are over"] if over else []),
    ]  # fmt: skip
    return "\n".join(lines)


def _chosen(plan: Plan, output: Path | None, resume: str | None) -> Path:
    if resume is None:
        return output or new_output(plan.experiment.name)
    found = Path(resume) if resume else newest_output(plan.experiment.name, holding=RECORD)
    if not (found / RECORD).is_file():
        raise OutputError(
            what="there is no search to go on with",
            value=str(found),
            where=str(found.resolve()),
            allowed=f"a directory with {RECORD}, as a search has written it",
            next="leave out --resume for a new search",
        )
    return found


@contextlib.contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Two searches must not write into one directory."""
    try:
        with FileLock(output / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise OutputError(
            what="another search is writing into this directory",
            value=str(output),
            where=str(error.lock_file),
            allowed="one search at a time",
            next="wait for its end, or stop it with Ctrl-C",
        ) from error
