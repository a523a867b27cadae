# 36 epochs, the rate a tenth from epoch 27 on and a hundredth from epoch 33 on; 500 batches of warm-up.
train_cfg = dict(max_epochs=36, val_interval=1)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=36, milestones=[27, 33], gamma=0.1),
]
