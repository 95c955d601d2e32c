"""Fast paths behind `nacre.ops.nn` and Adam: pure JAX, each lowering chosen by platform and shape.

Every function here gives the numbers of its plain XLA form; only the speed differs. On a GPU or a
TPU, and with `NACRE_KERNELS=xla` in the environment, everything runs in the plain form. On a CPU
with a C++ compiler some functions call compiled kernels (`native/`); `NACRE_NATIVE=0` keeps to JAX.
"""
