"""`tf.errors`: the errors of nacre and of Python that scripts catch by TensorFlow's names."""

from nacre.core.errors import NacreError as OpError
from nacre.core.errors import TracedValueError
from nacre.core.errors import UnsupportedError as UnimplementedError

# What an op refuses, a shape, a dtype, a value: all errors of nacre's are of this class.
InvalidArgumentError = OpError
OutOfRangeError = StopIteration
NotFoundError = FileNotFoundError
AlreadyExistsError = FileExistsError
PermissionDeniedError = PermissionError
ResourceExhaustedError = MemoryError
DeadlineExceededError = TimeoutError
OperatorNotAllowedInGraphError = TracedValueError

# google.rpc.Code
OK = 0
CANCELLED = 1
UNKNOWN = 2
INVALID_ARGUMENT = 3
DEADLINE_EXCEEDED = 4
NOT_FOUND = 5
ALREADY_EXISTS = 6
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
ABORTED = 10
OUT_OF_RANGE = 11
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
DATA_LOSS = 15
UNAUTHENTICATED = 16


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


class UnauthenticatedError(_OfTensorFlow):
    """`tf.errors.UnauthenticatedError`."""


class UnavailableError(_OfTensorFlow):
    """`tf.errors.UnavailableError`."""


class UnknownError(_OfTensorFlow):
    """`tf.errors.UnknownError`."""


__all__ = [
    "ABORTED", "ALREADY_EXISTS", "AbortedError", "AlreadyExistsError", "CANCELLED",
    "CancelledError", "DATA_LOSS", "DEADLINE_EXCEEDED", "DataLossError",
    "DeadlineExceededError", "FAILED_PRECONDITION", "FailedPreconditionError", "INTERNAL",
    "INVALID_ARGUMENT", "InternalError", "InvalidArgumentError", "NOT_FOUND", "NotFoundError",
    "OK", "OUT_OF_RANGE", "OpError", "OperatorNotAllowedInGraphError", "OutOfRangeError",
    "PERMISSION_DENIED", "PermissionDeniedError", "RESOURCE_EXHAUSTED",
    "ResourceExhaustedError", "UNAUTHENTICATED", "UNAVAILABLE", "UNIMPLEMENTED", "UNKNOWN",
    "UnauthenticatedError", "UnavailableError", "UnimplementedError", "UnknownError",
]  # fmt: skip
