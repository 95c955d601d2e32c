"""A graph network: what kind is each node, when only a few are known?

    python examples/gnn_nodes.py

400 people in four clubs; friends are mostly of one club. What each person says about himself is
nearly noise, and the clubs of only five in each are known. A graph convolution averages every
node with its neighbours, so a person is judged by his friends, and by theirs. The same network
without edges shows what they are worth.
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
CLUBS, NODES, KNOWN = 4, 400, 5
club = np.repeat(np.arange(CLUBS), NODES // CLUBS)
same = club[:, None] == club[None]
friends = np.triu(rng.random((NODES, NODES)) < np.where(same, 0.06, 0.006), k=1)
pairs = np.argwhere(friends)
edges = np.concatenate([pairs, pairs[:, ::-1]])  # friendship goes both ways: (edges, 2)
features = rng.normal(size=(NODES, 16)) + 0.35 * rng.normal(size=(CLUBS, 16))[club]

# A weight of 1 for the few nodes whose club is known, 0 for the others: they cost nothing.
is_known = np.zeros(NODES, "float32")
for number in range(CLUBS):
    is_known[rng.choice((club == number).nonzero()[0], KNOWN, replace=False)] = 1
unknown = is_known == 0

# --------------------------------------------------------------------------------- the network
# Graph layers take a batch of graphs: (graphs, nodes, features) and edges as (graphs, edges, 2),
# from one node to another. Here the batch is one graph.
INPUTS = (features[None].astype("float32"), edges[None].astype("int32"))


def network(with_edges: bool) -> keras.Model:
    nodes = keras.Input(shape=(NODES, 16))
    edge_index = keras.Input(shape=(None, 2), dtype="int32")
    x = layers.Dropout(0.4)(nodes)
    for units in (16, 16):
        if with_edges:
            x = layers.GCNConv(units, activation="relu")((x, edge_index))
        else:
            x = layers.Dense(units, activation="relu")(x)
        x = layers.Dropout(0.4)(x)
    return keras.Model([nodes, edge_index], layers.Dense(CLUBS, activation="softmax")(x))


answers = {}
for name, with_edges in {"alone": False, "with friends": True}.items():
    model = network(with_edges)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    model.fit(
        INPUTS,
        club[None],
        sample_weight=is_known[None],
        epochs=5 if options.quick else 150,
        verbose=0,
    )
    answers[name] = model.predict(INPUTS, verbose=0)[0].argmax(axis=-1)
    accuracy = (answers[name] == club)[unknown].mean()
    print(f"{name}: {accuracy:.3f}")

# ----------------------------------------------------------------------------- the graph, drawn
# A node's place is the mean of its friends' places, again and again, starting from chance; what
# all have in common is taken out. So clubs drift apart.
joined = (friends | friends.T) + np.eye(NODES)
places = rng.normal(size=(NODES, 2))
for _ in range(30):
    places = joined @ places / joined.sum(axis=1, keepdims=True)
    places, _ = np.linalg.qr(places - places.mean(axis=0))

figure, axes = plt.subplots(1, 3, figsize=(15, 5), layout="constrained")
shown = {f"known: {KNOWN} of each club": None, **answers}
for axis, (name, answer) in zip(axes, shown.items()):
    for first, second in pairs:
        axis.plot(*places[[first, second]].T, color="0.8", linewidth=0.4, zorder=0)
    if answer is None:
        axis.scatter(*places[unknown].T, color="0.6", s=10)
        axis.scatter(*places[~unknown].T, c=club[~unknown], cmap="tab10", vmin=0, vmax=9, s=60)
        axis.set_title(name)
    else:
        axis.scatter(*places.T, c=answer, cmap="tab10", vmin=0, vmax=9, s=14)
        axis.set_title(f"{name}: {(answer == club)[unknown].mean():.1%} of the others right")
    axis.set(xticks=[], yticks=[])
options.out.mkdir(parents=True, exist_ok=True)
figure.savefig(options.out / "gnn_nodes.png", dpi=110)
