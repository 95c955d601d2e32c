"""A `Dataset`, and what comes out of one, recognised without importing it.

Importing it takes a hundredth of the time to a first training step. Where nobody has imported it,
nothing can be one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from nacre.core.kinds import is_of_library, loaded

if TYPE_CHECKING:
    from nacre.data.dataset import Dataset


def is_dataset(value: Any) -> TypeGuard[Dataset]:
    """Whether a value is a `Dataset`."""
    module = loaded("nacre.data.dataset.dataset")
    return module is not None and isinstance(value, module.Dataset)


def files_of_subset(value: Any) -> tuple[str, list[str]] | None:
    """('training' or 'validation', the files) where a value gives a part of the files of a split:
    what was made of a loader's data set, or an iterator of images; else None."""
    module = loaded("nacre.data.image_generators.directory")
    if module is not None and isinstance(value, module.FileIterator):
        return None if value.subset is None else (value.subset, list(value.filepaths))
    module = loaded("nacre.data.directories")
    files = module.files_below(value) if module is not None and is_dataset(value) else None
    return None if files is None or files.subset is None else (files.subset, files.paths)


def order_varies(value: Any) -> bool:
    """Whether each pass over a `Dataset`, a `DataLoader` of torch or an iterator of images has
    another order."""
    if is_of_library(value, "torch.utils.data", "DataLoader"):
        return _draws(value.sampler) or _draws(getattr(value.batch_sampler, "sampler", None))
    module = loaded("nacre.data.image_generators.iterator")
    if module is not None and isinstance(value, module.Iterator):
        return bool(value.shuffle)
    module = loaded("nacre.data.dataset.parts")
    if module is None or not is_dataset(value):
        return False
    return next(module.reshuffled_by(value._dataset_node), None) is not None


def _draws(sampler: Any) -> bool:
    """Whether a sampler of torch draws an order for each pass."""
    names = ("RandomSampler", "SubsetRandomSampler", "WeightedRandomSampler")
    return is_of_library(sampler, "torch.utils.data", *names)


__all__ = ["files_of_subset", "is_dataset", "order_varies"]
