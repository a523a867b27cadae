# The backbone computes its activations again for the gradients: much less memory, a third more time.
model = dict(backbone=dict(with_cp=True))
