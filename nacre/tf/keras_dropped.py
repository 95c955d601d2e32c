"""What tf.keras 2.15 has and Keras 3 dropped: pictures of random sizes, a mean of tensors, SAM."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre import initializers, ops
from nacre.core.config import standardize_data_format
from nacre.core.errors import ArgumentError, ShapeError, TracedValueError, message
from nacre.core.random import SeedGenerator, draw_key
from nacre.core.registry import deserialize_keras_object, register, serialize_keras_object
from nacre.core.safety import reads_config
from nacre.core.tape import GradientTape
from nacre.core.tracing import is_tracer
from nacre.data.batches import unpack_x_y_sample_weight
from nacre.layers import Layer
from nacre.layers.preprocessing.image_layer import factor_range
from nacre.metrics import Metric
from nacre.models import Model
from nacre.tf.rows import made
from nacre.tf.sizes import plain
from nacre.tf.values import tensor

_METHODS = (
    "area", "bicubic", "bilinear", "gaussian", "lanczos3", "lanczos5", "mitchellcubic", "nearest",
)  # fmt: skip


class _RandomSize(Layer):
    """Pictures resized along one axis, to a size that is drawn for the whole batch."""

    casts_inputs = False
    _from_end = 0  # of the axis that changes, where channels are last

    def __init__(
        self, factor: Any, interpolation: str = "bilinear", seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.factor, self.interpolation, self.seed = factor, interpolation.lower(), seed
        self._range = factor_range(self, "factor", factor, -1.0, 1e6)
        if self.interpolation not in _METHODS:
            rule = f"interpolation must be one of {', '.join(_METHODS)}"
            raise ArgumentError(message(self._who(), rule, repr(interpolation)))
        self.data_format = standardize_data_format(None)
        self.seed_generator = SeedGenerator(seed)

    def call(self, inputs: Any, training: bool = True) -> Any:
        """The pictures, in training with another size."""
        images = jnp.asarray(tensor(inputs)).astype(self.compute_dtype)
        if not training:
            return images
        if is_tracer(images):
            rule = "the size of its pictures changes with each batch, which cannot be compiled"
            fix = (
                "Change them before: dataset.map(lambda x, y: (layer(x, training=True), y)); or "
                "compile(run_eagerly=True)."
            )
            raise TracedValueError(message(self._who(), rule, "training in a program", fix))
        is_first = self.data_format == "channels_first"
        if is_first:
            images = jnp.moveaxis(images, -3, -1)
        low, high = self._range
        drawn = jax.random.uniform(draw_key(self.seed_generator), (), "float32", low, high)
        sizes = list(images.shape[-3:-1])
        sizes[self._from_end + 3] = int((1.0 + float(drawn)) * sizes[self._from_end + 3])
        if 0 in sizes:
            rule, got = "pictures must keep a pixel", f"{tuple(sizes)} from {tuple(images.shape)}"
            raise ShapeError(message(self._who(), rule, got, "Make the factor smaller."))
        resized = made("image", "resize")(images, sizes, method=self.interpolation)
        resized = jnp.asarray(resized).astype(self.compute_dtype)
        return jnp.moveaxis(resized, -1, -3) if is_first else resized

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape, in which one size is open."""
        sizes: list[int | None] = list(input_shape)
        sizes[self._from_end + (1 if self.data_format == "channels_first" else 0)] = None
        return tuple(sizes)


@register("layers/RandomHeight")
class RandomHeight(_RandomSize):
    """Pictures of a random height, one for the whole batch, in training.

    Args:
        factor: How much lower or higher, as a part of the height: 0.2 is from -20 % to +20 %,
            (0.2, 0.3) from +20 % to +30 %.
        interpolation: A method of `tf.image.resize`.
        seed: Int, for repeatable results.

    Raises:
        TracedValueError: In training that is compiled, whose sizes are fixed.
    Source:
        tf.keras 2.15. Differs: in compiled training it is refused; it works in `Dataset.map` and
        with run_eagerly=True.
    """

    _from_end = -3


@register("layers/RandomWidth")
class RandomWidth(_RandomSize):
    """Pictures of a random width, one for the whole batch, in training.

    Args:
        factor: How much narrower or wider, as a part of the width: 0.2 is from -20 % to +20 %,
            (0.2, 0.3) from +20 % to +30 %.
        interpolation: A method of `tf.image.resize`.
        seed: Int, for repeatable results.

    Raises:
        TracedValueError: In training that is compiled, whose sizes are fixed.
    Source:
        tf.keras 2.15. Differs: in compiled training it is refused; it works in `Dataset.map` and
        with run_eagerly=True.
    """

    _from_end = -2


@register("layers/RandomFourierFeatures")
class RandomFourierFeatures(Layer):
    """Cosines of random directions: products of them come near a kernel of the inputs.

    Args:
        output_dim: How many.
        kernel_initializer: 'gaussian' or 'laplacian', the kernel that is meant, or an initializer.
        scale: Its width; by default sqrt(features / 2) for 'gaussian', else 1.
        trainable: Whether the width is trained.
        name: The layer's name.

    Shapes:
        inputs           (batch, features)
        unscaled_kernel  (features, output_dim), never trained
        bias             (output_dim,), never trained
        kernel_scale     (1,), not negative
        returns          (batch, output_dim)
    Formula:
        y = cos(x · kernel / scale + bias)
    Raises:
        ShapeError: Inputs have other than two axes.
    Source:
        Rahimi & Recht 2007, Random Features for Large-Scale Kernel Machines; tf.keras 2.15.
    """

    def __init__(
        self, output_dim: int, kernel_initializer: Any = "gaussian", scale: float | None = None,
        trainable: bool = False, name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(trainable=trainable, name=name, **kwargs)
        if output_dim <= 0:
            rule = "output_dim must be positive"
            raise ArgumentError(message(self._who(), rule, repr(output_dim)))
        if scale is not None and scale <= 0:
            raise ArgumentError(message(self._who(), "scale must be positive", repr(scale)))
        if isinstance(kernel_initializer, str):
            kernel_initializer = kernel_initializer.lower()
        else:
            kernel_initializer = initializers.get(kernel_initializer)
        self.output_dim, self.scale = output_dim, scale
        self.kernel_initializer = kernel_initializer

    def build(self, input_shape: Any) -> None:
        """Draw directions and phases."""
        if len(input_shape) != 2 or input_shape[-1] is None:
            rule = "inputs must have shape (batch, features), features known"
            raise ShapeError(message(self._who(), rule, f"{tuple(input_shape)}"))
        features = input_shape[-1]
        is_gaussian = self.kernel_initializer == "gaussian"
        first: Any = self.kernel_initializer
        if is_gaussian:
            first = initializers.RandomNormal(stddev=1.0)
        elif first == "laplacian":
            first = _cauchy
        width = (features / 2.0) ** 0.5 if is_gaussian else 1.0
        self.unscaled_kernel = self.add_weight(
            name="unscaled_kernel", shape=(features, self.output_dim), initializer=first,
            trainable=False,
        )  # fmt: skip
        self.bias = self.add_weight(
            name="bias", shape=(self.output_dim,), trainable=False,
            initializer=initializers.RandomUniform(0.0, 2 * np.pi),
        )  # fmt: skip
        self.kernel_scale = self.add_weight(
            name="kernel_scale", shape=(1,), constraint="non_neg",
            initializer=initializers.Constant(width if self.scale is None else self.scale),
        )  # fmt: skip

    def call(self, inputs: Any) -> Any:
        """The cosines."""
        kernel = ops.divide(self.unscaled_kernel, self.kernel_scale)
        return ops.cos(ops.add(ops.matmul(inputs, kernel), self.bias))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(batch, output_dim)."""
        return (input_shape[0], self.output_dim)


def _cauchy(shape: Any, dtype: Any = None) -> Any:
    """Numbers of Cauchy's distribution, whose Fourier transform is Laplace's kernel."""
    drawn = initializers.RandomUniform(0.0, 1.0)(shape, dtype=dtype)
    return ops.tan(np.pi * (drawn - 0.5))


def conv2d_transpose(
    x: Any, kernel: Any, output_shape: Any, strides: Any = (1, 1), padding: str = "valid",
    data_format: str | None = None, dilation_rate: Any = (1, 1),
) -> Any:  # fmt: skip
    """A transposed convolution of pictures, of `tf.keras.backend`.

    Args:
        x: Pictures.
        kernel: (height, width, output channels, input channels).
        output_shape: The shape of the result; its first size may be None.
        strides, padding, data_format, dilation_rate: As of `Conv2DTranspose`.
    """
    sizes = list(plain(output_shape))
    if sizes[0] is None:
        sizes[0] = x.shape[0]
    form = "NCHW" if standardize_data_format(data_format) == "channels_first" else "NHWC"
    call = made("nn", "conv2d_transpose")
    return call(x, kernel, sizes, strides, padding.upper(), form, dilation_rate)


class MeanTensor(Metric):
    """The mean of tensors, element by element.

    Args:
        name, dtype: As of other metrics.
        shape: The shape of the tensors; by default that of the first.

    Shapes:
        values         any, the same each time
        sample_weight  one that broadcasts to it, axes at the end left out
        returns        that of the values; 0 where all weights are 0
    Raises:
        ShapeError: Values have another shape than the first.
        ArgumentError: The result is asked for before there is any value, and no shape was told.
    Source:
        tf.keras 2.15.
    Example:
        >>> import nacre.tf as tf
        >>> mean = tf.keras.metrics.MeanTensor()
        >>> mean.update_state([1.0, 5.0])
        >>> mean.update_state([3.0, 5.0])
        >>> np.asarray(mean.result()).tolist()
        [2.0, 5.0]
    """

    def __init__(
        self, name: str | None = "mean_tensor", dtype: Any = None, shape: Any = None
    ) -> None:
        super().__init__(name=name or "mean_tensor", dtype=dtype)
        self._shape: tuple[int, ...] | None = None
        if shape is not None:
            self._build(tuple(shape))

    def _build(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._total = self.add_variable(shape, "zeros", name="total")
        self._count = self.add_variable(shape, "zeros", name="count")

    @property
    def total(self) -> Any:
        """The weighted sum; None before the first values."""
        return None if self._shape is None else self._total

    @property
    def count(self) -> Any:
        """The sum of weights; None before the first values."""
        return None if self._shape is None else self._count

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take values in."""
        array = jnp.asarray(tensor(values)).astype(self._dtype)
        if self._shape is None:
            self._build(tuple(array.shape))
        if tuple(array.shape) != self._shape:
            rule = f"values must have shape {self._shape}, as before"
            raise ShapeError(message(f"MeanTensor '{self.name}'", rule, f"{tuple(array.shape)}"))
        weights = jnp.ones_like(array)
        if sample_weight is not None:
            given = jnp.asarray(tensor(sample_weight)).astype(array.dtype)
            if given.ndim == array.ndim + 1 and given.shape[-1] == 1:
                given = given[..., 0]
            given = given.reshape((*given.shape, *(1,) * (array.ndim - given.ndim)))
            weights = weights * given
            array = array * weights
        self._total.assign_add(array)
        self._count.assign_add(weights)

    def result(self) -> Any:
        """The mean of each element."""
        if self._shape is None:
            rule, fix = "there must be values", "Call update_state(values) before, or tell a shape."
            raise ArgumentError(message(f"MeanTensor '{self.name}'", rule, "none", fix))
        total, count = self._total.value, self._count.value
        return jnp.where(count == 0, 0.0, total / jnp.where(count == 0, 1.0, count))

    def reset_state(self) -> None:
        """Forget the values; the shape stays."""
        for variable in self.variables:
            variable.assign(jnp.zeros(variable.shape, variable.dtype))


@register("models/SharpnessAwareMinimization")
class SharpnessAwareMinimization(Model):
    """A model trained by the gradients at the worst weights near its own.

    Args:
        model: What it trains: `fit` of this one changes the other's weights.
        rho: How far the worst weights are looked for.
        num_batch_splits: Into how many parts a batch is split, each with worst weights of its own;
            None for one.
        name: Its name.

    Formula:
        e = rho · g / (|g| + 1e-12), g the gradient of the loss at w; w changes by the gradient at
        w + e, mean over the parts of the batch
    Source:
        Foret et al. 2021, arXiv:2010.01412; tf.keras 2.15,
        models.experimental.SharpnessAwareMinimization. Differs: the model is called with
        training=True, and weights of samples count in the loss.
    """

    def __init__(
        self, model: Any, rho: float = 0.05, num_batch_splits: int | None = None,
        name: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name=name)
        self.model, self.rho, self.num_batch_splits = model, rho, num_batch_splits

    def call(self, inputs: Any, training: Any = None) -> Any:
        """What the model gives."""
        return self.model(inputs, training=training)

    def train_step(self, data: Any) -> Any:  # type: ignore[override]
        """One update by the gradients at the worst weights of each part."""
        x, y, weights = unpack_x_y_sample_weight(data)
        variables = self.model.trainable_variables
        gradients: list[Any] = []
        outputs: list[Any] = []
        count = 1 if self.num_batch_splits is None else self.num_batch_splits
        for part in _parts((x, y, weights), count, self._who()):
            found, predictions = self._gradients(variables, *part)
            length = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in found if g is not None))
            scale = self.rho / (length + 1e-12)
            before = [v.value for v in variables]
            for v, g in zip(variables, found, strict=True):
                if g is not None:
                    v.assign_add(g * scale)
            gradients.append(self._gradients(variables, *part)[0])
            for v, old in zip(variables, before, strict=True):
                v.assign(old)
            outputs.append(predictions)
        mean = [None if g[0] is None else sum(g) / count for g in zip(*gradients, strict=True)]
        self.optimizer.apply_gradients(zip(mean, variables, strict=True))
        y_pred = jax.tree.map(lambda *rows: jnp.concatenate(rows), *outputs)
        return self.compute_metrics(x, y, y_pred, sample_weight=weights)

    def _gradients(self, variables: Any, x: Any, y: Any, weights: Any) -> tuple[list[Any], Any]:
        with GradientTape() as tape:
            y_pred = self.model(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weights)
        return tape.gradient(loss, variables), y_pred

    def get_config(self) -> dict[str, Any]:
        """The model's config, and its own."""
        return {
            "name": self.name,
            "model": serialize_keras_object(self.model),
            "rho": self.rho,
            "num_batch_splits": self.num_batch_splits,
        }

    @classmethod
    @reads_config
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        """The same with a model of its own."""
        model = deserialize_keras_object(config["model"], custom_objects=custom_objects)
        return cls(**{**config, "model": model})


def _parts(batch: Any, count: int, who: str) -> list[Any]:
    sizes = {leaf.shape[0] for leaf in jax.tree.leaves(batch)}
    if any(isinstance(n, int) and n % count for n in sizes):
        rule = f"a batch must split into {count} equal parts"
        raise ArgumentError(message(who, rule, f"{max(sizes)} samples"))
    pieces = [
        jax.tree.map(lambda leaf, i=i: jnp.split(leaf, count)[i], batch) for i in range(count)
    ]
    return pieces


__all__ = [
    "MeanTensor",
    "RandomFourierFeatures",
    "RandomHeight",
    "RandomWidth",
    "SharpnessAwareMinimization",
]
