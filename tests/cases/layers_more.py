"""Rows of layers without stored numbers of Keras: their output shapes are written here.

Layers beyond Keras, whose numbers their own tests compare with formulas; random changes of images;
vocabularies; and forms of three dimensions whose numbers are those of two.
"""

from typing import Any

from .spec import ArrayInput as X
from .spec import LayerCase as Case
from .spec import Spec

VECTOR = (X((3, 5)),)
PAIR = (X((3, 2)), X((3, 2)))
SEQUENCE = (X((2, 5, 8)),)
VOLUME = (X((2, 4, 5, 6, 3)),)
PICTURES = (X((2, 8, 10, 3), low=0.0, high=255.0),)
SAME_PICTURES = ((2, 8, 10, 3),)
# Two graphs of five nodes; the last edge of the second is padding.
GRAPHS = (
    X((2, 5, 4)),
    X(
        dtype="int32",
        values=(((0, 1), (1, 0), (2, 1), (4, 4)), ((1, 2), (3, 2), (0, 3), (-1, -1))),
    ),
)
TOKENS = (X((2, 5), dtype="int32", low=0, high=6),)
WORDS = (X(values=[["sea", "sand"], ["sun", "sea"]], dtype="str"),)
TEXTS = (X(values=["The sea, the sun", "sand"], dtype="str"),)

OWN = (
    Case("thresholded_relu", "ThresholdedReLU", VECTOR, {"theta": 0.3}, output_shapes=((3, 5),)),
    Case(
        "adaptive_average_pooling3d", "AdaptiveAveragePooling3D", VOLUME, {"output_size": 2},
        output_shapes=((2, 2, 2, 2, 3),),
    ),
    Case(
        "adaptive_average_pooling3d_uneven", "AdaptiveAveragePooling3D", VOLUME,
        {"output_size": (2, 3, 4)}, output_shapes=((2, 2, 3, 4, 3),),
    ),
    Case(
        "adaptive_max_pooling3d", "AdaptiveMaxPooling3D", VOLUME, {"output_size": (4, 2, 3)},
        output_shapes=((2, 4, 2, 3, 3),),
    ),
    Case(
        "conv_lstm3d", "ConvLSTM3D", (X((2, 2, 3, 4, 3, 2)),), {"filters": 2, "kernel_size": 2},
        output_shapes=((2, 2, 3, 2, 2),),
    ),
    Case(
        "conv_lstm3d_sequences", "ConvLSTM3D", (X((1, 2, 3, 3, 3, 2)),),
        {"filters": 2, "kernel_size": 2, "padding": "same", "return_sequences": True},
        output_shapes=((1, 2, 3, 3, 3, 2),),
    ),
    *(
        Case(f"distance_{metric}", "Distance", (X((3, 5)), X((3, 5))), {"metric": metric},
             call_style="list", output_shapes=((3, 1),))
        for metric in ("euclidean", "manhattan", "cosine")
    ),
    Case(
        "sampling", "Sampling", PAIR, {"seed": 3, "is_random_in_inference": False},
        call_style="list", has_randomness=True, output_shapes=((3, 2),),
    ),
    Case(
        "kl_divergence", "KLDivergenceRegularization", PAIR, {"weight": 0.5}, call_style="list",
        output_shapes=((3, 2), (3, 2)),
    ),
)  # fmt: skip

GRAPH_LAYERS = (
    *(
        Case(f"message_passing_{how}", "MessagePassing", GRAPHS, {"aggregation": how},
             call_style="tuple", output_shapes=((2, 5, 4),))
        for how in ("sum", "mean", "max")
    ),
    Case(
        "gcn_conv", "GCNConv", GRAPHS, {"units": 3, "activation": "tanh"}, call_style="tuple",
        output_shapes=((2, 5, 3),),
    ),
    Case("graph_sage_conv", "GraphSAGEConv", GRAPHS, {"units": 3, "normalize": True},
         call_style="tuple", output_shapes=((2, 5, 3),)),
    Case(
        "gat_conv", "GATConv", GRAPHS, {"units": 3, "num_heads": 2}, call_style="tuple",
        output_shapes=((2, 5, 6),),
    ),
    Case(
        "gat_conv_dropout", "GATConv", GRAPHS, {"units": 3, "dropout": 0.5, "seed": 1},
        call_style="tuple", has_randomness=True, output_shapes=((2, 5, 3),),
    ),
    Case(
        "gin_conv", "GINConv", GRAPHS, {"units": 3, "activation": "tanh"}, call_style="tuple",
        output_shapes=((2, 5, 3),),
    ),
    *(
        Case(f"graph_{how.lower()}_pooling", f"Graph{how}Pooling", (X((2, 5, 4)),),
             output_shapes=((2, 4),))
        for how in ("Sum", "Mean", "Max")
    ),
)  # fmt: skip

TRANSFORMER = (
    Case(
        "token_and_position", "TokenAndPositionEmbedding", TOKENS,
        {"vocabulary_size": 6, "sequence_length": 7, "embedding_dim": 4, "mask_zero": True},
        output_shapes=((2, 5, 4),),
    ),
    Case("sine_position", "SinePositionEncoding", SEQUENCE, output_shapes=((2, 5, 8),)),
    Case(
        "relative_position_bias", "RelativePositionBias", SEQUENCE,
        {"num_heads": 2, "num_buckets": 8, "max_distance": 10}, output_shapes=((1, 2, 5, 5),),
    ),
    Case("rotary", "RotaryEmbedding", (X((2, 5, 2, 8)),), output_shapes=((2, 5, 2, 8),)),
    Case(
        "transformer_encoder", "TransformerEncoder", SEQUENCE,
        {"intermediate_dim": 6, "num_heads": 2, "activation": "gelu"},
        output_shapes=((2, 5, 8),),
    ),
    Case(
        "transformer_encoder_rotary", "TransformerEncoder", SEQUENCE,
        {"intermediate_dim": 6, "num_heads": 2, "normalize_first": True, "use_rotary": True,
         "activation": "gelu"},
        output_shapes=((2, 5, 8),),
    ),
    Case(
        "transformer_encoder_dropout", "TransformerEncoder", SEQUENCE,
        {"intermediate_dim": 6, "num_heads": 2, "dropout": 0.3, "activation": "gelu"},
        has_randomness=True, output_shapes=((2, 5, 8),),
    ),
    Case(
        "transformer_decoder", "TransformerDecoder", (X((2, 5, 8)), X((2, 4, 6))),
        {"intermediate_dim": 6, "num_heads": 2, "activation": "gelu"},
        output_shapes=((2, 5, 8),),
    ),
)  # fmt: skip


def picture(name: str, layer: str, kwargs: dict[str, Any], shape: Any = SAME_PICTURES) -> Case:
    """A random change of pictures: none in inference, but for their size."""
    return Case(
        name, layer, PICTURES, {**kwargs, "seed": 3}, has_randomness=True, output_shapes=shape
    )


RANDOM_PICTURES = (
    picture("aug_mix", "AugMix", {}),
    picture("cut_mix_pictures", "CutMix", {}),
    picture("mix_up_pictures", "MixUp", {}),
    picture("rand_augment", "RandAugment", {}),
    picture("random_brightness", "RandomBrightness", {"factor": 0.3}),
    picture("random_color_degeneration", "RandomColorDegeneration", {"factor": 0.5}),
    picture("random_color_jitter", "RandomColorJitter", {"brightness_factor": 0.3}),
    picture("random_contrast", "RandomContrast", {"factor": 0.3}),
    picture("random_crop", "RandomCrop", {"height": 4, "width": 5}, ((2, 4, 5, 3),)),
    picture("random_elastic", "RandomElasticTransform", {}),
    picture("random_erasing", "RandomErasing", {}),
    picture("random_flip", "RandomFlip", {}),
    picture("random_blur", "RandomGaussianBlur", {}),
    picture("random_hue", "RandomHue", {"factor": 0.5}),
    picture("random_perspective", "RandomPerspective", {"scale": 0.5}),
    picture("random_rotation", "RandomRotation", {"factor": 0.2}),
    picture("random_saturation", "RandomSaturation", {"factor": 0.5}),
    picture("random_sharpness", "RandomSharpness", {"factor": 0.5}),
    picture("random_shear", "RandomShear", {"x_factor": 0.4}),
    picture("random_translation", "RandomTranslation", {"height_factor": 0.3, "width_factor": 0.3}),
    picture("random_zoom", "RandomZoom", {"height_factor": 0.3}),
)

TABLES = (
    Case(
        "string_lookup", "StringLookup", WORDS, {"vocabulary": ("sea", "sun")},
        output_shapes=((2, 2),), output_dtypes=("int32",),
    ),
    Case(
        "string_lookup_multi_hot", "StringLookup", WORDS,
        {"vocabulary": ("sea", "sun"), "output_mode": "multi_hot"}, output_shapes=((2, 3),),
    ),
    Case(
        "integer_lookup", "IntegerLookup", (X((3, 2), dtype="int32", low=5, high=12),),
        {"vocabulary": (5, 7, 9)}, output_shapes=((3, 2),), output_dtypes=("int32",),
    ),
    Case(
        "text_vectorization", "TextVectorization", TEXTS,
        {"vocabulary": ("sea", "sun"), "output_sequence_length": 3}, output_shapes=((2, 3),),
        output_dtypes=("int32",),
    ),
    Case(
        "pipeline", "Pipeline", PICTURES,
        {"layers": [Spec("Rescaling", {"scale": 0.1}), Spec("CenterCrop", args=(4, 6))]},
        output_shapes=((2, 4, 6, 3),),
    ),
    Case(
        "max_num_bounding_boxes", "MaxNumBoundingBoxes",
        (X((2, 4, 4, 3)), X((2, 2, 4)), X((2, 2))),
        {"max_number": 3, "bounding_box_format": "xyxy"},
        call_style="dict",
        input_names=("images", "bounding_boxes/boxes", "bounding_boxes/labels"),
        output_shapes=((2, 3, 4), (2, 3), (2, 4, 4, 3)),
    ),
)  # fmt: skip

MORE_CASES: tuple[Case, ...] = OWN + GRAPH_LAYERS + TRANSFORMER + RANDOM_PICTURES + TABLES
