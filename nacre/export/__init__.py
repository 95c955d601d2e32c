"""From a model to every format: `graph` is what stands in between, `capture` makes it."""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names

__all__ = [
    "ExportArchive", "Forms", "Option", "Report", "Request", "Runtime", "Support", "Target",
    "Tolerance", "formats", "register_target",
]  # fmt: skip

if TYPE_CHECKING:  # what writes SavedModels is on a floor above
    from nacre.export.report import Report as Report
    from nacre.export.targets import formats as formats
    from nacre.export.targets import register_target as register_target
    from nacre.export.targets.support import Forms as Forms
    from nacre.export.targets.support import Support as Support
    from nacre.export.targets.target import Option as Option
    from nacre.export.targets.target import Request as Request
    from nacre.export.targets.target import Runtime as Runtime
    from nacre.export.targets.target import Target as Target
    from nacre.export.targets.target import Tolerance as Tolerance
    from nacre.saving.export_archive import ExportArchive as ExportArchive
else:
    __getattr__, __dir__ = late_names(
        __name__,
        {
            "ExportArchive": "nacre.saving.export_archive",
            "Report": "nacre.export.report",
            "formats": "nacre.export.targets",
            "register_target": "nacre.export.targets",
            "Forms": "nacre.export.targets.support",
            "Support": "nacre.export.targets.support",
            "Option": "nacre.export.targets.target",
            "Request": "nacre.export.targets.target",
            "Runtime": "nacre.export.targets.target",
            "Target": "nacre.export.targets.target",
            "Tolerance": "nacre.export.targets.target",
        },
    )
