"""Object detection: what is where? Boxes around shapes, with their names.

    python examples/object_detection.py

A detector does not draw boxes freely. It starts from anchors, boxes of a few sizes around each cell
of a grid, and says for each of them which thing it is about (or none), and how the anchor must
move and grow to fit. Of the many boxes around one thing the best is kept. The picture shows images
that were not trained on, true boxes in blue and found ones in yellow, with their scores.
"""

import argparse
from pathlib import Path

import numpy as np
from shapes import NAMES, made_shapes

import nacre as keras
from nacre import layers, ops

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run
boxes_of = keras.utils.bounding_boxes

# ------------------------------------------------------------------------------------ the data
SIDE, STRIDE = 64, 8
x_train, true_boxes, true_labels, _ = made_shapes(64 if options.quick else 1500, SIDE, seed=1)
x_test, test_boxes, test_labels, _ = made_shapes(32 if options.quick else 300, SIDE, seed=2)

# The grid has 8 x 8 cells; three squares stand around the middle of each: 192 anchors.
anchors = boxes_of.generate_anchors((SIDE, SIDE), STRIDE, 11, scales=(1, 1.5, 2.2))
ANCHORS_OF_A_CELL = 3
variance = (0.1, 0.1, 0.2, 0.2)  # brings what the network must say to numbers around one

# What it must say: for each anchor a label (-1 for "nothing", -2 for "let us not judge this one",
# as it overlaps a thing by half), and four deltas from the anchor to the true box.
targets = boxes_of.anchor_targets(anchors, true_boxes, true_labels, "xyxy", variance=variance)
labels, deltas = np.asarray(targets["labels"]), np.asarray(targets["deltas"])
print(f"{(labels >= 0).sum(1).mean():.1f} of {len(anchors)} anchors of an image have a thing")

# ---------------------------------------------------------------------------------- the network
inputs = keras.Input(shape=(SIDE, SIDE, 3))
x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
for filters in (16, 32, 64):  # each halves the sides: 64 -> 32 -> 16 -> 8
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Activation("relu")(x)
    x = layers.MaxPooling2D()(x)
x = layers.Conv2D(96, 3, padding="same", activation="relu")(x)
x = layers.Conv2D(96, 3, padding="same", activation="relu")(x)

# Almost all anchors have nothing: the bias starts so that each class has a probability of 0.01.
start = keras.initializers.Constant(-np.log(99.0))
scores = layers.Conv2D(ANCHORS_OF_A_CELL * len(NAMES), 3, padding="same", bias_initializer=start)(x)
scores = layers.Reshape((-1, len(NAMES)))(scores)  # (batch, 192, 3)
scores = layers.Activation("sigmoid", name="scores")(scores)
moves = layers.Conv2D(ANCHORS_OF_A_CELL * 4, 3, padding="same")(x)
moves = layers.Reshape((-1, 4), name="moves")(moves)  # (batch, 192, 4)
model = keras.Model(inputs, {"scores": scores, "moves": moves})

# Focal loss counts easy anchors little. Moves count only where a thing is: sample weights say so.
epochs = 2 if options.quick else 15
steps = -(-len(x_train) // 32) * epochs
model.compile(
    optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.002, steps)),
    loss={"scores": keras.losses.BinaryFocalCrossentropy(), "moves": keras.losses.Huber()},
    loss_weights={"scores": 20.0, "moves": 1.0},
)
model.fit(
    x_train,
    {"scores": ops.one_hot(labels, len(NAMES)), "moves": deltas},  # -1 and -2 give only zeros
    sample_weight={
        "scores": (labels != -2).astype("float32"),
        "moves": (labels >= 0).astype("float32") * 5,
    },
    batch_size=32,
    epochs=epochs,
    verbose=2,
)


# ------------------------------------------------------------------------ images it has not seen
def detect(images):
    """Boxes, labels and confidences of the things in images."""
    said = model.predict(images, verbose=0)
    moves = said["moves"]
    boxes = boxes_of.decode_deltas_to_boxes(anchors, moves, "xyxy", "xyxy", variance=variance)
    return boxes_of.non_max_suppression(boxes, said["scores"], "xyxy", max_detections=20)


found = detect(x_test)
metric = keras.metrics.MeanAveragePrecision("xyxy")
metric.update_state({"boxes": test_boxes, "labels": test_labels}, found)
numbers = metric.summary()
print(f"mAP: {numbers['map']:.3f}")
print(f"mAP at half overlap: {numbers['map_50']:.3f}")
print({NAMES[label]: round(value, 3) for label, value in numbers["per_class"].items()})

# Only what the detector is rather sure of is drawn, on larger images, or letters would hide things.
SHOWN, LARGER = 8, 5
sure = np.where(np.asarray(found["confidences"]) > 0.5, found["labels"], -1)[:SHOWN]
options.out.mkdir(parents=True, exist_ok=True)
keras.visualization.plot_bounding_box_gallery(
    x_test[:SHOWN].repeat(LARGER, axis=1).repeat(LARGER, axis=2),
    "xyxy",
    y_true={"boxes": test_boxes[:SHOWN] * LARGER, "labels": test_labels[:SHOWN]},
    y_pred={
        "boxes": found["boxes"][:SHOWN] * LARGER,
        "labels": sure,
        "confidences": found["confidences"][:SHOWN],
    },
    class_mapping=dict(enumerate(NAMES)),
    rows=2,
    cols=4,
    scale=4,
    path=str(options.out / "object_detection.png"),
)
