"""mmengine's optimizer wrappers: a model has one, or one for each of several optimizers."""

from __future__ import annotations

from mmengine.optim import OptimWrapper, OptimWrapperDict


def optim_wrappers(wrapper: OptimWrapper | OptimWrapperDict) -> dict[str, OptimWrapper]:
    """The wrappers of an OptimWrapperDict by their names; a single one has the name ""."""
    return dict(wrapper.items()) if isinstance(wrapper, OptimWrapperDict) else {"": wrapper}
