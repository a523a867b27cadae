"""The assembly of a config: one step after another, each laid over the ones before."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

from mmengine.config import Config

from model_def.assignments import OVERRIDES
from model_def.checkpoint_hook import checkpoint_notes
from model_def.compose import derive, require
from model_def.compose.averages import averaged_twice
from model_def.compose.dataset import apply_dataset, dataset_notes
from model_def.compose.files import chosen, idle, read, renamed
from model_def.compose.given import sets
from model_def.compose.horizon import RESCALED, follow, never
from model_def.compose.inert import inert, replaced
from model_def.compose.learning_rate import auto_scaled, check_scaling, rate_note
from model_def.compose.load import import_modules
from model_def.compose.origin import Layer, from_experiment, from_file, from_nowhere
from model_def.compose.override import Overridden, overridden, override
from model_def.compose.parts import problems as part_problems
from model_def.compose.skipping import with_skipping
from model_def.compose.storage import apply_storage, client_place, with_whole_addresses
from model_def.compose.teacher import with_teacher
from model_def.compose.tree import Path, get
from model_def.errors import Mistakes, UserError
from model_def.experiment_types import Experiment
from model_def.migrate.apply import current
from model_def.storage.register import register
from model_def.yaml_source import COMMAND_LINE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Composed:
    """The result.

    Attributes:
        config: complete: stock `Runner.from_cfg(config).train()` trains it with the same numbers.
        notes: what the user should know before training.
        layers: the steps that led to it, for `explain`.
    """

    config: Config
    notes: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()


class Assembly:
    """A config on its way. A step notes its mistakes, and the next goes on unless it needs what failed.

    Attributes:
        experiment: with mmdet 2.x's overrides in today's words.
        layers: the steps so far.
    """

    def __init__(self, experiment: Experiment) -> None:
        """Read the config files.

        Raises:
            UserError: they are missing, broken, or don't train anything.
        """
        register()  # for the files that are read on the way, and for whatever the config builds
        self.experiment = experiment
        self.given, self.mistakes = read(experiment), Mistakes()
        self.layers = [from_file(one.path, one.after) for one in self.given]
        with self.mistakes.needed():
            require.trainable(self.config, experiment, self.where)
            self.experiment = current(experiment, self.config)
        self.mistakes.add(problem for one in self.given for problem in inert(one, experiment.directory))

    @property
    def config(self) -> dict[str, Any]:
        """The config after the last step."""
        return self.layers[-1].config

    def where(self, *path: str | int) -> str:
        """The place where the value at `path` was chosen, or where it can be."""
        return chosen(self.given, self.experiment, self.config, *path)

    def sections(self, slots: int) -> None:
        """What the experiment's own keys say."""
        experiment, self.slots = self.experiment, slots
        with self.mistakes.needed():
            self._with_own_modules()  # `dataset.type` may name what they register
        with self.mistakes.noted():
            self._lay(apply_dataset(self.config, experiment), "hyperparameters", "dataset")
        with self.mistakes.noted():
            self._lay(derive.batch_size(self.config, experiment, slots), "hyperparameters", "global_batch_size")
        self.length_notes: tuple[str, ...] = ()
        with self.mistakes.noted():
            config, self.length_notes = derive.length(self.config, experiment)
            self._lay(config, "searcher", "max_length")
        self._lay(auto_scaled(self.config, experiment), "hyperparameters", "auto_scale_lr")
        self._lay(derive.seed(self.config, experiment), "reproducibility", "experiment_seed")
        steps = self.layers[len(self.given) - 1 :]
        self.mistakes.add(problem for one in self.given[1:] for problem in replaced(one, steps, experiment.directory))

    def overrides(self) -> None:
        """`override_mmdet_config`: the file's, then with the command line's."""
        self.before = self.config
        with self.mistakes.needed():
            self.changed = self._overridden(self.experiment.hyperparameters.override_mmdet_config)
        self.mistakes.add(self.changed.problems)
        self._lay_file_overrides()
        self._lay_overrides()
        with self.mistakes.needed():
            require.trainable(self.config, self.experiment, self.where)

    def follow(self) -> None:
        """What follows from the rest."""
        self.schedule_notes: tuple[str, ...] = ()
        with self.mistakes.noted():
            config, self.schedule_notes = follow(self.config, self.layers, self.experiment)
            self.layers.append(from_nowhere(RESCALED, config))
        with self.mistakes.noted():
            check_scaling(self.config, self.experiment)
        with self.mistakes.noted():  # here, for it is about all paths, the overrides' too
            self._lay(with_whole_addresses(apply_storage(self.config, self.experiment)), *client_place(self.experiment))
        with self.mistakes.noted():
            self._lay(with_skipping(self.config, self.experiment), "hyperparameters", "max_broken_images")
        config = derive.complete(derive.test_as_val(self.before, self.config), self.experiment)
        with self.mistakes.noted():
            config = with_teacher(config, self.experiment)
        self.layers.append(from_nowhere("a complete config has it", config))

    def check(self) -> None:
        """Whether training can begin with it.

        Raises:
            UserError: with everything that was found in all steps.
        """
        add, changed = self.mistakes.add, self.changed
        add(require.derived(self.before, changed.config, self.where))
        for check in (require.whole, require.device, require.not_resumed):
            with self.mistakes.noted():
                check(self.config, self.experiment, self.where)
        with self.mistakes.noted():
            require.synchronised(self.config, self.slots, self.where)
        add(averaged_twice(self.config, self.given, self.experiment.directory))
        told = {problem.what for problem in changed.problems}
        parts = part_problems(self.config, self.given, self.where, changed.meant)
        add(problem for problem in parts if problem.what not in told)
        self.mistakes.tell()

    def result(self) -> Composed:
        """The whole config."""
        notes = (
            *renamed(self.given),
            *idle(self.given),
            *dataset_notes(self.given[-1].after, self.config, self.experiment),
            *self.experiment.notes,
            *self.length_notes,
            *self.changed.notes,
            *self.schedule_notes,
            *never(self.config),
            *rate_note(self.config, self.experiment),
            *checkpoint_notes(get(self.config, "default_hooks.checkpoint")),
        )
        return Composed(config=Config(self.config), notes=notes, layers=tuple(self.layers))

    def _lay(self, config: dict[str, Any], *place: str) -> None:
        where = self.experiment.where
        self.layers.append(from_experiment(lambda _: where(*place), config))

    def _lay_file_overrides(self) -> None:
        """What the file alone would make: a moment in it was written for the file's length of training."""
        overrides, name = self.experiment.file_overrides, self.experiment.source.name

        def where(path: Path) -> str:
            place = self._named(*path)
            return name if place.startswith(COMMAND_LINE) else place

        if overrides is not None:
            with contextlib.suppress(UserError):  # the command line may mend what is wrong with it
                config = self._overridden(overrides).config
                self.layers.append(from_experiment(where, config, gives=lambda path: sets(overrides, config, path)))

    def _lay_overrides(self) -> None:
        config, experiment = self.changed.config, self.experiment
        overrides, alone = experiment.hyperparameters.override_mmdet_config, experiment.file_overrides is None

        def gives(path: Path) -> bool:
            given = experiment.source.has(*OVERRIDES, *path) or sets(overrides, config, path)
            return given and (alone or self._named(*path).startswith(COMMAND_LINE))

        self.layers.append(from_experiment(lambda path: self._named(*path), config, gives=gives))

    def _overridden(self, overrides: dict[str, Any]) -> Overridden:
        others = {key: value for key, value in overrides.items() if not _is_import(key)}
        return overridden(self._with_own_modules(), others, self._named)

    def _with_own_modules(self) -> dict[str, Any]:
        """The config with the override of `custom_imports`: others may name what these modules register."""
        overrides = self.experiment.hyperparameters.override_mmdet_config
        imports = {key: value for key, value in overrides.items() if _is_import(key)}
        if not imports:
            return self.config
        config, _ = override(self.config, imports, self._named)
        where = self._named("custom_imports")
        import_modules(config["custom_imports"], context=self.experiment.directory, where=where)
        return config

    def _named(self, *path: str | int) -> str:
        return self.experiment.where(*OVERRIDES, *path)


def _is_import(key: Any) -> bool:
    return str(key).split(".")[0] == "custom_imports"
