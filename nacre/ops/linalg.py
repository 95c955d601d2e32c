"""Face: the ops on matrices, as `keras.ops.linalg` has them.

Written by `python -m tests.architecture.op_faces --write` from what the ops declare where they
are defined (`_define`); a test compares the two.
"""

import typing as _typing

from nacre.ops._define import face as _face
from nacre.ops.matrices import cholesky as cholesky
from nacre.ops.matrices import cholesky_inverse as cholesky_inverse
from nacre.ops.matrices import det as det
from nacre.ops.matrices import eig as eig
from nacre.ops.matrices import eigh as eigh
from nacre.ops.matrices import inv as inv
from nacre.ops.matrices import jvp as jvp
from nacre.ops.matrices import lstsq as lstsq
from nacre.ops.matrices import lu_factor as lu_factor
from nacre.ops.matrices import matrix_rank as matrix_rank
from nacre.ops.matrices import norm as norm
from nacre.ops.matrices import pinv as pinv
from nacre.ops.matrices import qr as qr
from nacre.ops.matrices import solve as solve
from nacre.ops.matrices import solve_triangular as solve_triangular
from nacre.ops.matrices import svd as svd

__all__, __dir__, _missing = _face(__name__)

if not _typing.TYPE_CHECKING:  # a checker would take any name for one of the module's
    __getattr__ = _missing
