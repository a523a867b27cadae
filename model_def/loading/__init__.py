"""The training data loader: says where it is, its workers included, and goes on from there."""
