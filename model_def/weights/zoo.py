"""The zoo's published weights of a config, by the `metafile.yml` beside it."""

from __future__ import annotations

import os
from pathlib import Path

from model_def.errors import WeightsError
from model_def.fields import did_you_mean, nearest
from model_def.published import published
from model_def.zoo import zoo_name

ZOO_URL = "https://download.openmmlab.com/mmdetection"
ZOO_URL_VARIABLE = "MMDETECTION_ZOO_URL"


def zoo_weights(config_file: Path, *, where: str) -> str:
    """The URL of the weights that the zoo publishes for a config. `$MMDETECTION_ZOO_URL` replaces the zoo's server.

    Raises:
        WeightsError: the config isn't the zoo's, or there are no weights for it.
    """
    name = _zoo_name(config_file, where)
    known = published_weights(name.rpartition("/")[0])
    url = known.get(name)
    if url is None:
        near = nearest(name, known) or sorted(known)[:3]
        raise WeightsError(
            what="the zoo has no weights for this config",
            value=name,
            where=where,
            allowed=", ".join(sorted(known)) or "a config of a folder with published weights",
            next=did_you_mean(near) or "write `use_pretrained: path/to/weights.pth`, or `use_pretrained: false`",
        )
    return url.replace(ZOO_URL, os.environ.get(ZOO_URL_VARIABLE, ZOO_URL).rstrip("/"), 1)


def published_weights(family: str) -> dict[str, str]:
    """The URLs of one folder of the zoo, by config (`retinanet/retinanet_r50_fpn_1x_coco.py`)."""
    return {name: row.weights for name, row in published(family).items() if row.weights}


def _zoo_name(config_file: Path, where: str) -> str:
    name = zoo_name(config_file)
    if name is None:
        raise WeightsError(
            what="`use_pretrained: true` takes the zoo's weights, and this config isn't the zoo's",
            value=str(config_file),
            where=where,
            allowed="true for a config of the zoo; a path or URL for any other",
            next="write `use_pretrained: path/to/weights.pth`, or `use_pretrained: false`",
        )
    return name
