"""Programs in StableHLO, called from JAX."""

import os
import subprocess
import sys

# Memory that is let go is overwritten at once, as glibc does it on request.
_CALLED_OFTEN = """
import jax, numpy as np
from nacre.core.stablehlo import callable_module
struct = jax.ShapeDtypeStruct((300, 300), np.float32)
program = jax.export.export(jax.jit(lambda x: jax.numpy.sin(x) @ x.T))(struct)
for _ in range(20):
    call = callable_module(program.mlir_module_serialized, [struct], ["CPU"])
print(call(np.zeros((300, 300), np.float32))[0].shape)
"""


def test_programs_are_read_while_they_are_held():
    done = subprocess.run(
        [sys.executable, "-c", _CALLED_OFTEN],
        env={**os.environ, "JAX_PLATFORMS": "cpu", "MALLOC_PERTURB_": "165"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "(300, 300)"), done.stderr[-2000:]
