"""What the zoo publishes about its configs: scores, training memory and weights, from the `metafile.yml` files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from model_def.zoo import zoo, zoo_name

# The C parser reads all of the zoo's files in a quarter of a second; without it PyYAML takes ten times as long.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published:
    """One config's row.

    Attributes:
        family: what the zoo calls the method (`RetinaNet`).
        weights: a URL; None where there are none.
        scores: by the zoo's own names: `box AP`, `mask AP`, `PQ`, … in percent.
        datasets: what the scores were measured on.
        memory: GB that training took on each GPU.
        resources: the GPUs that it was trained on, such as `8x V100 GPUs`.
    """

    family: str = ""
    weights: str | None = None
    scores: dict[str, float] = dataclasses.field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    memory: float | None = None
    resources: str = ""


def published(family: str = "") -> dict[str, Published]:
    """What is published, by config (`retinanet/retinanet_r50_fpn_1x_coco.py`): of one folder of the zoo, or of all.

    Raises:
        ConfigError: mmdet isn't installed.
    """
    root = zoo()
    found: dict[str, Published] = {}
    for path in sorted((root / family).rglob("*.yml")):
        content = yaml.load(path.read_text(encoding="utf-8"), LOADER)
        about = {each.get("Name"): each for each in _mappings(content, "Collections")}
        for model in _mappings(content, "Models"):
            if name := _config(str(model.get("Config") or ""), path.parent, root):
                found[name] = _row(model, about.get(model.get("In Collection")) or {})
    return found


def published_for(config: Path) -> Published | None:
    """What is published for a config file; None if it isn't one of the zoo's, or nothing is."""
    name = zoo_name(config)
    return published(name.partition("/")[0]).get(name) if name else None


def training_memory(file: Path, config: dict[str, Any]) -> Iterator[str]:
    """The memory that the zoo's own training with the config `file` took, with its setting, if that is published."""
    row = published_for(file)
    if row and row.memory:
        images = (config.get("train_dataloader") or {}).get("batch_size")
        setting = ", ".join(filter(None, [row.resources, f"a batch of {images} on each" if images else ""]))
        yield f"the zoo's own training with this config took {row.memory:g} GB on each GPU ({setting})"


def _row(model: dict[str, Any], family: dict[str, Any]) -> Published:
    results = [result for result in model.get("Results") or () if isinstance(result.get("Metrics"), dict)]
    metadata = {**(family.get("Metadata") or {}), **(model.get("Metadata") or {})}
    memory, weights = metadata.get("Training Memory (GB)"), model.get("Weights")
    return Published(
        family=str(model.get("In Collection") or ""),
        weights=weights if isinstance(weights, str) else None,
        scores={str(key): float(value) for result in results for key, value in result["Metrics"].items()},
        datasets=tuple(dict.fromkeys(str(result.get("Dataset")) for result in results)),
        memory=float(memory) if isinstance(memory, int | float) else None,
        resources=" ".join(str(metadata.get("Training Resources") or "").split()),
    )


def _config(written: str, folder: Path, root: Path) -> str | None:
    """The config that a metafile means: some name it without its folder, in another one, or with `%2B` for `+`."""
    path = written.removeprefix("configs/")
    near = (root / path, folder / Path(path).name)
    return next((each.relative_to(root).as_posix() for each in near if path and each.is_file()), None)


def _mappings(content: Any, key: str) -> Iterator[dict[str, Any]]:
    """The entries below `key`; a file may also be the bare list of its models."""
    listed = content.get(key) if isinstance(content, dict) else content if key == "Models" else None
    yield from (each for each in listed or () if isinstance(each, dict))
