"""Ready-made networks, with what ImageNet taught them: `applications.ResNet50(weights="imagenet")`.

Layers, names and the order of variables are Keras 3.15's, and tf.keras 2.15's for RegNet and
ResNet-RS, which Keras 3 left out: so files of weights that Keras wrote fit. Those of ImageNet are
read from Keras's cache folder (`~/.keras/models`, or `KERAS_HOME`), and fetched into it, checked
against known hashes, where it lacks them.

    module               networks                                         size, preprocessing
    vgg16, vgg19         VGG16, VGG19                                     224, 'caffe'
    resnet               ResNet50, 101, 152                               224, 'caffe'
    resnet_v2            ResNet50V2, 101V2, 152V2                         224, 'tf'
    inception_v3         InceptionV3                                      299, 'tf'
    inception_resnet_v2  InceptionResNetV2                                299, 'tf'
    xception             Xception                                         299, 'tf'
    densenet             DenseNet121, 169, 201                            224, 'torch'
    mobilenet            MobileNet, with alpha                            224, 'tf'
    mobilenet_v2         MobileNetV2, with alpha                          224, 'tf'
    mobilenet_v3         MobileNetV3Small, Large, with alpha              224, inside
    nasnet               NASNetMobile, NASNetLarge                        224, 331, 'tf'
    efficientnet         EfficientNetB0 to B7                             224 to 600, inside
    efficientnet_v2      EfficientNetV2B0 to B3, S, M, L                  224 to 480, inside
    convnext             ConvNeXtTiny, Small, Base, Large, XLarge         224, inside
    regnet               RegNetX002 to X320, RegNetY002 to Y320           224, inside
    resnet_rs            ResNetRS50, 101, 152, 200, 270, 350, 420         224, inside

"Inside" says that the network takes values 0…255 and scales them itself.

How this floor works: one file has one family: a table of its members, a function for a block, and a
function for each member, which reads like the paper. `_arguments` reads the arguments that all
share, `_weights` fetches files, `imagenet_utils` has what comes before and after a network.
"""

from typing import TYPE_CHECKING

from nacre.core.late_names import late_names

if TYPE_CHECKING:
    from nacre.applications import convnext as convnext
    from nacre.applications import densenet as densenet
    from nacre.applications import efficientnet as efficientnet
    from nacre.applications import efficientnet_v2 as efficientnet_v2
    from nacre.applications import imagenet_utils as imagenet_utils
    from nacre.applications import inception_resnet_v2 as inception_resnet_v2
    from nacre.applications import inception_v3 as inception_v3
    from nacre.applications import mobilenet as mobilenet
    from nacre.applications import mobilenet_v2 as mobilenet_v2
    from nacre.applications import mobilenet_v3 as mobilenet_v3
    from nacre.applications import nasnet as nasnet
    from nacre.applications import regnet as regnet
    from nacre.applications import resnet as resnet
    from nacre.applications import resnet50 as resnet50
    from nacre.applications import resnet_rs as resnet_rs
    from nacre.applications import resnet_v2 as resnet_v2
    from nacre.applications import vgg16 as vgg16
    from nacre.applications import vgg19 as vgg19
    from nacre.applications import xception as xception
    from nacre.applications.convnext import ConvNeXtBase as ConvNeXtBase
    from nacre.applications.convnext import ConvNeXtLarge as ConvNeXtLarge
    from nacre.applications.convnext import ConvNeXtSmall as ConvNeXtSmall
    from nacre.applications.convnext import ConvNeXtTiny as ConvNeXtTiny
    from nacre.applications.convnext import ConvNeXtXLarge as ConvNeXtXLarge
    from nacre.applications.densenet import DenseNet121 as DenseNet121
    from nacre.applications.densenet import DenseNet169 as DenseNet169
    from nacre.applications.densenet import DenseNet201 as DenseNet201
    from nacre.applications.efficientnet import EfficientNetB0 as EfficientNetB0
    from nacre.applications.efficientnet import EfficientNetB1 as EfficientNetB1
    from nacre.applications.efficientnet import EfficientNetB2 as EfficientNetB2
    from nacre.applications.efficientnet import EfficientNetB3 as EfficientNetB3
    from nacre.applications.efficientnet import EfficientNetB4 as EfficientNetB4
    from nacre.applications.efficientnet import EfficientNetB5 as EfficientNetB5
    from nacre.applications.efficientnet import EfficientNetB6 as EfficientNetB6
    from nacre.applications.efficientnet import EfficientNetB7 as EfficientNetB7
    from nacre.applications.efficientnet_v2 import EfficientNetV2B0 as EfficientNetV2B0
    from nacre.applications.efficientnet_v2 import EfficientNetV2B1 as EfficientNetV2B1
    from nacre.applications.efficientnet_v2 import EfficientNetV2B2 as EfficientNetV2B2
    from nacre.applications.efficientnet_v2 import EfficientNetV2B3 as EfficientNetV2B3
    from nacre.applications.efficientnet_v2 import EfficientNetV2L as EfficientNetV2L
    from nacre.applications.efficientnet_v2 import EfficientNetV2M as EfficientNetV2M
    from nacre.applications.efficientnet_v2 import EfficientNetV2S as EfficientNetV2S
    from nacre.applications.inception_resnet_v2 import InceptionResNetV2 as InceptionResNetV2
    from nacre.applications.inception_v3 import InceptionV3 as InceptionV3
    from nacre.applications.mobilenet import MobileNet as MobileNet
    from nacre.applications.mobilenet_v2 import MobileNetV2 as MobileNetV2
    from nacre.applications.mobilenet_v3 import MobileNetV3Large as MobileNetV3Large
    from nacre.applications.mobilenet_v3 import MobileNetV3Small as MobileNetV3Small
    from nacre.applications.nasnet import NASNetLarge as NASNetLarge
    from nacre.applications.nasnet import NASNetMobile as NASNetMobile
    from nacre.applications.regnet import RegNetX002 as RegNetX002
    from nacre.applications.regnet import RegNetX004 as RegNetX004
    from nacre.applications.regnet import RegNetX006 as RegNetX006
    from nacre.applications.regnet import RegNetX008 as RegNetX008
    from nacre.applications.regnet import RegNetX016 as RegNetX016
    from nacre.applications.regnet import RegNetX032 as RegNetX032
    from nacre.applications.regnet import RegNetX040 as RegNetX040
    from nacre.applications.regnet import RegNetX064 as RegNetX064
    from nacre.applications.regnet import RegNetX080 as RegNetX080
    from nacre.applications.regnet import RegNetX120 as RegNetX120
    from nacre.applications.regnet import RegNetX160 as RegNetX160
    from nacre.applications.regnet import RegNetX320 as RegNetX320
    from nacre.applications.regnet import RegNetY002 as RegNetY002
    from nacre.applications.regnet import RegNetY004 as RegNetY004
    from nacre.applications.regnet import RegNetY006 as RegNetY006
    from nacre.applications.regnet import RegNetY008 as RegNetY008
    from nacre.applications.regnet import RegNetY016 as RegNetY016
    from nacre.applications.regnet import RegNetY032 as RegNetY032
    from nacre.applications.regnet import RegNetY040 as RegNetY040
    from nacre.applications.regnet import RegNetY064 as RegNetY064
    from nacre.applications.regnet import RegNetY080 as RegNetY080
    from nacre.applications.regnet import RegNetY120 as RegNetY120
    from nacre.applications.regnet import RegNetY160 as RegNetY160
    from nacre.applications.regnet import RegNetY320 as RegNetY320
    from nacre.applications.resnet import ResNet50 as ResNet50
    from nacre.applications.resnet import ResNet101 as ResNet101
    from nacre.applications.resnet import ResNet152 as ResNet152
    from nacre.applications.resnet_rs import ResNetRS50 as ResNetRS50
    from nacre.applications.resnet_rs import ResNetRS101 as ResNetRS101
    from nacre.applications.resnet_rs import ResNetRS152 as ResNetRS152
    from nacre.applications.resnet_rs import ResNetRS200 as ResNetRS200
    from nacre.applications.resnet_rs import ResNetRS270 as ResNetRS270
    from nacre.applications.resnet_rs import ResNetRS350 as ResNetRS350
    from nacre.applications.resnet_rs import ResNetRS420 as ResNetRS420
    from nacre.applications.resnet_v2 import ResNet50V2 as ResNet50V2
    from nacre.applications.resnet_v2 import ResNet101V2 as ResNet101V2
    from nacre.applications.resnet_v2 import ResNet152V2 as ResNet152V2
    from nacre.applications.vgg16 import VGG16 as VGG16
    from nacre.applications.vgg19 import VGG19 as VGG19
    from nacre.applications.xception import Xception as Xception

_MODULES = (
    "convnext",
    "densenet",
    "efficientnet",
    "efficientnet_v2",
    "imagenet_utils",
    "inception_resnet_v2",
    "inception_v3",
    "mobilenet",
    "mobilenet_v2",
    "mobilenet_v3",
    "nasnet",
    "regnet",
    "resnet",
    "resnet50",
    "resnet_rs",
    "resnet_v2",
    "vgg16",
    "vgg19",
    "xception",
)
# Network -> the module of its family.
_NETWORKS = {
    "ConvNeXtBase": "convnext",
    "ConvNeXtLarge": "convnext",
    "ConvNeXtSmall": "convnext",
    "ConvNeXtTiny": "convnext",
    "ConvNeXtXLarge": "convnext",
    "DenseNet121": "densenet",
    "DenseNet169": "densenet",
    "DenseNet201": "densenet",
    "EfficientNetB0": "efficientnet",
    "EfficientNetB1": "efficientnet",
    "EfficientNetB2": "efficientnet",
    "EfficientNetB3": "efficientnet",
    "EfficientNetB4": "efficientnet",
    "EfficientNetB5": "efficientnet",
    "EfficientNetB6": "efficientnet",
    "EfficientNetB7": "efficientnet",
    "EfficientNetV2B0": "efficientnet_v2",
    "EfficientNetV2B1": "efficientnet_v2",
    "EfficientNetV2B2": "efficientnet_v2",
    "EfficientNetV2B3": "efficientnet_v2",
    "EfficientNetV2L": "efficientnet_v2",
    "EfficientNetV2M": "efficientnet_v2",
    "EfficientNetV2S": "efficientnet_v2",
    "InceptionResNetV2": "inception_resnet_v2",
    "InceptionV3": "inception_v3",
    "MobileNet": "mobilenet",
    "MobileNetV2": "mobilenet_v2",
    "MobileNetV3Large": "mobilenet_v3",
    "MobileNetV3Small": "mobilenet_v3",
    "NASNetLarge": "nasnet",
    "NASNetMobile": "nasnet",
    "RegNetX002": "regnet",
    "RegNetX004": "regnet",
    "RegNetX006": "regnet",
    "RegNetX008": "regnet",
    "RegNetX016": "regnet",
    "RegNetX032": "regnet",
    "RegNetX040": "regnet",
    "RegNetX064": "regnet",
    "RegNetX080": "regnet",
    "RegNetX120": "regnet",
    "RegNetX160": "regnet",
    "RegNetX320": "regnet",
    "RegNetY002": "regnet",
    "RegNetY004": "regnet",
    "RegNetY006": "regnet",
    "RegNetY008": "regnet",
    "RegNetY016": "regnet",
    "RegNetY032": "regnet",
    "RegNetY040": "regnet",
    "RegNetY064": "regnet",
    "RegNetY080": "regnet",
    "RegNetY120": "regnet",
    "RegNetY160": "regnet",
    "RegNetY320": "regnet",
    "ResNet101": "resnet",
    "ResNet101V2": "resnet_v2",
    "ResNet152": "resnet",
    "ResNet152V2": "resnet_v2",
    "ResNet50": "resnet",
    "ResNet50V2": "resnet_v2",
    "ResNetRS50": "resnet_rs",
    "ResNetRS101": "resnet_rs",
    "ResNetRS152": "resnet_rs",
    "ResNetRS200": "resnet_rs",
    "ResNetRS270": "resnet_rs",
    "ResNetRS350": "resnet_rs",
    "ResNetRS420": "resnet_rs",
    "VGG16": "vgg16",
    "VGG19": "vgg19",
    "Xception": "xception",
}
__all__ = [*_MODULES, *_NETWORKS]

if not TYPE_CHECKING:  # a checker would take any name for one of the module's
    _BELOW = "nacre.applications"
    __getattr__, __dir__ = late_names(
        __name__,
        {name: f"{_BELOW}.{name}" for name in _MODULES}
        | {name: f"{_BELOW}.{module}" for name, module in _NETWORKS.items()},
    )
