"""Forgetting what the process remembers between models."""

from __future__ import annotations

from nacre.core.names import reset_names


def clear_session(free_memory: bool = True) -> None:
    """Start automatic names anew (`dense`, not `dense_7`), and let go of what is not used.

    Args:
        free_memory: Whether to run the garbage collector too.
    """
    reset_names()
    if free_memory:
        import gc

        gc.collect()
