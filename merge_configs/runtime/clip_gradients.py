# Gradients are scaled down to a norm of 35 where they are larger: the usual cure for a loss that becomes infinite.
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
