"""Dense layers, 24 shapes: nacre against plain XLA and PyTorch, forward and in training.

python -m bench.grid_dense --peer-python PATH [--only 0:8]

The dense table of `bench.grid_sequence`, which says what is measured; results are
`results/grid_dense.{json,md}`.
"""

from __future__ import annotations

import sys

from bench import grid_sequence

if __name__ == "__main__":
    grid_sequence.main(["dense", *sys.argv[1:]])
