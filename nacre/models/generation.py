"""Text, or any sequence of tokens, from a model that tells the next one.

One program holds the whole loop: a buffer of the final length, a model call for each new token, the
choice of that token. The prompt's length is an argument of the program, so prompts of all lengths
share it. A model made of `TransformerDecoder` blocks is called on the whole buffer once and on one
token a step after that, its encoder once; any other causal model is called on the whole buffer each
time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.core import scope
from nacre.core.errors import ArgumentError, NonFiniteError, ShapeError, message
from nacre.core.numbers import as_whole, whole_number
from nacre.core.program import CallProgram, programs_of
from nacre.core.random import draw_key
from nacre.core.state import State
from nacre.core.warning import warn
from nacre.layers.base.compiled import call_key
from nacre.layers.transformer import beam_step, sample_tokens
from nacre.layers.transformer.decoding import DecodingState, decoding
from nacre.models import generation_graph
from nacre.models.model import Model
from nacre.ops.kernels.placement import inside_loop, own_program
from nacre.training.checks import contradiction
from nacre.training.last_activation import last_activations

_WHO = "generate"


class Settings(NamedTuple):
    """What a compiled program depends on, besides the shapes."""

    length: int
    temperature: float
    top_k: int | None
    top_p: float | None
    num_beams: int
    length_penalty: float
    end_token: int | None
    pad_token: int
    from_logits: bool
    use_cache: bool


def generate(
    model: Any,
    prompt: Any,
    max_length: int | None = None,
    *,
    max_new_tokens: int | None = None,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    num_beams: int = 1,
    length_penalty: float = 0.0,
    end_token: int | None = None,
    pad_token: int = 0,
    seed: Any = None,
    encoder_inputs: Any = None,
    from_logits: bool = True,
    use_cache: bool | None = None,
) -> np.ndarray:
    """Continue sequences of tokens, each new one chosen by the model's prediction.

    Args:
        model: A model, or any function in JAX, from tokens (batch, time) to logits
            (batch, time, vocab), whose outputs do not depend on later tokens.
        prompt: Tokens (batch, time), or (time,) for one sequence, or a list of lists of different
            lengths, or a `Ragged`.
        max_length: Length of the result, prompt included. Give it or `max_new_tokens`; with both a
            sequence ends at the smaller of the two.
        max_new_tokens: Number of tokens that each prompt is continued by, whatever its length; the
            rest of the result is `pad_token`. With `max_length` besides, one program serves prompts
            of all lengths.
        temperature: 0 takes the most probable token; above, tokens are drawn, and larger values
            make rare ones likelier. 0 by default, 1 with `top_k` or `top_p`.
        top_k: Draw from this many most probable tokens.
        top_p: Draw from the most probable tokens that together reach this probability.
        num_beams: Above 1, beam search: the most probable whole sequence of this many followed.
        length_penalty: Beam scores are divided by (new tokens) ** length_penalty at the end.
        end_token: A sequence ends after this token; the rest is `pad_token`.
        pad_token: See above.
        seed: Int or `SeedGenerator`, for repeatable draws.
        encoder_inputs: First input of a model of two inputs, [source, tokens].
        from_logits: False when the model ends in a softmax; a warning tells where its last layer
            says otherwise and the choice depends on it.
        use_cache: Whether keys and values are kept from step to step. By default where the model's
            graph shows that it is right; True for a subclassed model whose other layers treat each
            step alone.

    Shapes:
        returns (batch, max_length) int32, or (max_length,) for one sequence; without `max_length`
            it is the longest prompt's length and `max_new_tokens`
    Raises:
        ArgumentError: An argument breaks its rule, or the arguments contradict each other.
        ShapeError: A prompt is empty or longer than `max_length`, the model takes fewer steps, or
            it does not predict a token for each step.
        NonFiniteError: A prediction that a token is chosen by holds NaN.
    Source:
        Temperature and top-k: Fan et al. 2018, arXiv:1805.04833; top-p: Holtzman et al. 2020,
        arXiv:1904.09751; length penalty: Wu et al. 2016, arXiv:1609.08144, equation 14, without
        its constant 5.
    Example:
        >>> count_up = lambda tokens: jax.nn.one_hot(tokens + 1, 10)
        >>> generate(count_up, [1, 2], 6).tolist()
        [1, 2, 3, 4, 5, 6]
    """
    rows, is_single = _rows(prompt)
    pad_token = _token("pad_token", pad_token)
    end_token = None if end_token is None else _token("end_token", end_token)
    top_k = None if top_k is None else whole_number(_WHO, "top_k", top_k, or_else=" or None")
    num_beams = whole_number(_WHO, "num_beams", num_beams)
    max_length = _result_length(rows, max_length, max_new_tokens)
    tokens, lengths = _buffer(rows, max_length, pad_token)
    encoder_inputs = _of_numbers(encoder_inputs)
    new_tokens = max_length if max_new_tokens is None else max_new_tokens
    ends = np.minimum(lengths + new_tokens, max_length).astype("int32")
    if temperature is None:
        temperature = 0.0 if top_k is None and top_p is None else 1.0
    _check(temperature, top_k, top_p, num_beams)
    length = _buffer_length(model, max_length)
    tokens = np.pad(tokens, ((0, 0), (0, length - max_length)), constant_values=pad_token)
    can_cache = generation_graph.can_cache(model, encoder_inputs)
    cached = can_cache if use_cache is None else bool(use_cache)
    if cached and encoder_inputs is not None and not can_cache:
        raise ArgumentError(
            message(
                _WHO,
                "with encoder_inputs and use_cache=True the model must be a graph whose decoder "
                "treats each step alone, besides TransformerDecoder",
                "another model",
                "Leave use_cache out.",
            )
        )
    if use_cache and not can_cache and (steps := _steps_of(model)) not in (None, 1):
        raise ArgumentError(
            message(
                _WHO,
                "with use_cache=True the model must take any number of steps, one at a time",
                f"a model whose input has {steps}",
                "Build it with Input((None,)), or leave use_cache out.",
            )
        )
    settings = Settings(
        max_length,
        float(temperature),
        top_k,
        top_p,
        num_beams,
        float(length_penalty),
        end_token,
        pad_token,
        from_logits,
        cached,
    )
    key = draw_key(seed) if temperature and num_beams == 1 else None
    result, is_broken = _run(model, settings, tokens, lengths, ends, key, encoder_inputs)
    if np.asarray(is_broken).any():
        raise _without_numbers(rows, np.asarray(is_broken), from_logits)
    result = np.asarray(result)[:, :max_length]
    return result[0] if is_single else result


# ------------------------------------------------------------------------------- the arguments


def _rows(prompt: Any) -> tuple[list[np.ndarray], bool]:
    """The prompts, each an array of tokens, and whether there was one alone."""
    if hasattr(prompt, "row_splits"):  # rows of different lengths, ours or TensorFlow's
        prompt = prompt.to_list()
    is_list = isinstance(prompt, list | tuple)
    rows = list(prompt) if is_list else np.asarray(prompt)
    if not is_list and np.ndim(rows) == 0:
        raise _no_tokens(prompt)
    is_single = bool(len(rows)) and np.ndim(rows[0]) == 0
    return [_whole_tokens(row) for row in ([rows] if is_single else rows)], is_single


def _whole_tokens(row: Any) -> np.ndarray:
    """One prompt as int32; text and fractions would become other tokens without a word."""
    values = np.asarray(row)
    if values.dtype.kind not in "biuf":
        raise _no_tokens(row)
    with np.errstate(invalid="ignore"):
        tokens = values.astype("int32")
    if (tokens != values).any():
        raise _no_tokens(values[tokens != values][0])
    return tokens


def _of_numbers(encoder_inputs: Any) -> Any:
    """Lists of numbers as an array; text and lists of different lengths are refused."""
    leaves = jax.tree.leaves(encoder_inputs)
    is_text = any(np.asarray(leaf).dtype.kind in "USO" for leaf in leaves if np.ndim(leaf) == 0)
    if is_text or getattr(getattr(encoder_inputs, "dtype", None), "kind", "f") in "USO":
        rule = "encoder_inputs must be numbers"
        fix = "Text becomes tokens by the layer that the model was trained with: layer(texts)."
        raise ArgumentError(message(_WHO, rule, "text", fix))
    if not isinstance(encoder_inputs, list | tuple) or any(np.ndim(leaf) for leaf in leaves):
        return encoder_inputs
    try:
        return np.asarray(encoder_inputs)
    except ValueError:
        rule = "lists in encoder_inputs must have one length"
        lengths = [len(row) for row in encoder_inputs if isinstance(row, list | tuple)]
        fix = "Fill them up: nacre.utils.pad_sequences(lists, padding='post')."
        raise ShapeError(message(_WHO, rule, f"lengths {lengths[:10]}", fix)) from None


def _no_tokens(found: Any) -> ArgumentError:
    rule = "a prompt must be tokens, whole numbers"
    fix = "Text becomes tokens by the tokenizer that the model was trained with: tokenizer([text])."
    is_text = np.asarray(found).dtype.kind in "USO"
    return ArgumentError(message(_WHO, rule, repr(found)[:60], fix if is_text else ""))


def _without_numbers(
    rows: list[np.ndarray], is_broken: np.ndarray, from_logits: bool
) -> NonFiniteError:
    low, high = min(int(row.min()) for row in rows), max(int(row.max()) for row in rows)
    fix = (
        f"The prompts hold tokens from {low} to {high}: see that the model's Embedding has them "
        "all (and those in encoder_inputs), and that its weights are finite."
    )
    if not from_logits:
        fix = "from_logits=False is for a model that ends in a softmax. " + fix
    return NonFiniteError(
        message(
            _WHO,
            "predictions must be numbers, to choose a token by",
            f"NaN for sequence {int(is_broken.argmax())} of the batch",
            fix,
        )
    )


def _token(name: str, value: Any) -> int:
    found = as_whole(value)
    if found is None:
        raise ArgumentError(message(_WHO, f"{name} must be one token, an int", repr(value)[:100]))
    return found


def _result_length(
    rows: list[np.ndarray], max_length: int | None, max_new_tokens: int | None
) -> int:
    """`max_length`, or without it what the longest prompt and its new tokens need."""
    if max_new_tokens is not None:
        max_new_tokens = whole_number(_WHO, "max_new_tokens", max_new_tokens)
        longest = max((row.size for row in rows), default=0) + max_new_tokens
        return longest if max_length is None else whole_number(_WHO, "max_length", max_length)
    if max_length is None:
        rule = "the number of tokens must be limited"
        fix = "Pass max_length, which counts the prompt, or max_new_tokens, which does not."
        raise ArgumentError(message(_WHO, rule, "neither max_length nor max_new_tokens", fix))
    return whole_number(_WHO, "max_length", max_length)


def _buffer(
    rows: list[np.ndarray], max_length: int, pad_token: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens (batch, max_length) and the lengths of the prompts."""
    lengths = np.array([row.size for row in rows], "int32")
    if not rows or lengths.min() < 1 or lengths.max() > max_length or rows[0].ndim != 1:
        got = f"lengths {lengths.tolist()[:10]}, max_length={max_length}" if rows else "no prompt"
        raise ShapeError(message(_WHO, "each prompt must have from 1 to max_length tokens", got))
    tokens = np.full((len(rows), max_length), pad_token, "int32")
    for row, values in enumerate(rows):
        tokens[row, : values.size] = values
    return tokens, lengths


def _check(temperature: Any, top_k: Any, top_p: Any, num_beams: Any) -> None:
    wrong = []
    if not temperature >= 0:
        wrong.append(f"temperature={temperature}: it must not be negative")
    if top_p is not None and not 0 < top_p <= 1:
        wrong.append(f"top_p={top_p}: it must be above 0 and at most 1")
    if temperature == 0 and (top_k is not None or top_p is not None):
        wrong.append("temperature=0 with top_k or top_p: nothing is drawn")
    if num_beams > 1 and temperature:
        wrong.append("num_beams with a temperature: beam search draws nothing")
    if wrong:
        raise ArgumentError(message(_WHO, "arguments must fit together", "; ".join(wrong)))


def _steps_of(model: Any) -> int | None:
    """How many steps the model's last input has; None where that is open or unknown."""
    inputs = getattr(model, "inputs", None)
    return inputs[-1].shape[1] if inputs and len(inputs[-1].shape) > 1 else None


def _buffer_length(model: Any, max_length: int) -> int:
    """The length of the buffer: `max_length`, or what the model's input has."""
    steps = _steps_of(model)
    if steps is not None and steps < max_length:
        raise ShapeError(
            message(
                _WHO,
                f"max_length must be at most {steps}, the steps the model's input has",
                str(max_length),
                "Build the model with Input((None,)) to leave the number of steps open.",
            )
        )
    return max_length if steps is None else steps


# ------------------------------------------------------------------------------- the program


def _run(
    model: Any,
    settings: Settings,
    tokens: Any,
    lengths: Any,
    ends: Any,
    key: Any,
    encoder_inputs: Any,
) -> Any:
    if not isinstance(model, Model):
        program = CallProgram(_program(model, settings), State({}), name=_WHO)
        return program.run(tokens, lengths, ends, key, encoder_inputs)
    if not model.built:
        model(tokens if encoder_inputs is None else [encoder_inputs, tokens])
    _warn_about_logits(model, settings)
    key_of_program = (_WHO, settings, *call_key(model))
    program = programs_of(model).get(
        key_of_program,
        lambda: CallProgram(
            _program(model, settings), State({"model": model.variables}), name=_WHO
        ),
    )
    return program.run(tokens, lengths, ends, key, encoder_inputs)


def _warn_about_logits(model: Model, settings: Settings) -> None:
    """Warn where `from_logits` and the model's last activation contradict each other."""
    if settings.temperature == 0 and settings.num_beams == 1:  # the largest is the largest anyway
        return
    last = last_activations(model, 1)[0]
    if last is None or (not settings.from_logits and last.name == "sigmoid"):
        return  # shares that do not add up to 1 are drawn by as they are
    wanted = "linear" if settings.from_logits else "softmax"
    found = contradiction(wanted, last.name, last.layer)
    if found is not None:
        fix = f"Pass from_logits={not settings.from_logits}."
        shown = "None" if last.name == "linear" else repr(last.name)
        warn(message(_WHO, found[0], f"activation={shown}", fix))


def _program(model: Any, settings: Settings) -> Callable[..., Any]:
    """(tokens, lengths, ends, key, encoder inputs) -> tokens, and which rows met NaN."""
    loop = _beam_loop if settings.num_beams > 1 else _sampling_loop
    split = generation_graph.split_at_decoder(model) if settings.use_cache else None

    def run(tokens: Any, lengths: Any, ends: Any, key: Any, encoder_inputs: Any) -> Any:
        if settings.num_beams > 1 and encoder_inputs is not None:
            encoder_inputs = _repeat(encoder_inputs, settings.num_beams)
        encoded: Any = None
        if split is not None:
            encoded = split.encode(model, encoder_inputs)

        def call(inputs: Any) -> Any:
            if split is not None:
                return split.decode(model, encoded, inputs)
            return _call_model(
                model, inputs if encoder_inputs is None else [encoder_inputs, inputs]
            )

        def predict(inputs: Any, state: DecodingState | None) -> Any:
            # What a call changes (seeds, statistics) is its own: every token sees the same model.
            with scope.StatelessScope():
                if state is None:
                    outputs = call(inputs)
                else:
                    with decoding(state):
                        outputs = call(inputs)
            _check_outputs(outputs, inputs)
            return outputs if settings.from_logits else jnp.log(outputs)

        predictor = _Predictor(predict, settings.use_cache)
        return loop(predictor, settings, tokens, lengths, ends, key)

    def run_where_kernels_are_used(*arguments: Any) -> Any:
        with own_program():
            return run(*arguments)

    return run_where_kernels_are_used


def _call_model(model: Any, inputs: Any) -> Any:
    return model._call_now(inputs, training=False) if isinstance(model, Model) else model(inputs)


def _check_outputs(outputs: Any, tokens: Any) -> None:
    """Refuse what would be read at a wrong place: `dynamic_slice` takes any index."""
    shape = tuple(getattr(outputs, "shape", ()))
    if len(shape) == 3 and shape[:2] == tuple(tokens.shape):
        return
    rule = "the model must predict the next token after each step: outputs (batch, time, vocab)"
    got = f"shape {shape}" if shape else f"an object of type {type(outputs).__name__}"
    fix = ""
    if len(shape) == 2:
        fix = "Recurrent layers keep the steps with return_sequences=True."
    raise ShapeError(message(_WHO, f"{rule} for tokens {tuple(tokens.shape)}", got, fix))


def _repeat(values: Any, count: int) -> Any:
    return jax.tree.map(lambda x: jnp.repeat(jnp.asarray(x), count, axis=0), values)


class _Predictor:
    """Logits of the token after a position, with a cache of keys and values or without."""

    def __init__(self, predict: Callable[..., Any], use_cache: bool) -> None:
        self.predict, self.use_cache = predict, use_cache
        self.constants: list[Any] = []  # what the first call computed for all: an encoder's keys

    def start(self, tokens: Any, position: Any) -> tuple[Any, Any]:
        """Logits (batch, vocab) after `position`, and the cache."""
        state = DecodingState() if self.use_cache else None
        logits = _logits_at(self.predict(tokens, state), position)
        self.constants = state.constants if state is not None else []
        return logits, (state.new_cache if state is not None else [])

    def step(self, tokens: Any, position: Any, cache: Any) -> tuple[Any, Any]:
        """The same when the token at `position` is new."""
        if not self.use_cache:
            return self.start(tokens, position)
        state = DecodingState(position, cache, self.constants, tokens.shape[1])
        token = lax.dynamic_slice_in_dim(tokens, position, 1, axis=1)
        return self.predict(token, state)[:, 0], state.new_cache


def _logits_at(logits: Any, position: Any) -> Any:
    return lax.dynamic_index_in_dim(logits, position, axis=1, keepdims=False)


def _with_column(tokens: Any, position: Any, column: Any) -> Any:
    return lax.dynamic_update_slice_in_dim(tokens, column[:, None], position, axis=1)


def _sampling_loop(
    predictor: _Predictor, settings: Settings, tokens: Any, lengths: Any, ends: Any, key: Any
) -> Any:
    first = jnp.min(lengths)
    logits, cache = predictor.start(tokens, first - 1)
    end = -1 if settings.end_token is None else settings.end_token

    def is_unfinished(carry: Any) -> Any:
        position, _, _, _, finished, _ = carry
        return (position < settings.length) & ~jnp.all(finished)

    def step(carry: Any) -> Any:
        position, tokens, logits, cache, finished, is_broken = carry
        step_key = None if key is None else jax.random.fold_in(key, position)
        chosen = sample_tokens(
            logits, step_key, settings.temperature, settings.top_k, settings.top_p
        )
        is_given = position < lengths
        is_broken = is_broken | (~is_given & ~finished & jnp.isnan(logits).any(axis=-1))
        given = lax.dynamic_index_in_dim(tokens, position, axis=1, keepdims=False)
        chosen = jnp.where(finished, settings.pad_token, chosen)
        finished = finished | (~is_given & (chosen == end)) | (position + 1 >= ends)
        tokens = _with_column(tokens, position, jnp.where(is_given, given, chosen))
        logits, cache = predictor.step(tokens, position, cache)
        return position + 1, tokens, logits, cache, finished, is_broken

    finished = jnp.zeros(tokens.shape[:1], bool)
    with inside_loop():
        carry = (first, tokens, logits, cache, finished, finished)  # nothing is broken yet
        _, tokens, _, _, _, is_broken = lax.while_loop(is_unfinished, step, carry)
    return tokens, is_broken


def _beam_loop(
    predictor: _Predictor, settings: Settings, tokens: Any, lengths: Any, ends: Any, key: Any
) -> Any:
    """Beam search; rows of the buffer are (batch, beams) flattened."""
    beams, batch = settings.num_beams, tokens.shape[0]
    end = -1 if settings.end_token is None else settings.end_token
    first = jnp.min(lengths)
    tokens = jnp.repeat(tokens, beams, axis=0)
    logits, cache = predictor.start(tokens, first - 1)
    # At first only one beam counts: all of them hold the prompt.
    scores = jnp.full((batch, beams), -jnp.inf, "float32").at[:, 0].set(0.0)

    def is_unfinished(carry: Any) -> Any:
        return (carry[0] < settings.length) & ~jnp.all(carry[4])

    def step(carry: Any) -> Any:
        position, tokens, logits, cache, finished, scores, counts, is_broken = carry
        found = beam_step(scores, _by_beam(logits, beams), finished, settings.pad_token)
        is_given = (position < lengths)[:, None]
        is_nan = jnp.isnan(_by_beam(logits, beams)).any(axis=-1)
        is_broken = is_broken | (~is_given & ~finished & is_nan).any(axis=-1)
        given = _by_beam(_logits_at(tokens, position), beams)
        parents = jnp.where(is_given, jnp.arange(beams), found.parents)
        chosen = jnp.where(is_given, given, found.tokens)
        scores = jnp.where(is_given, scores, found.scores)
        finished = jnp.take_along_axis(finished, parents, axis=1)
        counts = jnp.take_along_axis(counts, parents, axis=1)
        counts = counts + (~is_given & ~finished)
        is_last = (position + 1 >= ends)[:, None]
        finished = finished | (~is_given & (chosen == end)) | is_last
        rows = (jnp.arange(batch)[:, None] * beams + parents).reshape(-1)
        tokens = _with_column(tokens[rows], position, chosen.reshape(-1))
        cache = jax.tree.map(lambda x: x[rows], cache)
        logits, cache = predictor.step(tokens, position, cache)
        return position + 1, tokens, logits, cache, finished, scores, counts, is_broken

    finished, counts = jnp.zeros((batch, beams), bool), jnp.zeros((batch, beams), "int32")
    is_broken = jnp.zeros((batch,), bool)
    carry = (first, tokens, logits, cache, finished, scores, counts, is_broken)
    with inside_loop():
        carry = lax.while_loop(is_unfinished, step, carry)
    _, tokens, _, _, _, scores, counts, is_broken = carry
    best = jnp.argmax(scores / jnp.maximum(counts, 1) ** settings.length_penalty, axis=1)
    return _by_beam(tokens, beams)[jnp.arange(batch), best], is_broken


def _by_beam(values: Any, beams: int) -> Any:
    return values.reshape((-1, beams, *values.shape[1:]))
