"""A graph network for whole graphs: rings, trees, stars and grids.

    python examples/gnn_graphs.py

Nodes have no features here: only how they are joined tells what a graph is. Each layer adds up
what the neighbours know, so after three of them a node knows what lies within three steps; the
mean over all nodes stands for the graph. Graphs of different sizes share a batch by padding.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import nacre as keras
from nacre import layers

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--quick", action="store_true", help="train for a moment only")
parser.add_argument("--out", type=Path, default=Path(), help="folder for the picture")
options = parser.parse_args()
keras.utils.set_random_seed(1)  # the same numbers at every run
rng = np.random.default_rng(1)

# ------------------------------------------------------------------------------------ the data
KINDS = ("ring", "tree", "star", "grid")
NODES, EDGES = 24, 100  # at most


def edges_of(kind: str) -> list[tuple[int, int]]:
    size = int(rng.integers(9, NODES + 1))
    if kind == "ring":
        return [(node, (node + 1) % size) for node in range(size)]
    if kind == "tree":  # each node hangs on an earlier one
        return [(node, int(rng.integers(node))) for node in range(1, size)]
    if kind == "star":  # two hubs, joined
        return [(0, 1)] + [(node, int(rng.integers(2))) for node in range(2, size)]
    width = int(rng.integers(3, 5))
    steps = [(node, node + 1) for node in range(size - 1) if (node + 1) % width]
    return steps + [(node, node + width) for node in range(size - width)]


def graph(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Features (nodes, 1), all alike, and edges (edges, 2)."""
    edges = np.array(edges_of(kind))
    size = edges.max() + 1
    more = rng.integers(size, size=(int(rng.integers(3)), 2))  # up to two edges that disturb
    edges = np.concatenate([edges, more])
    edges = np.concatenate([edges, edges[:, ::-1]])  # both ways
    return np.ones((size, 1)), rng.permutation(size)[edges]  # names of nodes say nothing


def graphs(count: int):
    labels = rng.integers(len(KINDS), size=count)
    batch = keras.utils.pad_graphs([graph(KINDS[label]) for label in labels], NODES, EDGES)
    return batch, labels


train, y_train = graphs(200 if options.quick else 2000)
test, y_test = graphs(400)

# --------------------------------------------------------------------------------- the network
nodes = keras.Input(shape=(NODES, 1), name="node_features")
edges = keras.Input(shape=(EDGES, 2), dtype="int32", name="edge_index")
mask = keras.Input(shape=(NODES,), dtype="bool", name="node_mask")
x = nodes
for _ in range(3):
    x = layers.GINConv(32, activation="relu")(
        {"node_features": x, "edge_index": edges, "node_mask": mask}
    )
x = layers.GraphMeanPooling()({"node_features": x, "node_mask": mask})  # (batch, 32)
x = layers.Dense(32, activation="relu")(x)
model = keras.Model([nodes, edges, mask], layers.Dense(len(KINDS), activation="softmax")(x))
model.compile(
    optimizer=keras.optimizers.Adam(0.003),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.summary()
model.fit(train, y_train, batch_size=64, epochs=1 if options.quick else 25, verbose=2)

# ---------------------------------------------------------------------- graphs it has not seen
_, accuracy = model.evaluate(test, y_test, verbose=0)
print(f"test accuracy: {accuracy:.3f}")

probabilities = model.predict(test, verbose=0)
figure, axes = plt.subplots(2, 5, figsize=(14, 6), layout="constrained")
figure.suptitle(f"{accuracy:.1%} of {len(y_test)} test graphs told right")
for index, axis in enumerate(axes.flat):
    pairs = test["edge_index"][index]
    pairs = pairs[pairs[:, 0] >= 0]
    size = pairs.max() + 1
    # Places from the spectrum of the graph: joined nodes lie near each other.
    joined = np.zeros((size, size))
    joined[tuple(pairs.T)] = 1
    places = np.linalg.eigh(np.diag(joined.sum(axis=1)) - joined)[1][:, 1:3]
    for first, second in pairs:
        axis.plot(*places[[first, second]].T, color="0.6", linewidth=0.8, zorder=0)
    axis.scatter(*places.T, s=20)
    answer, truth = KINDS[probabilities[index].argmax()], KINDS[y_test[index]]
    color = "black" if answer == truth else "red"
    axis.set_title(f"{answer}, {probabilities[index].max():.0%} ({truth})", color=color)
    axis.axis("off")
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "gnn_graphs.png", dpi=110)
