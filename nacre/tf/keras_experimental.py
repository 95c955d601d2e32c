"""`tf.keras.experimental`: second names."""

from nacre.optimizers.schedules import CosineDecay as CosineDecay
from nacre.optimizers.schedules import CosineDecayRestarts as CosineDecayRestarts

__all__ = ["CosineDecay", "CosineDecayRestarts"]
