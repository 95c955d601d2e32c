"""`tf.queue`: what is put in comes out, in its order, once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import nacre.tf as tf


def test_elements_of_several_tensors_come_out_in_order() -> None:
    queue = tf.queue.FIFOQueue(5, [tf.int32, tf.string], shapes=[(), ()])
    queue.enqueue([10, "windy"])
    queue.enqueue_many([[15, 20], ["sunny", "dry"]])
    assert queue.size() == 3 and not queue.is_closed()
    number, word = queue.dequeue()
    assert number == 10 and number.dtype == tf.int32 and word.numpy() == b"windy"
    numbers, words = queue.dequeue_many(2)
    assert numbers.numpy().tolist() == [15, 20] and words.numpy().tolist() == [b"sunny", b"dry"]


def test_a_closed_queue_gives_what_is_left_and_takes_nothing() -> None:
    queue = tf.queue.FIFOQueue(5, tf.float32, shapes=[()])
    queue.enqueue_many([[1.0, 2.0, 3.0]])
    queue.close()
    with pytest.raises(tf.errors.CancelledError, match="closed queue"):
        queue.enqueue(4.0)
    with pytest.raises(tf.errors.OutOfRangeError, match="there must be 4"):
        queue.dequeue_many(4)
    assert queue.size() == 3  # what was looked at is still there
    assert queue.dequeue_up_to(4).numpy().tolist() == [1, 2, 3]
    with pytest.raises(tf.errors.OutOfRangeError):
        queue.dequeue()


def test_a_full_queue_waits_for_room_and_an_empty_one_for_elements() -> None:
    queue = tf.queue.FIFOQueue(1, tf.int32, names=["n"])
    fill = threading.Thread(target=lambda: [queue.enqueue({"n": i}) for i in range(20)])
    fill.start()
    assert [int(queue.dequeue()["n"]) for _ in range(20)] == list(range(20))
    fill.join()


def test_elements_that_are_not_as_was_said_are_refused() -> None:
    queue = tf.queue.FIFOQueue(5, [tf.int32, tf.float32], shapes=[[2], []])
    cases: list[tuple[Any, str]] = [
        ([[1, 2]], "must have 2 tensor"),
        ([[1, 2, 3], 1.0], "must have the shape"),
        ([[1.5, 2.0], 1.0], "int32"),
    ]
    for given, said in cases:
        with pytest.raises((ValueError, TypeError), match=said):
            queue.enqueue(given)
    with pytest.raises(ValueError, match="same number of rows"):
        queue.enqueue_many([[[1, 2]], [1.0, 2.0]])
    assert queue.size() == 0
    with pytest.raises(ValueError, match="shapes="):
        tf.queue.FIFOQueue(5, tf.int32).dequeue_many(1)


def test_padded_elements_are_filled_up_to_the_largest_of_those_taken() -> None:
    queue = tf.queue.PaddingFIFOQueue(5, [tf.int32, tf.string], shapes=[[None], [None]])
    for numbers, words in (([1], ["a", "b"]), ([2, 3], ["c"]), ([4, 5, 6], [])):
        queue.enqueue([numbers, words])
    numbers, words = queue.dequeue_many(2)
    assert numbers.numpy().tolist() == [[1, 0], [2, 3]]
    assert words.numpy().tolist() == [[b"a", b"b"], [b"c", b""]]


def test_the_smallest_number_comes_first_and_equal_ones_in_their_order() -> None:
    queue = tf.queue.PriorityQueue(9, [tf.string], [()])
    for number, word in ((5, "c"), (1, "a"), (5, "d"), (3, "b")):
        queue.enqueue([number, word])
    found = [queue.dequeue() for _ in range(4)]
    assert [int(number) for number, _ in found] == [1, 3, 5, 5]
    assert [word.numpy() for _, word in found] == [b"a", b"b", b"c", b"d"]


def test_a_shuffled_queue_keeps_its_least_until_it_is_closed() -> None:
    def order(seed: int) -> list[int]:
        queue = tf.queue.RandomShuffleQueue(50, 3, tf.int32, shapes=[()], seed=seed)
        queue.enqueue_many([list(range(30))])
        first = queue.dequeue_many(27).numpy().tolist()
        taken: list[int] = []
        more = threading.Thread(target=lambda: taken.append(int(queue.dequeue())))
        more.start()
        more.join(0.1)
        assert more.is_alive()  # it waits: three must stay
        queue.close()
        more.join()
        return first + taken + queue.dequeue_up_to(9).numpy().tolist()

    assert sorted(order(1)) == list(range(30))
    assert order(1) == order(1) != order(2)


def test_a_compiled_function_does_not_freeze_what_a_queue_gives() -> None:
    queue = tf.queue.FIFOQueue(5, tf.float32, shapes=[()])
    queue.enqueue_many([[1.0, 2.0, 3.0]])

    @tf.function
    def taken() -> Any:
        return queue.dequeue() + 1.0

    with pytest.warns(UserWarning, match="a queue is on the host"):
        found = [float(taken()) for _ in range(3)]
    assert found == [2.0, 3.0, 4.0] and queue.size() == 0
