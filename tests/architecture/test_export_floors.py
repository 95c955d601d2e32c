"""The graph of exporters stands on core and NumPy: it can be read and judged without layers."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import nacre.export.graph.evaluate, nacre.export.graph.verify, nacre.export.graph.text
import nacre.export.passes
print(sorted({n.split('.')[1] for n in sys.modules if n.startswith('nacre.')}))
"""


def test_graph_and_passes_import_nothing_of_layers_or_ops() -> None:
    found = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['core', 'export']"
