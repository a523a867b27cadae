"""An experiment becomes one complete mmengine config.

The order is fixed: `config_file` < `merge_config` < `dataset` < batch size, length and seed < `override_mmdet_config`.
Last, `schedule: rescale` moves what was written for another length; nothing that was overridden.
"""

from __future__ import annotations

from model_def.compose.assembly import Assembly, Composed
from model_def.compose.files import files
from model_def.compose.write import write_config
from model_def.experiment_types import Experiment

__all__ = ["Composed", "compose", "files", "write_config"]


def compose(experiment: Experiment, *, slots: int) -> Composed:
    """The config that `experiment` describes, for `slots` processes. Neither files nor inputs are changed.

    Raises:
        ConfigError: a config is missing or broken, a batch size doesn't divide, an override names nothing.
        DataError: class names have to be read from an annotation file that can't be read.
        (with everything that is wrong, as far as it can be known)
    """
    assembly = Assembly(experiment)
    assembly.sections(slots)
    assembly.overrides()
    assembly.follow()
    assembly.check()
    return assembly.result()
