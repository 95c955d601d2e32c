"""A process forked after JAX has started is told what to do, at once; one that computes nothing
notices nothing.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import pytest

from nacre.core.errors import ForkedProcessError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

# One parent that has trained a model; each child does one thing, and is ended when it hangs.
CHILDREN = """
import os, pickle, subprocess, sys, time
import jax, jax.numpy as jnp
import numpy as np
import nacre
from nacre import layers, ops
from nacre.core.errors import ForkedProcessError

x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
model = nacre.Sequential([nacre.Input((3,)), layers.Dense(4), layers.Dense(1)])
model.compile("adam", "mse", metrics=["mae"])
model.fit(x, y, verbose=0)
model.predict(x, verbose=0), model(x), model.evaluate(x, y, verbose=0)
held, folder = ops.ones((3,)), sys.argv[1]
own = jax.jit(lambda x: x + 1)
own(x)

class Doubled(layers.Layer):
    def call(self, x):
        return 2 * jnp.asarray(x)

THINGS = {
    "fit": lambda: model.fit(x, y, verbose=0),
    "evaluate": lambda: model.evaluate(x, y, verbose=0),
    "predict": lambda: model.predict(x, verbose=0),
    "train_on_batch": lambda: model.train_on_batch(x, y),
    "predict_on_batch": lambda: model.predict_on_batch(x),
    "model(x)": lambda: model(x),
    "layer": lambda: layers.Rescaling(2.0)(x),
    "own layer": lambda: Doubled()(x),
    "op": lambda: ops.add(x, 1.0),
    "known op": lambda: ops.ones((3,)),
    "loop": lambda: ops.fori_loop(0, 3, lambda i, v: v + 1, held),
    "operator": lambda: model.weights[0] * 2,
    "random": lambda: nacre.random.normal((3,)),
    "loss": lambda: nacre.losses.MeanSquaredError()(y, y),
    "metric": lambda: model.metrics[0].result(),
    "regularizer": lambda: nacre.regularizers.L2(0.1)(x),
    "schedule": lambda: nacre.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)(3),
    "optimizer": lambda: model.optimizer.apply(model.get_weights(), model.weights),
    "own jit": lambda: own(x),
    # What computes nothing.
    "NumPy": lambda: np.mean(x @ x.T),
    "another program": lambda: subprocess.run([sys.executable, "-c", "1"], check=True),
    "weights": lambda: model.get_weights(),
    "set weights": lambda: model.set_weights(model.get_weights()),
    "config": lambda: model.get_config(),
    "summary": lambda: model.summary(print_fn=lambda *_, **__: None),
    "save": lambda: model.save(f"{folder}/model.keras"),
    "load": lambda: nacre.models.load_model(f"{folder}/model.keras"),
    "lookup": lambda: layers.StringLookup(vocabulary=["a"])(np.array(["a"])),
}
model.save(f"{folder}/model.keras")
for name, thing in THINGS.items():
    begun, (read, write) = time.monotonic(), os.pipe()
    child = os.fork()
    if not child:
        try:
            thing()
            outcome = "worked"
        except BaseException as error:
            outcome = error
        os.write(write, pickle.dumps(outcome))
        os._exit(0)
    while not os.waitpid(child, os.WNOHANG)[0]:
        if time.monotonic() > begun + 100:  # far longer than any of it takes on a busy machine
            os.kill(child, 9)
            os.waitpid(child, 0)
            os.write(write, pickle.dumps("hung"))
            break
        time.sleep(0.005)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        print(repr(name), pipe.read().hex(), flush=True)
"""
WORKING = {
    "NumPy", "another program", "weights", "set weights", "config", "summary", "save", "load",
    "lookup",
}  # fmt: skip


def run(code: str, *words: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    text, _ = run(CHILDREN, str(tmp_path_factory.mktemp("forks")))
    lines = [line.rpartition(" ") for line in text.splitlines()]
    return {eval(name): pickle.loads(bytes.fromhex(data)) for name, _, data in lines}


def test_what_computes_is_refused_at_once_in_a_forked_process(outcomes):
    assert len(outcomes) > 25
    refused = {n for n, outcome in outcomes.items() if isinstance(outcome, ForkedProcessError)}
    assert outcomes.keys() - refused == WORKING, {
        name: outcome for name, outcome in outcomes.items() if name not in refused
    }


def test_the_message_tells_why_and_what_to_do(outcomes):
    assert str(outcomes["fit"]).startswith("Sequential.fit(): ")
    for words in ("forked from process", "'spawn'", "'forkserver'", "inside the worker"):
        assert all(words in str(outcomes[name]) for name in ("fit", "model(x)", "op"))


def test_what_computes_nothing_works_in_a_forked_process(outcomes):
    assert {name: outcomes[name] for name in WORKING} == dict.fromkeys(WORKING, "worked")


def test_what_was_under_way_at_the_fork_is_there_in_the_forked_process():
    text, _ = run(
        """
import os, signal
import jax
import numpy as np
import nacre

x = nacre.ops.ones((300, 300))
slow = jax.jit(lambda x: jax.lax.fori_loop(0, 300, lambda i, v: v @ x * 1e-3, x))
jax.block_until_ready(slow(x))
under_way = slow(x)
if not os.fork():
    signal.alarm(60)  # it would wait for ever
    np.asarray(under_way)
    os.write(1, b"read")
    os._exit(0)
os.wait()
"""
    )
    assert text == "read"


WHILE_ANOTHER_THREAD_TRAINS = """
import os, signal, threading, time, warnings
warnings.simplefilter("ignore")
import numpy as np
import nacre

x, y = np.ones((512, 16), "float32"), np.ones((512, 1), "float32")
model = nacre.Sequential([nacre.Input((16,)), nacre.layers.Dense(64), nacre.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, y, verbose=0)
is_over = []

class Stops(nacre.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = bool(is_over)

training = threading.Thread(
    target=lambda: model.fit(x, y, epochs=100_000, verbose=0, callbacks=[Stops()])
)
training.start()
time.sleep(0.3)
ends = []
for turn in range(6):
    time.sleep(0.007)
    child = os.fork()
    if not child:
        signal.alarm(5)
        finite = all(np.isfinite(w).all() for w in model.get_weights())
        model.optimizer.get_weights()
        os._exit(0 if finite else 3)
    ends.append(os.waitpid(child, 0)[1])
is_over.append(True)
training.join()
assert ends == [0] * 6, ends
"""


def test_weights_are_read_in_a_process_forked_while_another_thread_trains():
    done = subprocess.run(
        [sys.executable, "-c", WHILE_ANOTHER_THREAD_TRAINS],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_a_process_forked_before_jax_starts_computes():
    text, _ = run(
        """
import os
import numpy as np
import nacre
child = os.fork()
print(nacre.ops.add(1.0, 2.0), flush=True)
code = os.waitpid(child, 0)[1] if child else 0
os._exit(code != 0)
"""
    )
    assert text.split() == ["3.0", "3.0"]


def test_whatever_of_nacre_computes_first_forks_are_noticed():
    text, _ = run(
        """
import os, jax
import nacre
names = "ops layers losses metrics optimizers random initializers regularizers constraints activations models"
for name in names.split():
    if not os.fork():
        getattr(nacre, name).__name__
        from nacre.core.forks import PROCESS
        os.write(1, f"{name}:{PROCESS.is_watched} ".encode())
        os._exit(0)
    os.wait()
"""
    )
    missed = [word for word in text.split() if not word.endswith(":True")]
    assert len(text.split()) == 11 and not missed


def test_a_pool_of_workers_hands_the_error_to_its_parent_and_loads_data_in_silence():
    text, errors = run(
        """
import multiprocessing, warnings
import numpy as np
import nacre

nacre.ops.add(1.0, 2.0)

def load(index):
    return np.full(3, index).sum()

def compute(index):
    return float(nacre.ops.sum(np.full(3, index)))

with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(load, range(3)))
        try:
            pool.map(compute, range(3))
        except nacre.core.errors.ForkedProcessError as error:
            print("refused")
print({w.category.__name__ for w in told} <= {"RuntimeWarning", "DeprecationWarning"})
print([w for w in told if "nacre" in str(w.message)])
"""
    )
    assert text.splitlines()[1:] == ["refused", "True", "[]"]
    assert text.count("np.int64") == 3
    assert not errors


def test_a_spawned_worker_computes():
    text, _ = run(
        """
import multiprocessing
import nacre

if __name__ == "__main__":
    nacre.ops.add(1.0, 2.0)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.apply(nacre.ops.add, (1.0, 2.0)))
"""
    )
    assert text.split() == ["3.0"]
