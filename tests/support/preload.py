"""All that a training imports, for the process that trainings are forked from."""

import mmdet.apis
import mmdet.utils
import torch.utils.tensorboard  # noqa: F401

import model_def.claim
import model_def.cli
import model_def.output
import model_def.report.progress
import model_def.report.summary
import model_def.train  # noqa: F401

mmdet.utils.register_all_modules()
