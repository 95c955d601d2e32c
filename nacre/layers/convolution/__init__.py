"""Convolutions: plain, depthwise, separable and transposed, in one, two and three dimensions."""

from nacre.layers.convolution.conv import Conv1D as Conv1D
from nacre.layers.convolution.conv import Conv2D as Conv2D
from nacre.layers.convolution.conv import Conv3D as Conv3D
from nacre.layers.convolution.depthwise import DepthwiseConv1D as DepthwiseConv1D
from nacre.layers.convolution.depthwise import DepthwiseConv2D as DepthwiseConv2D
from nacre.layers.convolution.separable import SeparableConv1D as SeparableConv1D
from nacre.layers.convolution.separable import SeparableConv2D as SeparableConv2D
from nacre.layers.convolution.transposed import Conv1DTranspose as Conv1DTranspose
from nacre.layers.convolution.transposed import Conv2DTranspose as Conv2DTranspose
from nacre.layers.convolution.transposed import Conv3DTranspose as Conv3DTranspose

# Old spelling -> name.
LEGACY_NAMES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Convolution1DTranspose": "Conv1DTranspose",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3DTranspose": "Conv3DTranspose",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "DepthwiseConvolution2D": "DepthwiseConv2D",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
}

__all__ = [
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
]
