"""Kernels in C++ for the CPU, compiled on the user's machine when it has a compiler.

XLA's CPU backend pays a thread hand-over and a few copies for every small operation of a loop. A
kernel here does a whole loop in one call. Every one of them has a form in plain JAX that is used
where there is no compiler, on other devices, and where the native form does not apply; and with
`NACRE_NATIVE=0`.

`build.py` compiles and loads, `handler.h` is what the sources share, one `.cc` file is one library.
"""
