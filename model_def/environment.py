"""What is installed here, and what it can run on."""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Iterator
from importlib import metadata

from model_def.errors import Problem

STACKS = {"openmmlab": ("mmengine", "mmcv", "mmdet"), "onedl": ("onedl-mmengine", "onedl-mmcv", "onedl-mmdetection")}
_OTHERS = ("torch", "torchvision", "determined", "numpy", "opencv-python-headless", "pycocotools", "tensorboard")


def report() -> Iterator[str]:
    """The lines of `python -m model_def env`: versions, compiled operators, devices."""
    yield _line("python", f"{platform.python_version()} on {platform.platform()}")
    yield _line("stack", stack())
    for name in (*STACKS.get(stack(), ()), *_OTHERS):
        yield _line(name, version(name) or "not installed")
    yield _line("mmcv ops", _ops())
    yield from (_line("device", device) for device in _devices())


def stack() -> str:
    """Which of the two distributions of the mm packages is installed: `openmmlab`, `onedl`, or `none`."""
    return next((name for name, parts in STACKS.items() if all(map(version, parts))), "none")


def version(distribution: str) -> str | None:
    """The installed version of a distribution."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def unfit_torchvision(error: BaseException) -> str | None:
    """What to do about a torchvision that was made for another torch, if that is what `error` means.

    Any package may import it (transformers does), and no operator of it is known to torch then.
    """
    if "torchvision::" not in str(error):
        return None
    problem = Problem(
        what="torchvision was made for another torch than the one that is installed here",
        value=f"torchvision {version('torchvision')}, torch {version('torch')}",
        allowed="the release that fits this torch, or none: nothing here needs torchvision",
        next="pip uninstall torchvision",
    )
    return str(problem)


def _ops() -> str:
    try:
        importlib.import_module("mmcv.ops")
    except (ImportError, AttributeError) as error:
        return f"missing ({error}): make setup compiles them"
    compiler = importlib.import_module("mmcv.ops").get_compiling_cuda_version()
    return "compiled for CPU" if compiler == "not available" else f"compiled for CPU and CUDA {compiler}"


def _devices() -> Iterator[str]:
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    policy = os.environ.get("OMP_WAIT_POLICY", "not set")
    yield f"CPU, {usable} cores, {torch.get_num_threads()} threads (OMP_WAIT_POLICY {policy})"
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        yield f"cuda:{index} {properties.name}, {properties.total_memory / 2**30:.0f} GiB"


def _line(label: str, text: str) -> str:
    return f"{label:<24}{text}"
