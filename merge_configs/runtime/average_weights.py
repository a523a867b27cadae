# A running average of the weights (EMA) is validated and kept: steadier, and often better by some tenths of a point.
# It is among the default hooks, because a list of custom hooks would take the place of the config's own.
default_hooks = dict(
    ema=dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.0002, update_buffers=True, priority=49))
