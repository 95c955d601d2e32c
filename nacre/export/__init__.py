"""From a model to every format: `graph` is what stands in between, `capture` makes it."""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names

__all__ = ["ExportArchive"]

if TYPE_CHECKING:  # it writes files, on a floor above
    from nacre.saving.export_archive import ExportArchive as ExportArchive
else:
    __getattr__, __dir__ = late_names(__name__, {"ExportArchive": "nacre.saving.export_archive"})
