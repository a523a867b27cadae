# Four batches for each step of the optimizer: as large a batch as four, in the memory of one.
optim_wrapper = dict(accumulative_counts=4)
