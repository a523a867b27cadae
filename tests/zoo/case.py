"""One config of the zoo: as an experiment that `cp` writes and `check` checks, and with a data set of three classes."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import pathlib
import re
import time
from typing import Any

import yaml

from model_def.building import building
from model_def.compose import Composed, compose
from model_def.compose.datasets import loader_datasets
from model_def.compose.require import lacking
from model_def.compose.tree import dicts, dotted
from model_def.dry_run import DryRun, NotTried
from model_def.errors import UserError
from model_def.experiment import load_experiment
from model_def.experiment_types import Experiment
from model_def.starting import experiment_for
from model_def.uninitialised import build_uninitialised, parked
from tests.parity import zoo
from tests.parity.data import NeedsPackage
from tests.parity.data.made_data import class_names
from tests.parity.data.needs import require_packages
from tests.zoo.data import CLASSES, STUFF, short_form
from tests.zoo.heads import Count, Verdict, compare
from tests.zoo.offline import assignments, offline
from tests.zoo.samples import check_samples

Row = dict[str, Any]
NEED_FILES = ("data", "training", "weights")  # steps of `check`
# How mmdet says that a package is missing, or too new.
NEEDS = re.compile(r"[^\n:]*([Pp]lease (install|run)|not installed|No module named|is not in the \S+ registry)[^\n]*")
# Some configs of the zoo are wrong, stock mmengine can't build them either: a loop with `by_epoch` beside its `type`, a
# part with an argument that its type hasn't got.
WRONG = (
    "model.neck.force_grad_on_level",
    "model.rpn_head.stages.0.sampling",
    "train_cfg.by_epoch",
    "val_evaluator.eval_mode",
)
OLD_TRANSFORMERS = "vlfuse_helper.py"  # imports names that newer versions have elsewhere
OLD_ALBUMENTATIONS = "module 'albumentations' has no attribute"


class Mistake(Exception):
    """Not as it should be: a false alarm, a missed refusal, a wrong size."""


class Ended(Exception):
    """There is no more to check; `result` says why."""

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(reason)
        self.result, self.reason = result, reason


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One config under examination. Files are written to `folder`, made data is kept in `data`."""

    name: str
    folder: pathlib.Path
    data: pathlib.Path

    def row(self) -> Row:
        """What is found: a `result` with its `reason`."""
        start, cpu = time.monotonic(), time.process_time()
        try:
            found = {"result": "composes and builds", **self._examine()}
        except Ended as end:
            found = {"result": end.result, "reason": end.reason}
        except Exception as error:  # noqa: BLE001  # a zoo's config may raise anything
            found = {"result": "failed", "reason": f"{type(error).__name__}: {error}"}
        took = {"seconds": time.monotonic() - start, "cpu": time.process_time() - cpu}
        return {"config": self.name, "reason": "", **found, **{key: round(value, 1) for key, value in took.items()}}

    @property
    def file(self) -> pathlib.Path:
        """The experiment."""
        return self.folder / "experiment.yaml"

    def _examine(self) -> Row:
        original = self._original()
        self._check(original)
        plain, _ = self._compose(original)
        form, refused = self._short_form(original)
        notes = [f"refuses boxes alone ({refused})"] if refused else []
        verdict, untried = self._with_classes(original, plain, form)
        if verdict.mistakes:
            raise Mistake("; ".join(verdict.mistakes[:4]))
        notes += [f"its data not tried: {untried}"] if untried else []
        return {"changed": len(verdict.changed), "example": _example(verdict.changed), "reason": "; ".join(notes)}

    def _original(self) -> dict[str, Any]:
        """The zoo's own; what can't train must be refused, clearly."""
        self.file.write_text(yaml.safe_dump(MINIMAL | {"hyperparameters": HYPER | {"config_file": self.name}}))
        try:
            original = zoo.load(self.name)
            result, reason = "does not train", "parts are missing" if lacking(original) else ""
        except Exception as error:  # noqa: BLE001  # a config is a program
            result, reason = "does not load", f"{type(error).__name__}: {error}"
        if not reason:
            self.file.write_text(experiment_for(self.name, self.file))
            return original
        if (refusal := self._refusal({})) is None:
            raise Mistake(f"no error, though it {result}: {reason}")
        raise Ended(result, refusal)

    def _check(self, original: dict[str, Any]) -> None:
        """`check`, but for its steps that need the config's own data or weights."""
        given = [*_on_a_cpu(original), *assignments(original["model"], self.data / "bert")]
        dry = DryRun(file=self.file, assignments=given, work_dir=self.folder / "work")
        for name, step in dry.steps():
            try:
                if name not in NEED_FILES:
                    step()
            except NotTried:
                continue
            except UserError as error:
                if any(f"`{key}` is not an argument" in str(error) for key in WRONG):
                    raise Ended("refused", f"{error.problems[0].what}; mmengine refuses it too") from error
                if not (lack := _lacks(str(error))):
                    raise Mistake(f"false alarm of `check` ({name}): {error}") from error
                if name == "model":
                    self._short_form(original)  # which may be refused for a better reason
                    raise Ended("refused", f"its model can't be built here: {lack}") from error

    def _short_form(self, original: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """A short form that the config takes, and why it doesn't take boxes alone."""
        forms = [short_form(self.data), short_form(self.data, semantic=True), short_form(self.data, panoptic=True)]
        refusals = []
        for form in forms:
            refusal = self._refusal(original, form)
            if refusal is None:
                return form, refusals[0] if refusals else ""
            refusals.append(refusal)
        raise Ended("refused", refusals[0])

    def _refusal(self, original: dict[str, Any], form: dict[str, Any] | None = None) -> str | None:
        try:
            self._compose(original, form)
        except UserError as error:
            return "; ".join(problem.what for problem in error.problems)
        return None

    def _compose(self, original: dict[str, Any], form: dict[str, Any] | None = None) -> tuple[Composed, Experiment]:
        file = self.file
        if form:
            content = yaml.safe_load(file.read_text())
            content["hyperparameters"]["dataset"] = form
            file = self.folder / "three_classes.yaml"
            file.write_text(yaml.safe_dump(content))
        experiment = load_experiment(file, _on_a_cpu(original))
        return compose(experiment, slots=1), experiment

    def _with_classes(self, original: dict[str, Any], plain: Composed, form: dict[str, Any]) -> tuple[Verdict, str]:
        """The sizes with three classes, beside those with the config's own; and why the data wasn't tried, or ""."""
        composed, experiment = self._compose(original, form)
        here = offline(composed.config, self.data / "bert")
        before = build_uninitialised(offline(plain.config, self.data / "bert"))
        lack = ""
        try:
            require_packages(here.to_dict())
            with building("data, model, optimizer or schedule", composed, experiment):
                runner = parked(here, work_dir=self.folder / "work", values=False)
            check_samples(runner, classes=len(CLASSES) + STUFF * ("type" in form))
            after = runner.model
        except (ImportError, NeedsPackage, UserError) as error:
            lack = str(error) if isinstance(error, NeedsPackage) else _lacks(str(error))
            if not lack:
                raise
            after = build_uninitialised(here)
        return compare(before, after, _counts(original, form)), lack


MINIMAL = {"name": "zoo", "searcher": {"name": "single", "metric": "loss", "smaller_is_better": True}}
HYPER = {"global_batch_size": 2}


def _on_a_cpu(original: dict[str, Any]) -> list[str]:
    """Mixed precision and mmcv's own SyncBN are for GPUs alone, and refused elsewhere."""
    amp = (original.get("optim_wrapper") or {}).get("type") == "AmpOptimWrapper"
    own = [path for path, node in dicts(original.get("model")) if node.get("type") == "MMSyncBN"]
    return ["optim_wrapper.type=OptimWrapper"] * amp + [f"{dotted(('model', *path))}.type=SyncBN" for path in own]


def _lacks(error: str) -> str:
    """What this machine lacks to build something, or "" if that isn't the reason."""
    if OLD_TRANSFORMERS in error:
        return f"MMDetection's GLIP needs an older transformers than {importlib.metadata.version('transformers')}"
    if OLD_ALBUMENTATIONS in error:
        return f"MMDetection needs an older albumentations than {importlib.metadata.version('albumentations')}"
    found = NEEDS.search(error)
    text = found[0].strip() if found else ""
    return text.strip(text[0]) if text.startswith(("'", '"')) else text


def _counts(original: dict[str, Any], form: dict[str, Any]) -> list[Count]:
    """The numbers of classes that the sizes of the model may depend on: those of the config's own data set."""
    things, stuff = len(CLASSES), STUFF
    if form.get("type") == "CocoPanopticDataset":
        return [Count(before=133, after=things + stuff), Count(before=80, after=things), Count(before=53, after=stuff)]
    _, dataset = next(loader_datasets(original, "train_dataloader"))
    of_heads = [node["num_classes"] for _, node in dicts(original["model"]) if "num_classes" in node]
    try:
        number = len(class_names(dataset))
    except (KeyError, TypeError):  # its annotation file knows them
        number = of_heads[0]
    if "language_model" in original["model"]:  # has room for more than the data set has
        number = of_heads[0]
    return [Count(before=number, after=things)]


def _example(changed: dict[str, Any]) -> str:
    name = next((name for name in changed if name.endswith("weight")), next(iter(changed), ""))
    return f"{name} {changed[name][0]} → {changed[name][1]}" if name else ""


def examine(name: str, *, scratch: pathlib.Path, data: pathlib.Path) -> Row:
    """The row of `name`."""
    folder = scratch / name.replace("/", "+")
    (folder / "work").mkdir(parents=True, exist_ok=True)
    return Case(name=name, folder=folder, data=data).row()
