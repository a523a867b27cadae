"""mmdet 2.x's names of config files: `mask_rcnn_r50_caffe_fpn_1x_coco` is `mask-rcnn_r50-caffe_fpn_1x_coco` today.

mmdet 3 put the words of a name into another order and between other signs, but it renamed few of them. So names are
compared as bags of words.
"""

from __future__ import annotations

import collections
import functools
import re
from collections.abc import Iterable

# Words that are written differently today, as patterns over names whose words are all divided by `_`.
SPELLINGS = (
    (r"mstrain", "ms"),
    (r"fp16", "amp"),
    (r"pretrain", "pre"),
    (r"obj365", "objects365"),
    (r"wider_face", "widerface"),
    (r"attention_(?=\d)", "attn"),
    (r"syncbn_backbone", "syncbn"),
    (r"neck_head", "head_gn"),
    (r"^retinanet_free_anchor", "freeanchor"),
    (r"^crpn", "cascade_rpn"),
    (r"^faste_", "faster_"),  # mmdet 3's own slip
    (r"^bbox_r50_grid", "reppoints_bbox_r50_grid"),
    (r"^ga_(fast|faster)_(?!rcnn)", r"ga_\1_rcnn_"),
    (r"^(solov2.*?)(?:_ms)?_3x", r"\1_ms_3x"),
    (r"^autoassign_r50_fpn_8x2", "autoassign_r50_caffe_fpn"),
    (r"^centernet_resnet18", "centernet_r18_crop512"),
    (r"(rpn_2conv)_(?!4conv1fc)", r"\1_4conv1fc_"),
    (r"4conv1f_", "4conv1fc_"),
    (r"r101dcn", "r101_dcn"),
    (r"_(?:r2_|res2net)(?=\d)", "_res2net_"),
    (r"_(?:bs)?(\d+)x(\d+)(?=_|$)", r"_\1xb\2"),
)
# Words that mmdet 3 added to names and that change nothing: the batch size and the length.
ADDED = re.compile(r"\d+xb\d+|\d+e|crop511")

OLD_FOLDERS = ("fp16",)  # what it held was moved to the models' own folders


def renamed(name: str, known: Iterable[str]) -> str | None:
    """The one of the `known` configs (`family/name.py`) that mmdet 2.x called `name`; None if none is, or several are.

    Only the file and its folder count. Where the words are the same, their order decides.
    """
    folder, file = name.split("/")[-2:] if "/" in name else ("", name)
    wanted = _words(file)
    found: dict[tuple[int, bool], list[str]] = collections.defaultdict(list)
    for candidate in known:
        family, _, other = candidate.rpartition("/")
        if folder not in (family, *OLD_FOLDERS):
            continue
        have = _words(other)
        added = collections.Counter(have) - collections.Counter(wanted)
        if all(map(ADDED.fullmatch, added)) and not collections.Counter(wanted) - collections.Counter(have):
            same_order = [word for word in have if word not in added] == wanted
            found[added.total(), not same_order].append(candidate)
    best = found[min(found)] if found else []
    return best[0] if len(best) == 1 else None


@functools.cache
def _words(file: str) -> list[str]:
    text = re.sub(r"[-+]", "_", file.lower().removesuffix(".py"))
    for pattern, word in SPELLINGS:
        text = re.sub(pattern, word, text)
    return text.split("_")
