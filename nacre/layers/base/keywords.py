"""What the constructors of all layers take through `**kwargs`, for checkers.

A layer whose constructor names one of these itself uses the type that lacks it. The values are not
told: a dictionary of keywords that a script unpacks, `Dense(3, **options)`, has one type for all.
"""

from __future__ import annotations

from typing import Any, TypedDict


class _All(TypedDict, total=False):
    trainable: Any
    autocast: Any
    dynamic: Any
    # tf.keras 2 spellings, for the first layer of a stack
    input_shape: Any
    batch_input_shape: Any
    input_length: Any
    batch_size: Any


class WithoutNameAndDtype(_All, total=False):
    """Of a layer with `name` and `dtype` among its own arguments."""

    activity_regularizer: Any
    weights: Any
    input_dim: Any


class WithoutWeights(_All, total=False):
    """Of a layer with `weights`, and perhaps `input_dim`, among its own arguments."""

    name: Any
    dtype: Any
    activity_regularizer: Any


class WithoutRegularizer(_All, total=False):
    """Of a layer with an `activity_regularizer` among its own arguments."""

    name: Any
    dtype: Any
    weights: Any
    input_dim: Any


class WithoutName(WithoutNameAndDtype, total=False):
    """Of a layer with `name` among its own arguments."""

    dtype: Any


class LayerKeywords(WithoutRegularizer, total=False):
    """Of a layer with none of them."""

    activity_regularizer: Any


class ImageKeywords(LayerKeywords, total=False):
    """Of a layer that takes images and what belongs to them."""

    bounding_box_format: Any


class ImageKeywordsWithoutName(WithoutName, total=False):
    """The same with `name` among its own arguments."""

    bounding_box_format: Any


class AnyImageKeywords(ImageKeywords, total=False):
    """The same without a `data_format` of its own."""

    data_format: Any


class RecurrentKeywords(WithoutRegularizer, total=False):
    """Of a layer that steps a cell of its own; the last two are tf.keras 2's."""

    zero_output_for_mask: Any
    implementation: Any
    time_major: Any


class ConvolutionalRecurrentKeywords(RecurrentKeywords, total=False):
    """Of the same whose `unroll` is not among its own arguments."""

    unroll: Any


class CellKeywords(LayerKeywords, total=False):
    """Of a cell of a recurrent layer."""

    implementation: Any


class GraphKeywords(LayerKeywords, total=False):
    """Of a layer that computes on graphs."""

    kernel_initializer: Any
    bias_initializer: Any
    kernel_regularizer: Any
    bias_regularizer: Any
    kernel_constraint: Any
    bias_constraint: Any


class VocabularyKeywords(WithoutName, total=False):
    """Of a layer with a vocabulary; configs of Keras hold them."""

    vocabulary_size: Any
    has_input_vocabulary: Any


class ConvolutionKeywords(WithoutRegularizer, total=False):
    """Of a layer whose kernel can be adapted."""

    lora_rank: Any
    lora_alpha: Any


class FunctionalKeywords(TypedDict, total=False):
    """Of a model made from inputs, outputs and a name."""

    trainable: Any
    dtype: Any
    autocast: Any
    activity_regularizer: Any


class ModelKeywords(TypedDict, total=False):
    """Of a model with `trainable` and `name` among its own arguments."""

    dtype: Any
    autocast: Any
    activity_regularizer: Any


class SubclassKeywords(FunctionalKeywords, total=False):
    """Of a model that says in its own class what it computes."""

    name: Any
