"""`tf.errors`: the errors of nacre and of Python that scripts catch by TensorFlow's names."""

from nacre.core.errors import NacreError as OpError
from nacre.core.errors import UnsupportedError as UnimplementedError

# What an op refuses, a shape, a dtype, a value: all errors of nacre's are of this class.
InvalidArgumentError = OpError
OutOfRangeError = StopIteration
NotFoundError = FileNotFoundError
AlreadyExistsError = FileExistsError
PermissionDeniedError = PermissionError
ResourceExhaustedError = MemoryError
DeadlineExceededError = TimeoutError


class _OfTensorFlow(OpError):
    """An error that only scripts raise.

    Args:
        node_def, op: What TensorFlow has there; not kept.
        message: What is wrong.
    """

    def __init__(self, node_def: object = None, op: object = None, message: str = "") -> None:
        super().__init__(message)
        self.node_def, self.op, self.message = node_def, op, message


class AbortedError(_OfTensorFlow):
    """`tf.errors.AbortedError`."""


class CancelledError(_OfTensorFlow):
    """`tf.errors.CancelledError`."""


class DataLossError(_OfTensorFlow):
    """`tf.errors.DataLossError`."""


class FailedPreconditionError(_OfTensorFlow):
    """`tf.errors.FailedPreconditionError`."""


class InternalError(_OfTensorFlow):
    """`tf.errors.InternalError`."""


class UnavailableError(_OfTensorFlow):
    """`tf.errors.UnavailableError`."""


class UnknownError(_OfTensorFlow):
    """`tf.errors.UnknownError`."""


__all__ = [
    "AbortedError", "AlreadyExistsError", "CancelledError", "DataLossError",
    "DeadlineExceededError", "FailedPreconditionError", "InternalError", "InvalidArgumentError",
    "NotFoundError", "OpError", "OutOfRangeError", "PermissionDeniedError",
    "ResourceExhaustedError", "UnavailableError", "UnimplementedError", "UnknownError",
]  # fmt: skip
