# The first 16 images are all there is to learn, by heart: whether labels, loss and learning rate are right shows soon.
train_dataloader = dict(dataset=dict(indices=16))
