# Mixed precision with a dynamic loss scale: about half of the memory on a GPU that has tensor cores.
optim_wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic')
