"""From a model to every format: `graph` is what stands in between, `capture` makes it."""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names

__all__ = ["ExportArchive", "Report", "formats"]

if TYPE_CHECKING:  # what writes SavedModels is on a floor above
    from nacre.export.report import Report as Report
    from nacre.export.targets import formats as formats
    from nacre.saving.export_archive import ExportArchive as ExportArchive
else:
    __getattr__, __dir__ = late_names(
        __name__,
        {
            "ExportArchive": "nacre.saving.export_archive",
            "Report": "nacre.export.report",
            "formats": "nacre.export.targets",
        },
    )
