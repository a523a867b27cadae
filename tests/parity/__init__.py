"""Us and stock mmengine over mmdet's zoo: both train each config, and every number must be the same."""

from tests.parity.torchvision import import_torchvision

import_torchvision()  # now: mmdet imports transformers, and that torchvision
