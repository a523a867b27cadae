# Boxes and masks are learned at half to one and a half times the usual size: random_sizes.py for Mask R-CNN.
_base_ = './random_sizes.py'

pipeline = _base_.train_dataloader.dataset.pipeline
pipeline[1].with_mask = True
train_dataloader = dict(dataset=dict(pipeline=pipeline))
del pipeline
