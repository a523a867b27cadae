# 12 epochs, the rate falls along half a cosine to nearly 0; 500 batches of warm-up.
train_cfg = dict(max_epochs=12, val_interval=1)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=12, T_max=12, eta_min=1e-6, convert_to_iter_based=True),
]
