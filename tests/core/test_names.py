"""Automatic names, scopes of names, and that threads do not mix them up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacre.core import names, session


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Dense", "dense"), ("Conv2D", "conv2d"), ("Conv2DTranspose", "conv2d_transpose"),
     ("MaxPooling2D", "max_pooling2d"), ("LSTM", "lstm"), ("LSTMCell", "lstm_cell"),
     ("GRU", "gru"), ("GlobalAveragePooling1D", "global_average_pooling1d"), ("MyNet", "my_net"),
     ("LeakyReLU", "leaky_re_lu"), ("ELU", "elu"), ("already_snake", "already_snake")],
)  # fmt: skip
def test_snake_case_is_keras(name: str, expected: str) -> None:
    assert names.to_snake_case(name) == expected


@given(st.text(alphabet="abCD12_", max_size=8))
def test_snake_case_twice_is_snake_case_once(name: str) -> None:
    once = names.to_snake_case(name)
    assert names.to_snake_case(once) == once == once.lower()


def test_numbers_go_up_and_can_be_forgotten() -> None:
    assert [names.auto_name("Dense") for _ in range(3)] == ["dense", "dense_1", "dense_2"]
    assert [names.get_uid("thing") for _ in range(2)] == [1, 2]
    session.clear_session()
    assert names.auto_name("Dense") == "dense" and names.get_uid("thing") == 1


def test_threads_get_different_names() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: names.auto_name("part"), range(200)))
    assert len(set(made)) == 200


def test_scopes_nest_and_are_left_after_errors() -> None:
    with names.name_scope("a"), names.name_scope("b"):
        assert names.current_path() == "a/b"
    with pytest.raises(KeyError), names.name_scope("c"):
        raise KeyError
    assert names.current_path() == ""


def test_each_thread_has_its_own_scopes() -> None:
    together = Barrier(4)

    def work(index: int) -> str:
        with names.name_scope(f"t{index}"):
            together.wait(5)
            path = names.current_path()
            together.wait(5)
        return path

    with names.name_scope("outside"), ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [f"t{i}" for i in range(4)]
        assert names.current_path() == "outside"
