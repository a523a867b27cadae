"""A language model for the configs that have one: a small BERT of random weights, as transformers would download it."""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import re
import string
import tempfile
from typing import Any

ZOO = "bert-base-uncased"  # what every config of the zoo names
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LAYERS, INNER = 2, 128  # its width is BERT's own: the detectors' layers are made for that


def local_language(node: Any, folder: pathlib.Path) -> Any:
    """`node` with `folder` in the place of the name of BERT, which is written there when it is needed first."""
    if isinstance(node, dict):
        return {key: local_language(value, folder) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(local_language(item, folder) for item in node)
    if node != ZOO:
        return node
    if not folder.exists():
        _write(folder)
    return str(folder)


def _write(folder: pathlib.Path) -> None:
    """Several processes may do this at once; the first that is done wins."""
    import torch
    from transformers import BertConfig, BertModel

    vocabulary = _vocabulary()
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = pathlib.Path(tempfile.mkdtemp(dir=folder.parent))
    (part / "vocab.txt").write_text("\n".join(vocabulary))
    (part / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": true}')
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(vocabulary), num_hidden_layers=LAYERS, intermediate_size=INNER)
    BertModel(config).save_pretrained(part)
    with contextlib.suppress(OSError):  # another process was quicker
        os.rename(part, folder)


@functools.cache
def _vocabulary() -> list[str]:
    """Letters, signs, and each word of the class names that mmdet has: its prompts have room for so many tokens."""
    from mmdet.registry import DATASETS

    words: set[str] = set()
    for dataset in DATASETS.module_dict.values():
        for name in getattr(dataset, "METAINFO", {}).get("classes") or ():
            words.update(re.findall(r"[a-z]+", str(name).lower()))
    letters = [*string.ascii_lowercase, *string.digits]
    return [
        *SPECIAL,
        *string.punctuation,
        *letters,
        *(f"##{letter}" for letter in letters),
        *sorted(words - {*letters}),
    ]
