"""Tiny models of every trainable family of layers, of the losses, and of common compositions."""

from .training_basic import BASIC
from .training_case import TrainingCase as TrainingCase
from .training_convolution import CONVOLUTION
from .training_losses import LOSSES
from .training_sequences import SEQUENCES

TRAINING_CASES: tuple[TrainingCase, ...] = (*BASIC, *CONVOLUTION, *SEQUENCES, *LOSSES)
