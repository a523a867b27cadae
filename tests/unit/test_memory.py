"""The memory that is told from shapes is what a step takes."""

import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import OPTIMIZERS, Registry
from torch import nn

from model_def.memory import estimate, in_words, of_config
from model_def.uninitialised import Uninitialised


def a_model():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1))
    model[0].requires_grad_(False)
    return model


def measured(model, optimizer):
    """Bytes of (parameters, gradients, optimizer state, buffers) after a real step."""
    model(torch.rand(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    states = [one for state in optimizer.state.values() for one in state.values() if torch.is_tensor(one)]
    groups = list(model.parameters()), [p.grad for p in model.parameters() if p.grad is not None], states
    return [sum(t.numel() * t.element_size() for t in tensors) for tensors in (*groups, list(model.buffers()))]


@pytest.mark.parametrize(
    "optimizer",
    [
        {"type": "SGD", "lr": 0.1},
        {"type": "SGD", "lr": 0.1, "momentum": 0.9},
        {"type": "AdamW", "lr": 0.1},
        {"type": "Adam", "lr": 0.1, "amsgrad": True},
        {"type": "Adadelta", "lr": 0.1},
    ],
    ids=str,
)
def test_it_is_what_a_step_takes(optimizer):
    model, config = a_model(), {"type": "OptimWrapper", "optimizer": optimizer}
    memory = estimate(model, build_optim_wrapper(model, config), [])
    found = [memory.parameters, memory.gradients, memory.optimizer, memory.buffers]
    assert found == measured(model, build_optim_wrapper(model, config).optimizer)


def test_an_optimizer_whose_state_has_shapes_of_its_own_is_said_to_be_unknown():
    model = a_model()
    memory = estimate(model, OptimWrapper(torch.optim.Adafactor(model.parameters())), [])
    assert memory.optimizer is None
    assert str(memory).endswith("the optimizer's state is not known")


def test_averaged_weights_count():
    model, config = a_model(), {"type": "OptimWrapper", "optimizer": {"type": "SGD", "lr": 0.1}}
    memory = estimate(
        model, build_optim_wrapper(model, config), [{"type": "EMAHook"}, {"type": "CheckInvalidLossHook"}]
    )
    assert memory.averages == memory.parameters + memory.buffers > 0


def test_what_another_package_has_registered_is_found_in_its_scope():
    elsewhere = Registry("optimizer", parent=OPTIMIZERS, scope="elsewhere")
    elsewhere.register_module(name="Lamb", module=torch.optim.SGD)
    model, optimizer = a_model(), {"type": "OptimWrapper", "optimizer": {"type": "Lamb", "lr": 0.1, "momentum": 0.9}}
    memory = of_config(model, {"default_scope": "elsewhere", "optim_wrapper": optimizer})
    assert memory.optimizer == memory.gradients > 0


def test_nothing_is_written_into_parameters_and_all_else_is():
    with Uninitialised():
        layer = nn.Linear(4, 4)
        layer.weight.data.fill_(7)
        nn.init.zeros_(layer.weight)
        layer.weight.requires_grad_(False)
        buffer = torch.zeros(3).add_(2)
    assert layer.weight.eq(7).all()
    assert not layer.weight.requires_grad
    assert buffer.eq(2).all()


def test_sizes_in_words():
    assert [in_words(n) for n in (12, 2048, 5 * 2**20, 1023 * 2**20, 3 * 2**29)] == [
        "12 bytes",
        "2 KiB",
        "5 MiB",
        "1023 MiB",
        "1.5 GiB",
    ]
