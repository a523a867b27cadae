# The ResNet stays as it was loaded, only neck and heads learn: for few images, and for a quick first try.
model = dict(backbone=dict(frozen_stages=4, norm_eval=True))
