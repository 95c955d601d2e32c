"""A generator gives its batches once: an evaluation or a validation that gets too few says so."""

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import DataError

X, Y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")


def batches(count):
    yield from [(X, Y)] * count


@pytest.fixture
def model():
    made = nacre.Sequential([nacre.Input((2,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def test_evaluation_with_fewer_batches_than_steps_says_so(model):
    with pytest.warns(UserWarning, match=r"should give 5 batches.*Got 3"):
        found = model.evaluate(batches(3), steps=5, verbose=0)
    assert found == pytest.approx(model.evaluate(batches(3), steps=3, verbose=0))
    assert model.stop_training is False


def test_data_that_can_be_gone_over_again_is_evaluated_once_without_a_word(model):
    assert model.evaluate(X, Y, batch_size=2, steps=5, verbose=0) >= 0

    class Three(nacre.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return X, Y

    assert model.evaluate(Three(), steps=5, verbose=0) >= 0


@pytest.mark.parametrize(
    ("given", "steps", "rule", "epochs"),
    [
        (12, 5, "should give 5 batches", 3),  # the third is over the last two
        (4, 2, "must give batches", 2),  # nothing is left for the third
        (3, None, "must give batches", 1),
    ],
)
def test_validation_by_a_generator_that_is_used_up_ends_training_in_order(
    model, given, steps, rule, epochs
):
    ended = []
    at_end = nacre.callbacks.LambdaCallback(on_train_end=lambda logs: ended.append(1))
    best = nacre.callbacks.EarlyStopping("val_loss", patience=9, restore_best_weights=True)
    with pytest.warns(UserWarning, match=f"{rule}.*training ends here.*for ever"):
        history = model.fit(
            X,
            Y,
            epochs=6,
            verbose=0,
            validation_data=batches(given),
            validation_steps=steps,
            callbacks=[at_end, best],
        ).history
    assert [len(history[name]) for name in ("loss", "val_loss")] == [epochs, epochs]
    assert ended == [1]


def test_a_validation_that_never_has_batches_is_refused(model):
    with pytest.raises(DataError, match="must give at least one batch"):
        model.fit(X, Y, epochs=2, verbose=0, validation_data=batches(0))


def test_the_last_epoch_may_use_a_generator_up(model):
    history = model.fit(
        X, Y, epochs=2, verbose=0, validation_data=batches(4), validation_steps=2
    ).history
    assert len(history["val_loss"]) == 2
