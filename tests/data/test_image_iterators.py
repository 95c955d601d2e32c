"""The iterators of ImageDataGenerator: as tf.keras's, in fit and predict, and where a run stopped."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas
import polars
import pytest

import nacre as keras
from nacre.core.errors import ArgumentError, DataError, ShapeError
from nacre.preprocessing.image import (
    DataFrameIterator,
    DirectoryIterator,
    ImageDataGenerator,
    Iterator,
    NumpyArrayIterator,
)
from tests.cases.image_generators import images, write_folder

X, Y = images(), np.arange(5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(write_folder(tmp_path_factory.mktemp("pictures")))


def labels_of(iterator, count):
    return [next(iterator)[1].tolist() for _ in range(count)]


def model(outputs=3):
    made = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(outputs)])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    made.compile(keras.optimizers.SGD(1e-4), loss)
    return made


# ------------------------------------------------------------------------------------ attributes


def test_what_a_folder_holds_is_said(folder, capsys):
    given = ImageDataGenerator().flow_from_directory(folder, (6, 5), batch_size=4, shuffle=False)
    assert capsys.readouterr().out == "Found 13 images belonging to 3 classes.\n"
    assert given.class_indices == {"birds": 0, "cats": 1, "dogs": 2}
    assert (given.samples, given.n, given.num_classes, len(given)) == (13, 13, 3, 4)
    assert given.filenames[:2] == ["birds/0.png", "birds/big/0.png"]
    assert given.filepaths[0] == f"{folder}/birds/0.png"
    assert given.classes.tolist() == given.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 5
    assert given.classes.dtype == np.int32
    assert given.image_shape == (6, 5, 3) and given.sample_weight is None
    grey = ImageDataGenerator(data_format="channels_first")
    given = grey.flow_from_directory(folder, (6, 5), color_mode="grayscale")
    assert given.image_shape == (1, 6, 5) == given[0][0].shape[1:]


def test_hidden_folders_are_no_classes(tmp_path):
    write_folder(tmp_path)
    (tmp_path / ".ipynb_checkpoints").mkdir()
    given = ImageDataGenerator().flow_from_directory(tmp_path, (4, 4))
    assert list(given.class_indices) == ["birds", "cats", "dogs"]


def test_classes_that_are_named_have_the_numbers_of_their_places(folder):
    generator = ImageDataGenerator()
    given = generator.flow_from_directory(
        folder, (4, 4), classes=["dogs", "cats"], class_mode="binary"
    )
    assert given.class_indices == {"dogs": 0, "cats": 1} and given.samples == 9
    assert set(given[0][1].tolist()) <= {0.0, 1.0} and given[0][1].dtype == np.float32
    with pytest.warns(UserWarning, match=r"none for \['zebra'\]"):
        given = generator.flow_from_directory(folder, (4, 4), classes=["dogs", "zebra"])
    assert given.num_classes == 2


def test_arrays_flow_with_others_and_weights():
    others = [np.arange(5), np.ones((5, 2))]
    (x, a, b), y = ImageDataGenerator().flow((X, others), Y, 3, shuffle=False)[1]
    assert (x.shape, a.tolist(), b.shape, y.tolist()) == ((2, 6, 6, 3), [3, 4], (2, 2), [3, 4])
    (x, a), _ = ImageDataGenerator().flow([X, others[0]], Y, 3, shuffle=False)[1]
    assert (x.shape, a.tolist()) == ((2, 6, 6, 3), [3, 4])
    assert ImageDataGenerator().flow(list(X), Y, 3)[0][0].shape == (3, 6, 6, 3)
    _, _, weights = ImageDataGenerator().flow(X, Y, 5, sample_weight=Y * 0.1, shuffle=False)[0]
    assert weights.tolist() == (Y * 0.1).tolist()
    assert (
        ImageDataGenerator(dtype="float16").flow(X.astype("uint8"), batch_size=5)[0].dtype
        == np.float16
    )


def test_walking_never_ends_and_reset_begins_anew():
    given = ImageDataGenerator().flow(X, Y, 3, shuffle=False)
    assert labels_of(given, 3) == [[0, 1, 2], [3, 4], [0, 1, 2]]
    assert given.batch_index == 1 and given.total_batches_seen == 3
    given.reset()
    assert given.next()[1].tolist() == [0, 1, 2]
    seen = []
    for _, labels in given:
        seen.append(labels.tolist())
        if len(seen) == 3:
            break
    assert seen == [[3, 4], [0, 1, 2], [3, 4]]


def test_a_subclass_defines_the_batches():
    class Noise(Iterator):
        def _get_batches_of_transformed_samples(self, index_array):
            return np.random.uniform(size=len(index_array))

    first, second = Noise(5, 2, True, 3), Noise(5, 2, True, 3)
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    assert first[0].tolist() == second[0].tolist() != second[1].tolist()
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # and leaves np.random alone


def test_changed_images_are_saved_where_asked(tmp_path):
    given = ImageDataGenerator().flow(
        X,
        batch_size=3,
        shuffle=False,
        seed=1,
        save_to_dir=tmp_path,
        save_prefix="p",
        save_format="jpeg",
    )
    given[0]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 3 and names[0].startswith("p_0_") and names[0].endswith(".jpeg")


# ------------------------------------------------------------------------------------------ frames


def frame(**more):
    files = ["dogs/0.png", "dogs/1.png", "cats/0.png", "cats/1.png", "birds/0.png", "nope.png"]
    columns = {
        "filename": files,
        "class": ["d", "d", "c", "c", "b", "d"],
        "w": np.arange(6.0),
        "a": np.arange(6.0) * 2,
        "tags": [["d", "x"], ["d"], ["c"], ["c", "x"], ["b"], ["d"]],
        "n": np.arange(6),
    }
    return pandas.DataFrame(columns | more, index=range(100, 106))


def flow(folder, given=None, **arguments):
    settings = {"target_size": (6, 5), "batch_size": 8, "shuffle": False, **arguments}
    with pytest.warns(UserWarning, match=r"1 that are not there: nope.png"):
        return ImageDataGenerator().flow_from_dataframe(
            frame() if given is None else given, folder, **settings
        )


def test_files_of_a_frame_are_read(folder, capsys):
    given = flow(folder)
    assert capsys.readouterr().out == "Found 5 validated image filenames belonging to 3 classes.\n"
    assert given.class_indices == {"b": 0, "c": 1, "d": 2} and given.classes == [2, 2, 1, 1, 0]
    assert given.filenames[0] == "dogs/0.png" and given.samples == 5
    x, y = given[0]
    assert x.shape == (5, 6, 5, 3) and y.argmax(axis=1).tolist() == [2, 2, 1, 1, 0]
    assert flow(folder, polars.from_pandas(frame()))[0][1].tolist() == y.tolist()


@pytest.mark.parametrize(
    ("arguments", "labels"),
    [
        ({"class_mode": "sparse"}, [2, 2, 1, 1, 0]),
        ({"class_mode": "binary", "classes": ["c", "d"]}, [1, 1, 0, 0]),
        ({"y_col": "tags"}, [[0, 0, 1, 1], [0, 0, 1, 0], [0, 1, 0, 0], [0, 1, 0, 1], [1, 0, 0, 0]]),
        ({"class_mode": "raw", "y_col": "a"}, [0, 2, 4, 6, 8]),
        ({"class_mode": "other", "y_col": "n"}, [0, 1, 2, 3, 4]),
        ({"class_mode": "raw", "y_col": ["a", "w"]}, [[2.0 * i, i] for i in range(5)]),
    ],
)
def test_labels_of_a_frame_are_those_of_tf_keras(folder, arguments, labels):
    assert flow(folder, **arguments)[0][1].tolist() == labels


def test_frames_give_several_outputs_weights_and_subsets(folder):
    _, (a, w) = flow(folder, class_mode="multi_output", y_col=["a", "w"])[0]
    assert a.tolist() == [0, 2, 4, 6, 8] and w.tolist() == [0, 1, 2, 3, 4]
    _, _, weights = flow(folder, weight_col="w")[0]
    assert weights.tolist() == [0, 1, 2, 3, 4]
    whole = frame().iloc[:5]
    generator = ImageDataGenerator(validation_split=0.4)
    with pytest.warns(UserWarning, match="none of d, which stand in the part for validation"):
        parts = [
            generator.flow_from_dataframe(whole, folder, subset=name).filenames
            for name in ("training", "validation")
        ]
    assert parts == [whole["filename"].tolist()[2:], whole["filename"].tolist()[:2]]


@pytest.mark.parametrize("subset", ["training", "validation"])
def test_a_frame_sorted_by_class_is_told_as_its_subsets_have_other_classes(folder, subset):
    names = [f"a/{i}.png" for i in range(6)]
    generator = ImageDataGenerator(validation_split=0.5)

    def flow_of(classes):
        table = pandas.DataFrame({"filename": names, "class": list(classes)})
        return generator.flow_from_dataframe(table, folder, subset=subset, validate_filenames=False)

    with pytest.warns(UserWarning, match="none of x, .*frame.sample"):
        flow_of("xxxyyy")
    for mixed in ("xyxyxy", "xyyyyy", "xyyxyy"):  # one image of a class may fall to either
        flow_of(mixed)


def test_arrays_sorted_by_class_are_told_where_labels_are_one_hot():
    generator = ImageDataGenerator(validation_split=0.5)
    images, labels = np.zeros((6, 2, 2, 1)), np.eye(2)[[0, 0, 0, 1, 1, 1]]
    with pytest.warns(UserWarning, match="none of 0.*ignore_class_split"):
        generator.flow(images, labels, subset="training")
    generator.flow(images, labels, subset="training", ignore_class_split=True)
    generator.flow(images, labels[[0, 3, 1, 4, 2, 5]], subset="training")
    generator.flow(images, np.eye(3)[[0, 1, 1, 1, 1, 1]], subset="training")


def test_files_of_a_frame_that_are_not_there_are_told_apart_from_other_endings(folder):
    table = pandas.DataFrame({"filename": ["a/gone.png", "a/notes.txt"], "class": ["x", "y"]})
    told = "1 that are not there: a/gone.png; 1 with other endings: a/notes.txt"
    with pytest.warns(UserWarning, match=told):
        ImageDataGenerator().flow_from_dataframe(table, folder)


def test_mistakes_in_frames_are_told(folder):
    generator = ImageDataGenerator()
    for error, match, arguments in (
        (ArgumentError, "Did you mean 'class'", {"y_col": "clas"}),
        (ArgumentError, "x_col must be a column", {"x_col": "file"}),
        (DataError, r"astype\(\{'n': str\}\)", {"y_col": "n"}),
        (DataError, "must be names of files", {"x_col": "n"}),
        (ArgumentError, r"y_col=\['a'\]", {"class_mode": "multi_output", "y_col": "a"}),
        (ArgumentError, "arguments must be known", {"targetsize": 3}),
    ):
        with pytest.raises(error, match=match):
            generator.flow_from_dataframe(frame().iloc[:5], folder, **arguments)


def test_mistakes_with_arrays_and_folders_are_told(folder):
    generator = ImageDataGenerator()
    with pytest.raises(ShapeError, match=r"x\[..., None\]"):
        generator.flow(X[..., 0])
    with pytest.raises(DataError, match="as many of y as images"):
        generator.flow(X, Y[:3])
    with pytest.raises(ArgumentError, match=r"validation_split=0.2"):
        generator.flow(X, Y, subset="training")
    with pytest.raises(DataError, match="ignore_class_split"):
        ImageDataGenerator(validation_split=0.4).flow(X, [0, 0, 1, 1, 1], subset="training")
    with pytest.raises(ArgumentError, match="needs 2 classes"):
        generator.flow_from_directory(folder, class_mode="binary")
    with pytest.raises(ArgumentError, match="class_mode must be one of"):
        generator.flow_from_directory(folder, class_mode="raw")
    with pytest.raises(FileNotFoundError):
        generator.flow_from_directory(f"{folder}/nowhere")
    with pytest.raises(IndexError, match="from 0 to 1"):
        generator.flow(X, batch_size=3)[2]


# ------------------------------------------------------------------------------------- in a run


def test_it_trains_evaluates_and_predicts_in_order(folder):
    generator = ImageDataGenerator(rotation_range=20, rescale=1 / 255)
    train = generator.flow_from_directory(folder, (6, 6), batch_size=4, seed=1)
    test = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        folder, (6, 6), batch_size=4, shuffle=False
    )
    made = model()
    made.fit(
        train,
        steps_per_epoch=train.samples // 4,
        validation_data=test,
        validation_steps=2,
        epochs=2,
        workers=2,
        verbose=0,
    )
    predicted = made.predict(test, verbose=0)
    wanted = np.concatenate([made.predict_on_batch(test[i][0]) for i in range(4)])
    np.testing.assert_allclose(predicted, wanted, rtol=1e-4, atol=1e-5)
    assert np.isfinite(made.evaluate(test, verbose=0))


@pytest.mark.parametrize("steps", [3, 5, 7])
@pytest.mark.filterwarnings("ignore:.*it goes on with them from their beginning")
def test_each_image_is_seen_once_a_pass_whatever_the_steps(steps):
    seen: list[int] = []

    class Noted(ImageDataGenerator):
        def standardize(self, x):
            seen.append(int(x.flat[0]))
            return x

    numbered = np.arange(10.0)[:, None, None, None] * np.ones((1, 2, 2, 1))
    batches = Noted().flow(numbered, np.zeros((10, 1)), 2, seed=1)
    made = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    made.fit(batches, steps_per_epoch=steps, epochs=5, verbose=0, shuffle=False)
    passes = [tuple(seen[begin : begin + 10]) for begin in range(0, 10 * steps, 10)]
    assert all(sorted(order) == list(range(10)) for order in passes)
    assert len(set(passes)) == len(passes)


def test_a_layer_adapts_to_one_pass():
    layer = keras.layers.Normalization()
    layer.adapt(ImageDataGenerator().flow(X, Y, 2))
    np.testing.assert_allclose(np.ravel(layer.mean), X.mean(axis=(0, 1, 2)), rtol=1e-4)


def test_orders_differ_between_epochs_and_follow_from_the_seed():
    def orders():
        given = ImageDataGenerator(rotation_range=20).flow(X, Y, 2, seed=7)
        found = []
        for _ in range(3):
            found.append([(given[i][1].tolist(), float(given.index_array[0])) for i in range(3)])
            given.on_epoch_end()
        return found

    assert orders() == orders()
    assert len({str(order) for order in orders()}) == 3


def test_threads_give_the_batches_that_one_gives():
    generator = ImageDataGenerator(rotation_range=20, zoom_range=0.2)
    alone, shared = (generator.flow(X, batch_size=1, seed=3) for _ in range(2))
    wanted = [alone[i] for i in range(5)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(shared.__getitem__, range(5)))
    np.testing.assert_array_equal(found, wanted)
    alone.on_epoch_end()
    shared.on_epoch_end()
    assert alone.index_array.tolist() == shared.index_array.tolist()


def test_workers_of_a_run_give_the_batches_that_one_gives():
    def noisy(picture):
        return picture + np.random.normal(0, 9, picture.shape)

    def weights(**how):
        keras.utils.set_random_seed(3)
        settings = {"rotation_range": 40, "rescale": 1 / 255, "preprocessing_function": noisy}
        train = ImageDataGenerator(**settings).flow(X, keras.utils.to_categorical(Y % 3, 3), 2)
        made = model()
        made.fit(train, epochs=3, verbose=0, **how)
        return made.get_weights()[0]

    np.testing.assert_array_equal(weights(workers=3), weights())


def test_copies_in_other_processes_make_other_batches_each_epoch():
    given = ImageDataGenerator(rotation_range=40).flow(X, batch_size=5, seed=3)
    found = []
    for _ in range(3):
        given.on_epoch_begin()
        found.append(pickle.loads(pickle.dumps(given))[0])
        given.on_epoch_end()
    assert len({float(batch[given.index_array.argsort()].mean()) for batch in found}) == 3


def test_images_and_masks_of_one_seed_are_changed_alike():
    settings = {"rotation_range": 30, "horizontal_flip": True, "zoom_range": 0.2}
    pictures = ImageDataGenerator(**settings).flow(X, batch_size=2, seed=1)
    masks = ImageDataGenerator(**settings).flow(X * 2, batch_size=2, seed=1)
    for _ in range(4):
        np.testing.assert_allclose(next(masks), next(pictures) * 2, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("seed", [3, None])
@pytest.mark.parametrize("taken", range(1, 7))
def test_a_state_goes_on_exactly(taken, seed):
    def begun():
        return ImageDataGenerator(rotation_range=20).flow(X, Y, 2, seed=seed)

    def walk(given, begin, end):
        found = []
        for step in range(begin, end):
            found.append(given[step % 3])
            if step % 3 == 2:
                given.on_epoch_end()
        return found

    np.random.seed(1)
    whole = walk(begun(), 0, 8)
    np.random.seed(1)
    stopped = begun()
    walk(stopped, 0, taken)
    state, numpy_state = stopped.state(), np.random.get_state()
    stopped[0]
    again = begun()
    again.restore(state)
    np.random.set_state(numpy_state)
    for (x, y), (wanted_x, wanted_y) in zip(walk(again, taken, 8), whole[taken:], strict=True):
        np.testing.assert_array_equal(y, wanted_y)
        np.testing.assert_array_equal(x, wanted_x)


def test_a_resumed_fit_sees_the_same_batches(tmp_path):
    def run(folder, epochs, stop=None):
        keras.utils.set_random_seed(0)
        batches = ImageDataGenerator(rotation_range=20, rescale=1 / 255).flow(
            X, keras.utils.to_categorical(Y % 3, 3), 2, seed=5
        )
        made = model()
        made.fit(batches, epochs=epochs, verbose=0, resume=folder)
        return made

    whole = run(tmp_path / "whole", 4)
    run(tmp_path / "parts", 2)
    parts = run(tmp_path / "parts", 4)
    for a, b in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_iterator_is_pickled_where_it_is():
    given = ImageDataGenerator(rotation_range=20).flow(X, Y, 2, seed=7)
    given[0]
    again = pickle.loads(pickle.dumps(given))
    np.testing.assert_array_equal(again[1][0], given[1][0])


# -------------------------------------------------------------------- without a generator, or images


def test_iterators_without_a_generator_leave_images_as_they_are(folder):
    given = {"target_size": (6, 5), "batch_size": 13, "shuffle": False}
    wanted = ImageDataGenerator().flow_from_directory(folder, **given)[0][0]
    np.testing.assert_array_equal(DirectoryIterator(folder, None, **given)[0][0], wanted)
    files = DirectoryIterator(folder, None, **given)
    frame = pandas.DataFrame(
        {"filename": files.filenames, "class": [f"{n}" for n in files.classes]}
    )
    np.testing.assert_array_equal(DataFrameIterator(frame, folder, **given)[0][0], wanted)
    np.testing.assert_array_equal(NumpyArrayIterator(X, Y, None)[0][0], X)
    with pytest.raises(ArgumentError, match="a subset needs the generator's validation_split"):
        DirectoryIterator(folder, None, subset="training")


def test_a_folder_without_images_is_told_with_the_likely_reason(folder, tmp_path):
    with pytest.warns(UserWarning, match=r"images .* in a folder for each class.*Check the path"):
        ImageDataGenerator().flow_from_directory(tmp_path)
    keras.utils.save_img(tmp_path / "1.png", X[0])
    with pytest.warns(UserWarning, match=r"of no class.*classes=\['\.'\], class_mode=None"):
        ImageDataGenerator().flow_from_directory(tmp_path)
    found = ImageDataGenerator().flow_from_directory(tmp_path, classes=["."], class_mode=None)
    assert len(found[0]) == 1
    with pytest.warns(UserWarning, match="choose another validation_split"):
        ImageDataGenerator(validation_split=0.01).flow_from_directory(folder, subset="validation")
