# The whole ResNet learns, statistics of batch norm included: for images unlike photographs, and large batches.
model = dict(backbone=dict(frozen_stages=-1, norm_eval=False, norm_cfg=dict(requires_grad=True)))
