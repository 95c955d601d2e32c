"""`nacre quickstart`: train a digit classifier in seconds, keep the model, draw what it learnt."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from nacre.cli._console import make_console

# The seed at which the command was tried most; any other works as well.
_DEFAULT_SEED = 7
_PLOT_LINE = r'pip install "nacre\[plot]"'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to write, how long to train, which seed."""
    parser.add_argument(
        "--output", metavar="DIR", default="nacre-quickstart", help="Folder for the results."
    )
    parser.add_argument(
        "--epochs", metavar="N", type=_positive, default=25, help="Most epochs to train."
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=_DEFAULT_SEED, help="Seed of every random number."
    )


def _positive(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"must be a number of at least 1. Got {word!r}")
    return int(word)


def train(x_train: Any, y_train: Any, epochs: int, folder: Path) -> tuple[Any, Any]:
    """Build, compile and fit the classifier. This is all the training code there is.

    Args:
        x_train: Images (n, 8, 8), values 0 to 16.
        y_train: Labels (n,), values 0 to 9.
        epochs: Most epochs to train; it stops early when validation no longer improves.
        folder: Folder for `history.csv`.
    """
    import nacre as keras
    from nacre import layers

    # 41 steps an epoch: with the default momentum, 0.99, the averages that validation uses would
    # need several epochs to catch up with the network.
    model = keras.Sequential(
        [
            keras.Input(shape=(8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.BatchNormalization(momentum=0.9),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.BatchNormalization(momentum=0.9),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.summary()
    history = model.fit(
        x_train,
        y_train,
        batch_size=32,
        epochs=epochs,
        validation_split=0.1,
        callbacks=[
            keras.callbacks.EarlyStopping("val_loss", patience=8, restore_best_weights=True),
            keras.callbacks.CSVLogger(str(folder / "history.csv")),
        ],
    )
    return model, history


def run(arguments: argparse.Namespace) -> int:
    """Train, test, draw, save, reload, compare; print what happened and where it lies."""
    from nacre.core.random import set_random_seed
    from nacre.datasets import digits

    console = make_console()
    folder = Path(arguments.output)
    folder.mkdir(parents=True, exist_ok=True)
    set_random_seed(arguments.seed)
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    # fit() takes its validation rows from the end, where one writer's digits would lie together.
    order = _shuffled(len(x_train), arguments.seed)
    x_train, y_train = x_train[order, :, :, None], y_train[order]
    x_test = x_test[..., None]

    console.print(
        f"\n[bold]{len(x_train):,}[/] training images, [bold]{len(x_test)}[/] test images of "
        "handwritten digits, 8 x 8 pixels.\n"
    )
    started = time.perf_counter()
    model, history = train(x_train, y_train, arguments.epochs, folder)
    seconds = time.perf_counter() - started

    probabilities = model.predict(x_test, verbose=0)
    predicted = probabilities.argmax(axis=-1)
    model_path = folder / "digits.keras"
    model.save(str(model_path))
    difference = _reload_difference(model_path, x_test, probabilities)
    drawn = _draw(history.history, x_test[..., 0], y_test, probabilities, folder)
    _report(
        console,
        accuracy=float((predicted == y_test).mean()),
        wrong=int((predicted != y_test).sum()),
        num_test=len(y_test),
        seconds=seconds,
        difference=difference,
    )
    _list_files(console, folder, drawn)
    return 0


def _shuffled(size: int, seed: int) -> Any:
    import numpy as np

    return np.random.default_rng(seed).permutation(size)


def _reload_difference(path: Path, x_test: Any, probabilities: Any) -> float:
    """The largest difference between the reloaded model's predictions and the given ones."""
    import numpy as np

    from nacre.saving import load_model

    again = load_model(str(path)).predict(x_test, verbose=0)
    return float(np.abs(np.asarray(again) - np.asarray(probabilities)).max())


def _draw(
    history: dict[str, list[float]], images: Any, labels: Any, probabilities: Any, folder: Path
) -> bool:
    """Draw the three figures; False when matplotlib is missing."""
    import importlib.util

    if importlib.util.find_spec("matplotlib") is None:
        return False
    from nacre.cli import _figures

    _figures.learning_curves(history, folder / "learning_curves.png")
    _figures.confusion_matrix(labels, probabilities, folder / "confusion_matrix.png")
    _figures.worst_mistakes(images, labels, probabilities, folder / "worst_mistakes.png")
    return True


def _report(
    console: Any,
    *,
    accuracy: float,
    wrong: int,
    num_test: int,
    seconds: float,
    difference: float,
) -> None:
    console.print(
        f"\n[bold green]{accuracy:.1%}[/] test accuracy ({wrong} of {num_test} wrong), "
        f"trained in {seconds:.1f} seconds."
    )
    if difference == 0:
        console.print("Saved, loaded again, compared: the predictions are the same, bit for bit.")
    else:
        console.print(f"Saved, loaded again, compared: the largest difference is {difference:.1e}.")


def _list_files(console: Any, folder: Path, drawn: bool) -> None:
    files = {
        "digits.keras": "the model; open it with nacre.saving.load_model",
        "history.csv": "loss and accuracy of every epoch",
    }
    if drawn:
        files |= {
            "learning_curves.png": "how training went",
            "confusion_matrix.png": "which digits are taken for which",
            "worst_mistakes.png": "the test images it is most wrong about",
        }
    console.print(f"\nIn [cyan]{folder}/[/]")
    for name, text in files.items():
        console.print(f"  [cyan]{name:<22}[/] {text}")
    if not drawn:
        console.print(f"\nFor the figures, install matplotlib: [cyan]{_PLOT_LINE}[/]")
    console.print()
