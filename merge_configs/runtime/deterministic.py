# The same numbers from the same seed on a GPU too, at some cost in time. Needs CUBLAS_WORKSPACE_CONFIG=:4096:8 there.
randomness = dict(deterministic=True)
