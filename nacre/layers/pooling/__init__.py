"""Pooling: windows, whole axes, and windows that adapt to a wanted output size."""

from nacre.layers.pooling.adaptive import AdaptiveAveragePooling1D as AdaptiveAveragePooling1D
from nacre.layers.pooling.adaptive import AdaptiveAveragePooling2D as AdaptiveAveragePooling2D
from nacre.layers.pooling.adaptive import AdaptiveAveragePooling3D as AdaptiveAveragePooling3D
from nacre.layers.pooling.adaptive import AdaptiveMaxPooling1D as AdaptiveMaxPooling1D
from nacre.layers.pooling.adaptive import AdaptiveMaxPooling2D as AdaptiveMaxPooling2D
from nacre.layers.pooling.adaptive import AdaptiveMaxPooling3D as AdaptiveMaxPooling3D
from nacre.layers.pooling.over_all import GlobalAveragePooling1D as GlobalAveragePooling1D
from nacre.layers.pooling.over_all import GlobalAveragePooling2D as GlobalAveragePooling2D
from nacre.layers.pooling.over_all import GlobalAveragePooling3D as GlobalAveragePooling3D
from nacre.layers.pooling.over_all import GlobalMaxPooling1D as GlobalMaxPooling1D
from nacre.layers.pooling.over_all import GlobalMaxPooling2D as GlobalMaxPooling2D
from nacre.layers.pooling.over_all import GlobalMaxPooling3D as GlobalMaxPooling3D
from nacre.layers.pooling.windows import AveragePooling1D as AveragePooling1D
from nacre.layers.pooling.windows import AveragePooling2D as AveragePooling2D
from nacre.layers.pooling.windows import AveragePooling3D as AveragePooling3D
from nacre.layers.pooling.windows import MaxPooling1D as MaxPooling1D
from nacre.layers.pooling.windows import MaxPooling2D as MaxPooling2D
from nacre.layers.pooling.windows import MaxPooling3D as MaxPooling3D

# Old spelling -> name.
LEGACY_NAMES = {
    **{f"MaxPool{n}D": f"MaxPooling{n}D" for n in (1, 2, 3)},
    **{f"AvgPool{n}D": f"AveragePooling{n}D" for n in (1, 2, 3)},
    **{f"GlobalMaxPool{n}D": f"GlobalMaxPooling{n}D" for n in (1, 2, 3)},
    **{f"GlobalAvgPool{n}D": f"GlobalAveragePooling{n}D" for n in (1, 2, 3)},
}

__all__ = [
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
]
