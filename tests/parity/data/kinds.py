"""Which maker serves which dataset class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.parity.data.cityscapes import cityscapes
from tests.parity.data.coco import coco, panoptic
from tests.parity.data.crowdhuman import crowdhuman
from tests.parity.data.dod import dod
from tests.parity.data.flickr30k import flickr30k
from tests.parity.data.imagenet import imagenet
from tests.parity.data.lvis import lvis
from tests.parity.data.made_data import Made, Node
from tests.parity.data.odvg import odvg
from tests.parity.data.openimages import challenge, open_images
from tests.parity.data.refcoco import refcoco
from tests.parity.data.reid import reid
from tests.parity.data.v3det import v3det
from tests.parity.data.videos import mot, youtube_vis
from tests.parity.data.voc import voc
from tests.parity.data.wider_face import wider_face

Maker = Callable[[Node, Path, str], Made]

MAKERS: dict[str, Maker] = {
    "CityscapesDataset": cityscapes,
    "CocoDataset": coco,
    "CocoPanopticDataset": panoptic,
    "CrowdHumanDataset": crowdhuman,
    "DODDataset": dod,
    "DeepFashionDataset": coco,
    "Flickr30kDataset": flickr30k,
    "ImageNet": imagenet,
    "LVISV05Dataset": lvis,
    "LVISV1Dataset": lvis,
    "MDETRStyleRefCocoDataset": refcoco,
    "MOTChallengeDataset": mot,
    "ODVGDataset": odvg,
    "Objects365V1Dataset": coco,
    "Objects365V2Dataset": coco,
    "OpenImagesChallengeDataset": challenge,
    "OpenImagesDataset": open_images,
    "ReIDDataset": reid,
    "V3DetDataset": v3det,
    "VOCDataset": voc,
    "WIDERFaceDataset": wider_face,
    "YouTubeVISDataset": youtube_vis,
}
