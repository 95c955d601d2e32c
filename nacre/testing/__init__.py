"""What outside authors prove their own parts with: the contracts that nacre's own ones keep.

target      formats: `check_target`, and its checks one by one, `target_checks`
graph_ops   ops of the graph with inputs, which formats are tried with
faults      wrong ops, which what compares files must find
"""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names

__all__ = ["Check", "Checked", "check_target", "target_checks"]

if TYPE_CHECKING:
    from nacre.testing.target import Check as Check
    from nacre.testing.target import Checked as Checked
    from nacre.testing.target import check_target as check_target
    from nacre.testing.target import target_checks as target_checks
else:
    __getattr__, __dir__ = late_names(__name__, dict.fromkeys(__all__, "nacre.testing.target"))
