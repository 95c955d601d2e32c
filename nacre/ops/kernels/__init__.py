"""Fast paths behind `nacre.ops.nn`: pure JAX, the lowering chosen per platform, shape and place.

Every function here gives the numbers of its plain XLA form; only the speed differs. On a GPU or a
TPU, and with `NACRE_KERNELS=xla` in the environment, convolution and pooling run in the plain form.
"""
