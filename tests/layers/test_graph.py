"""Graph layers against formulas on dense adjacency matrices, and padding that changes nothing."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import nacre
from nacre.core.errors import ArgumentError, DataError, ShapeError
from nacre.layers import GATConv, GCNConv, GINConv, GraphSAGEConv
from nacre.utils import pad_graphs

rng = np.random.default_rng(0)
X = rng.normal(size=(5, 4)).astype("float32")
EDGES = np.array([[0, 1], [1, 0], [2, 1], [1, 3], [3, 1], [0, 3], [4, 4]], "int32")
WEIGHTS = rng.uniform(0.5, 2, len(EDGES)).astype("float32")
# adjacency[b, a]: the weight of the edge from a to b
A = np.zeros((5, 5))
A[EDGES[:, 1], EDGES[:, 0]] = 1
AW = np.zeros((5, 5))
AW[EDGES[:, 1], EDGES[:, 0]] = WEIGHTS


def run(layer, with_weights=False):
    inputs = (X[None], EDGES[None], WEIGHTS[None]) if with_weights else (X[None], EDGES[None])
    return np.asarray(layer(inputs))[0]


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("with_weights", [False, True])
def test_gcn_is_the_normalised_adjacency(with_weights):
    layer = GCNConv(3, bias_initializer="random_normal", activation="tanh")
    out = run(layer, with_weights)
    total = (AW if with_weights else A) + np.eye(5)
    scale = np.diag(1 / np.sqrt(total.sum(1)))
    kernel, bias = layer.get_weights()
    close(out, np.tanh(scale @ total @ scale @ X @ kernel + bias))


def test_gcn_without_loops_and_norm_is_a_plain_sum():
    layer = GCNConv(3, add_self_loops=False, normalize=False, use_bias=False)
    close(run(layer), A @ X @ layer.get_weights()[0])


def neighbours(matrix, how):
    rows = []
    for row in matrix:
        found = X[row > 0]
        rows.append(getattr(found, how)(0) if len(found) else np.zeros(4))
    return np.stack(rows)


@pytest.mark.parametrize("how", ["mean", "max", "sum"])
def test_sage_adds_two_projections(how):
    layer = GraphSAGEConv(3, how, normalize=True)
    out = run(layer)
    own, other, bias = layer.get_weights()
    expected = X @ own + neighbours(A, how) @ other + bias
    close(out, expected / np.linalg.norm(expected, axis=1, keepdims=True))


def test_sage_pool_takes_the_maximum_of_a_learned_layer():
    layer = GraphSAGEConv(3, "pool")
    out = run(layer)
    own, other, bias, pool, pool_bias = layer.get_weights()
    sent = np.maximum(X @ pool + pool_bias, 0)
    arrived = np.stack([sent[r > 0].max(0) if r.any() else np.zeros(4) for r in A])
    close(out, X @ own + arrived @ other + bias)


@pytest.mark.parametrize("concat", [True, False])
@pytest.mark.parametrize("loops", [True, False])
def test_gat_is_a_masked_softmax(concat, loops):
    layer = GATConv(3, num_heads=2, concat=concat, add_self_loops=loops)
    out = run(layer)
    kernel, source, target, bias = layer.get_weights()
    h = np.einsum("nf,fhu->nhu", X, kernel)
    scores = (h * source).sum(-1)[None] + (h * target).sum(-1)[:, None]  # (to, from, heads)
    scores = np.where(scores > 0, scores, 0.2 * scores)
    # The loop at node 4 counts twice with the added one, as two edges.
    counts = A + np.eye(5) if loops else A
    exponentials = np.exp(scores) * counts[..., None]
    total = exponentials.sum(1, keepdims=True)
    weights = exponentials / np.where(total == 0, 1, total)
    heads = np.einsum("bah,ahu->bhu", weights, h)
    close(out, (heads.reshape(5, 6) if concat else heads.mean(1)) + bias)


def test_gin_adds_neighbours_then_two_dense_layers():
    layer = GINConv(3, hidden_units=6, epsilon=0.3)
    out = run(layer, with_weights=True)
    hidden, hidden_bias, kernel, bias, epsilon = layer.get_weights()
    summed = (1 + epsilon) * X + AW @ X
    close(out, np.maximum(summed @ hidden + hidden_bias, 0) @ kernel + bias)
    assert epsilon == np.float32(0.3)
    assert len(GINConv(3, train_epsilon=False).get_config()) and not any(
        "epsilon" in w.path for w in built(GINConv(3, train_epsilon=False)).weights
    )


def built(layer):
    layer((X[None], EDGES[None]))
    return layer


LAYERS = {
    "message": lambda: nacre.layers.MessagePassing("mean"),
    "gcn": lambda: GCNConv(3, activation="relu"),
    "sage_mean": lambda: GraphSAGEConv(3),
    "sage_max": lambda: GraphSAGEConv(3, "max"),
    "sage_pool": lambda: GraphSAGEConv(3, "pool"),
    "gat": lambda: GATConv(3, num_heads=2),
    "gin": lambda: GINConv(3, bias_initializer="ones"),
}
each = pytest.mark.parametrize("name", list(LAYERS))


@each
def test_padding_changes_nothing(name):
    layer = built(LAYERS[name]())
    call = jax.jit(layer)  # one program for each size, not one for each operation in it
    plain = np.asarray(call((X[None], EDGES[None])))[0]
    batch = pad_graphs([(X, EDGES), (X[:2], EDGES[:2])], num_nodes=8, num_edges=11)
    batch["node_features"][~batch["node_mask"]] = 7.0  # whatever stands there
    batch["edge_index"][0, -1] = [0, 7]  # an edge into padding is padding
    padded = np.asarray(call(batch))
    close(padded[0, :5], plain)
    assert not padded[0, 5:].any()
    close(padded[1, :2], np.asarray(call((X[None, :2], EDGES[None, :2])))[0])


@each
def test_gradients_are_finite_and_padding_has_none(name):
    layer = built(LAYERS[name]())
    batch = pad_graphs([(X, EDGES)], num_nodes=7, num_edges=9)
    state = [v.value for v in layer.trainable_variables]

    def loss(state, features):
        outputs, _ = layer.stateless_call(state, [], {**batch, "node_features": features})
        return (outputs**2).sum()

    for_weights, for_features = jax.jit(jax.grad(loss, (0, 1)))(state, batch["node_features"])
    assert all(np.isfinite(g).all() for g in for_weights)
    assert np.isfinite(for_features).all() and not np.asarray(for_features)[0, 5:].any()
    assert np.asarray(for_features)[0, :5].any()


@each
def test_config_round_trip_and_unknown_sizes(name):
    layer = LAYERS[name]()
    again = nacre.layers.deserialize(nacre.layers.serialize(layer))
    assert type(again) is type(layer) and again.get_config() == layer.get_config()
    assert nacre.layers.serialize(layer)["module"] == "nacre"
    out = again((nacre.Input((None, 4)), nacre.Input((None, 2), dtype="int32")))
    assert out.shape[:2] == (None, None) and out.shape[-1] in (3, 4, 6)


def test_attention_dropout_is_for_training_only():
    layer = GATConv(3, dropout=0.5, seed=1)
    inputs = (X[None], EDGES[None])
    calm = np.asarray(layer(inputs))
    np.testing.assert_array_equal(calm, layer(inputs, training=False))
    assert not np.allclose(calm, layer(inputs, training=True))


def test_a_subclass_overrides_the_hooks():
    class Differences(nacre.layers.MessagePassing):
        def message(self, sources, targets, edge_weight=None):
            return sources - targets

        def update(self, aggregated, nodes):
            return nodes + aggregated

    expected = X + A @ X - A.sum(1, keepdims=True) * X
    close(run(Differences()), expected)


@pytest.mark.parametrize(("kind", "how"), [("Sum", "sum"), ("Mean", "mean"), ("Max", "max")])
def test_pooling_leaves_padding_out(kind, how):
    layer = getattr(nacre.layers, f"Graph{kind}Pooling")()
    batch = pad_graphs([(X, EDGES), (X[:2], EDGES[:2]), (np.zeros((0, 4)), [])], num_nodes=6)
    out = np.asarray(layer(batch))
    close(out[0], getattr(X, how)(0))
    close(out[1], getattr(X[:2], how)(0))
    assert not out[2].any()
    assert nacre.layers.deserialize(nacre.layers.serialize(layer)).name == layer.name


def graph_classifier():
    parts = {
        "node_features": nacre.Input((None, 4), name="node_features"),
        "edge_index": nacre.Input((None, 2), dtype="int32", name="edge_index"),
        "node_mask": nacre.Input((None,), dtype="bool", name="node_mask"),
    }
    x = GCNConv(8, activation="relu")(parts)
    x = GATConv(4, num_heads=2, activation="elu")((x, parts["edge_index"]))
    x = nacre.layers.GraphMeanPooling()(x)  # the mask travels with the features
    return nacre.Model(parts, nacre.layers.Dense(1)(x))


def test_a_model_trains_saves_and_loads(tmp_path):
    sizes = rng.integers(2, 6, 24)
    graphs = [(rng.normal(size=(n, 4)), rng.integers(0, n, (2 * n, 2))) for n in sizes]
    batch = pad_graphs(graphs, num_nodes=6, num_edges=12)
    y = np.array([g[0][:, 0].mean() for g in graphs], "float32")
    model = graph_classifier()
    model.compile(nacre.optimizers.Adam(0.02), "mse")
    losses = model.fit(batch, y, batch_size=8, epochs=6, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "graphs.keras")
    again = nacre.models.load_model(tmp_path / "graphs.keras")
    close(again.predict(batch, verbose=0), model.predict(batch, verbose=0))
    wider = pad_graphs(graphs, num_nodes=9, num_edges=20)
    close(model.predict(wider, verbose=0), model.predict(batch, verbose=0))


def test_pad_graphs_keeps_weights_and_finds_mistakes():
    batch = pad_graphs([{"node_features": X, "edge_index": EDGES, "edge_weight": WEIGHTS}])
    np.testing.assert_array_equal(batch["edge_weight"][0], WEIGHTS)
    with pytest.raises(DataError, match="edges from 0 to 5 for 5 nodes"):
        pad_graphs([(X, [[0, 5]])])
    with pytest.raises(DataError, match="num_nodes must be at least"):
        pad_graphs([(X, EDGES)], num_nodes=4)
    with pytest.raises(ArgumentError, match="no graph"):
        pad_graphs([])


def test_wrong_inputs_are_told():
    with pytest.raises(ArgumentError, match="inputs must be a dict or tuple"):
        GCNConv(2)(X[None])
    with pytest.raises(ShapeError, match="needs a batch axis"):
        nacre.layers.MessagePassing()((X, EDGES))
    with pytest.raises(ArgumentError, match="attention gives each edge its own"):
        run(GATConv(2), with_weights=True)
    with pytest.raises(ArgumentError, match="aggregation must be one of"):
        GraphSAGEConv(2, "median")
