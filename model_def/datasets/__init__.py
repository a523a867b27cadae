"""Small data sets that are built on the spot, in COCO form: real trees, real digits, and made shapes for tests.

Each builder takes the directory to build and returns a `DataSet`: where its parts are and how much they hold. It does
nothing when the data set is already complete, and never leaves a half-built one behind.
"""

from model_def.datasets.coco import Split
from model_def.datasets.complete import DataSet
from model_def.datasets.digits import digits
from model_def.datasets.made import made
from model_def.datasets.quickstart import quickstart

__all__ = ["DataSet", "Split", "digits", "made", "quickstart"]
