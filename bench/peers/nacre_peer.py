"""nacre: the same file as Keras, and what it promises of `predict` besides speed."""

from __future__ import annotations

import threading
from typing import Any

from bench import workloads
from bench.peers import keras_way, protocol
from bench.peers.protocol import Answer, Request

COMPILE_EVENT = "/jax/core/compile/backend_compile_duration"


class CompileCounter:
    """Programs compiled by XLA since the counter was made."""

    def __init__(self) -> None:
        import jax.monitoring

        self.count = 0
        jax.monitoring.register_event_duration_secs_listener(self._listen)

    def _listen(self, event: str, duration: float, **_: object) -> None:
        self.count += event == COMPILE_EVENT


def import_nacre(request: Request) -> Any:
    """nacre, under the name Keras has in the shared file."""
    import nacre

    return nacre


def predict(request: Request) -> Answer:
    """Speed; then memory and compilations of many calls, and eight threads at once."""
    import nacre

    answer = keras_way.predict(nacre, request)
    answer |= growth(nacre, request["quick"])
    answer["wrong_answers"] = wrong_answers_of_threads(nacre, request["quick"])
    if answer["wrong_answers"]:
        answer["check"] = (
            f"{answer['wrong_answers']} wrong answers with {workloads.THREADS} threads"
        )
    return answer


def growth(nacre: Any, quick: bool) -> Answer:
    """Resident memory gained, and programs compiled, over calls of `predict` with one row."""
    counter = CompileCounter()
    model, rows = keras_way.one_row(nacre)
    model.predict(rows[:1], verbose=0)
    first = counter.count
    calls = 500 if quick else workloads.GROWTH_CALLS
    for index in range(200):
        model.predict(rows[index : index + 1], verbose=0)
    before = protocol.memory_mb()["resident"]
    for index in range(calls):
        start = index % len(rows)
        model.predict(rows[start : start + 1], verbose=0)
    return {
        "growth_calls": calls,
        "growth_mb": protocol.memory_mb()["resident"] - before,
        "compiles_first_call": first,
        "compiles_later": counter.count - first,
    }


def wrong_answers_of_threads(nacre: Any, quick: bool) -> int:
    """Rows answered wrongly, or not at all, when threads share one model; NumPy is the judge."""
    import numpy as np

    model, rows = keras_way.one_row(nacre)
    calls = 20 if quick else workloads.THREAD_CALLS
    wanted = by_numpy(model.get_weights(), rows[:calls])
    right = [0] * workloads.THREADS

    def work(thread: int) -> None:
        for step in range(calls):
            index = (step + thread * 7) % calls
            found = model.predict(rows[index : index + 1], verbose=0)[0]
            right[thread] += bool(np.allclose(found, wanted[index], atol=1e-5))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(workloads.THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return workloads.THREADS * calls - sum(right)


def by_numpy(weights: list[Any], rows: Any) -> Any:
    """The MLP's probabilities, computed by NumPy."""
    import numpy as np

    hidden = np.maximum(rows @ weights[0] + weights[1], 0.0)
    logits = hidden @ weights[2] + weights[3]
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


if __name__ == "__main__":
    protocol.serve({**keras_way.jobs(import_nacre), "predict": predict})
