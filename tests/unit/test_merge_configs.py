"""Every shipped layer does what its first line says, alone and with others, and never nothing."""

from __future__ import annotations

import copy
import itertools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, HOOKS, MODELS, PARAM_SCHEDULERS
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.runner import Runner, set_random_seed

from model_def.compose import Composed, compose, files
from model_def.errors import ConfigError
from model_def.experiment import load_experiment
from model_def.experiment_types import Experiment
from tests.support.commands import REPO

FOLDER = REPO / "merge_configs"
NAMES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.py"))
RETINANET = "retinanet/retinanet_r18_fpn_1x_coco.py"
MASK_RCNN = "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py"
RTMDET = "rtmdet/rtmdet_tiny_8xb32-300e_coco.py"
SOFT_TEACHER = "soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py"
MIXED = "runtime/mixed_precision.py"  # compose refuses it here, where there is no GPU
LENGTHS = {name for name in NAMES if "schedule" in name} - {"schedule/adamw.py"}
OF_PIPELINES = {name for name in NAMES if "data" in name} - {"data/in_process.py"}
OF_BACKBONES = {"runtime/freeze_backbone.py", "runtime/train_backbone.py", "runtime/recompute_activations.py"}
REFUSED = {
    MASK_RCNN: set(),
    # It switches its pipeline at an epoch, averages its weights already, and its backbone is no ResNet.
    RTMDET: LENGTHS | {"runtime/average_weights.py", "runtime/recompute_activations.py"},
    # It counts iterations, has two training sets, and its backbone is inside of a detector inside of the model.
    SOFT_TEACHER: LENGTHS | OF_PIPELINES | OF_BACKBONES,
}
BATCHES = 1000  # in an epoch of the schedules below

Check = Callable[[Config], None]
CHECKS: dict[str, Check] = {}


pytestmark = pytest.mark.usefixtures("mmdet_scope")


@pytest.fixture
def lay(write_yaml) -> Callable[..., Composed]:
    """Composes an experiment from a config and layers, by their names in `merge_configs/`."""
    return lambda *names, base=RETINANET: compose(_experiment(write_yaml, base, names), slots=1)


def _experiment(write_yaml, base: str, names: tuple[str, ...]) -> Experiment:
    size = 5 if "soft" in base else 2
    hyperparameters = {"config_file": base, "global_batch_size": size, "merge_config": [str(FOLDER / n) for n in names]}
    content = {"hyperparameters": hyperparameters, "searcher": {"name": "single", "metric": "bbox_mAP"}}
    return load_experiment(write_yaml(content))


def does(name: str) -> Callable[[Check], Check]:
    """The decorated function checks what a layer does."""

    def keep(check: Check) -> Check:
        CHECKS[name] = check
        return check

    return keep


@pytest.mark.parametrize("name", NAMES)
def test_it_does_what_it_says(name, lay, coco_context, monkeypatch):
    monkeypatch.chdir(coco_context)
    assert (FOLDER / name).read_text().startswith("# "), "it says what it is for"
    assert f"`{name}`" in (FOLDER / "README.md").read_text()
    if name == MIXED:
        with pytest.raises(ConfigError, match="mixed precision needs a GPU"):
            lay(name)
    else:
        CHECKS[name](lay(name, base=MASK_RCNN if "masks" in name else RETINANET).config)


@pytest.mark.parametrize("base", REFUSED)
def test_over_other_configs_it_changes_something_or_is_refused(base, lay):
    """Refused is what fits nothing there; the message says which key, in which line of the layer."""
    plain = lay(base=base).config.to_dict()
    for name in [name for name in NAMES if name != MIXED]:
        if name in REFUSED[base]:
            with pytest.raises(ConfigError, match=f"{pathlib.Path(name).stem}.py:"):
                lay(name, base=base)
            continue
        composed = lay(name, base=base)
        same = composed.config.to_dict() == plain
        assert same == any("changes nothing" in note for note in composed.notes), name


def test_a_layer_that_the_config_has_already_is_told(lay):
    (note,) = [note for note in lay("schedule/1x.py").notes if "changes nothing" in note]
    assert "schedule/1x.py" in note


def test_all_that_fit_go_together(write_yaml):
    names = [name for name in NAMES if name.startswith("runtime/") and "freeze" not in name]
    *_, last = files(_experiment(write_yaml, RETINANET, (*names, "schedule/2x.py", "schedule/adamw.py")))
    wrapper = last.config["optim_wrapper"]
    assert (wrapper["type"], wrapper["accumulative_counts"], wrapper["clip_grad"]["max_norm"]) == (
        "AmpOptimWrapper", 4, 35,
    )  # fmt: skip
    assert wrapper["optimizer"] == {"type": "AdamW", "lr": 1e-4, "weight_decay": 0.05}
    assert last.config["train_cfg"]["max_epochs"] == 24
    assert "_delete_" not in str(last.config)


def test_averages_do_not_add_up(lay):
    """RTMDet averages its weights already."""
    with pytest.raises(ConfigError, match="averaged twice") as caught:
        lay("runtime/average_weights.py", base=RTMDET)
    first, second = caught.value.problems[0].where.splitlines()
    assert "merge_configs/runtime/average_weights.py:4:" in first
    assert "mmdet::rtmdet/rtmdet_s_8xb32-300e_coco.py:" in second


@does("data/in_process.py")
def _in_process(config: Config) -> None:
    for part in ("train", "val", "test"):
        loader = Runner.build_dataloader(config[f"{part}_dataloader"], seed=0)
        assert loader.num_workers == 0
        assert next(iter(loader))["inputs"]


@does("data/coco_below_prefix.py")
def _(config):
    loaders = (config.train_dataloader, config.val_dataloader, config.test_dataloader)
    assert [loader.dataset.data_root for loader in loaders] == [""] * 3
    assert config.train_dataloader.dataset.ann_file == "annotations/instances_train2017.json"
    assert config.val_evaluator.ann_file == config.test_evaluator.ann_file == config.val_dataloader.dataset.ann_file


@does("data/few_images.py")
def _few_images(config: Config) -> None:
    assert len(DATASETS.build(config.train_dataloader.dataset)) == 16
    assert len(DATASETS.build(config.val_dataloader.dataset)) == 6, "validation is what it was"


@does("data/random_sizes.py")
def _random_sizes(config: Config) -> None:
    sides = {sample["inputs"].shape[-1] for sample in _samples(config)}
    assert len(sides) > 10
    assert min(sides) < 600 < 1000 < max(sides), "of 800, which square pictures would have"


@does("data/random_sizes_masks.py")
def _random_sizes_masks(config: Config) -> None:
    _random_sizes(config)
    for sample in _samples(config):
        truth = sample["data_samples"].gt_instances
        assert truth.masks.masks is not None
        assert (truth.masks.height, truth.masks.width) == tuple(sample["inputs"].shape[1:])


@does("data/small_images.py")
def _small_images(config: Config) -> None:
    assert {tuple(sample["inputs"].shape) for sample in _samples(config)} == {(3, 400, 400)}
    for part in ("val", "test"):
        sample = DATASETS.build(config[f"{part}_dataloader"].dataset)[0]
        assert tuple(sample["inputs"].shape) == (3, 400, 400)


def _samples(config: Config) -> list[dict[str, Any]]:
    np.random.seed(0)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    return [dataset[index] for index in range(len(dataset))]


@does("schedule/1x.py")
def _1x(config: Config) -> None:
    assert _rates(config) == pytest.approx([1] * 8 + [0.1] * 3 + [0.01])


@does("schedule/2x.py")
def _2x(config: Config) -> None:
    assert _rates(config) == pytest.approx([1] * 16 + [0.1] * 6 + [0.01] * 2)


@does("schedule/3x.py")
def _3x(config: Config) -> None:
    assert _rates(config) == pytest.approx([1] * 27 + [0.1] * 6 + [0.01] * 3)


@does("schedule/cosine.py")
def _cosine(config: Config) -> None:
    rates = _rates(config)
    assert len(rates) == 12
    assert rates[5] == pytest.approx(0.5, abs=1e-3)
    assert rates[-1] == pytest.approx(0, abs=1e-3)
    assert rates == sorted(rates, reverse=True)


def _rates(config: Config) -> list[float]:
    """The learning rate of each epoch's last batch but one, of a rate of 1; mmengine's schedulers count."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedulers = [_scheduler(dict(each), optimizer) for each in config.param_scheduler]
    rates = []
    for _ in range(config.train_cfg.max_epochs):
        rates.append(list(_epoch(schedulers, optimizer))[-2])
    return rates


def _scheduler(settings: dict[str, Any], optimizer: torch.optim.Optimizer) -> Any:
    if settings.get("convert_to_iter_based"):
        settings["epoch_length"] = BATCHES
    return PARAM_SCHEDULERS.build(settings, default_args={"optimizer": optimizer})


def _epoch(schedulers: list[Any], optimizer: torch.optim.Optimizer) -> Iterator[float]:
    for _ in range(BATCHES):
        optimizer.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch:
                scheduler.step()
        yield optimizer.param_groups[0]["lr"]
    for scheduler in schedulers:
        if scheduler.by_epoch:
            scheduler.step()


@does("schedule/adamw.py")
def _adamw(config: Config) -> None:
    optimizer = _wrapper(config).optimizer
    assert type(optimizer) is torch.optim.AdamW
    assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (1e-4, 0.05)


@does("runtime/clip_gradients.py")
def _clip_gradients(config: Config) -> None:
    wrapper = _wrapper(config)
    parameters = [p for group in wrapper.optimizer.param_groups for p in group["params"]]
    before = [p.detach().clone() for p in parameters]
    wrapper.update_params(sum(p.sum() for p in parameters) * 1e6)
    moved = torch.cat([(p.detach() - b).flatten() for p, b in zip(parameters, before, strict=True)]).norm()
    assert moved / wrapper.optimizer.defaults["lr"] == pytest.approx(35, rel=1e-3)


@does("runtime/accumulate_gradients.py")
def _accumulate_gradients(config: Config) -> None:
    wrapper = _wrapper(config)
    (weight,) = (p for group in wrapper.optimizer.param_groups for p in group["params"] if p.ndim == 2)
    wrapper.initialize_count_status(torch.nn.Linear(2, 2), 0, 8)
    values = []
    for _ in range(8):
        wrapper.update_params(weight.sum())
        values.append(weight.detach().clone())
    changes = [not torch.equal(a, b) for a, b in itertools.pairwise(values)]
    assert changes == [False, False, True, False, False, False, True]


def _wrapper(config: Config) -> OptimWrapper:
    torch.manual_seed(0)
    return build_optim_wrapper(torch.nn.Linear(2, 2), config.optim_wrapper)


@does("runtime/average_weights.py")
def _average_weights(config: Config) -> None:
    settings = dict(config.default_hooks.ema)
    assert settings.pop("priority") == 49
    hook = HOOKS.build(settings)
    assert isinstance(hook, EMAHook)
    assert hook.ema_cfg["momentum"] == 0.0002


@does("runtime/deterministic.py")
def _deterministic(config: Config) -> None:
    try:
        set_random_seed(**config.randomness)
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = False


@does("runtime/freeze_backbone.py")
def _freeze_backbone(config: Config) -> None:
    backbone = _backbone(config)
    assert not any(p.requires_grad for p in backbone.parameters())
    assert not any(m.training for m in backbone.modules() if isinstance(m, torch.nn.BatchNorm2d))


@does("runtime/train_backbone.py")
def _train_backbone(config: Config) -> None:
    backbone = _backbone(config)
    assert all(p.requires_grad for p in backbone.parameters())
    assert all(m.training for m in backbone.modules())


@does("runtime/recompute_activations.py")
def _recompute_activations(config: Config) -> None:
    plain = copy.deepcopy(config)
    plain.model.backbone.with_cp = False
    (kept, gradients), (all_kept, same) = _memory(config), _memory(plain)
    torch.testing.assert_close(gradients, same)
    assert kept < all_kept / 2


def _memory(config: Config) -> tuple[int, list[torch.Tensor]]:
    """How many numbers a forward pass keeps for the backward one, and the gradients."""
    backbone, numbers = _backbone(config), 0

    def count(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal numbers
        numbers += tensor.numel()
        return tensor

    torch.manual_seed(0)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        outputs = backbone(torch.rand(1, 3, 64, 64))
    sum(output.sum() for output in outputs).backward()
    return numbers, [p.grad for p in backbone.parameters() if p.grad is not None]


def _backbone(config: Config) -> torch.nn.Module:
    torch.manual_seed(0)
    backbone = MODELS.build({**config.model.backbone, "init_cfg": None})
    backbone.train()  # a ResNet's returns nothing
    return backbone
