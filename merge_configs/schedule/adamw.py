# AdamW in the place of SGD: learns with less tuning of the rate, at some more memory. For batches of 16.
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=0.05))
