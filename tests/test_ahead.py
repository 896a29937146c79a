"""Work ahead of its use: the same values, the same errors, and no thread that stays."""

import threading
from collections.abc import Iterator

import pytest
import torch

from recon.ahead import Ahead, each


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def test_the_next_is_done_on_another_thread_while_the_last_is_in_use() -> None:
    first_in_use = threading.Event()

    def work(key: int) -> tuple[int, int]:
        if key == 1:
            assert first_in_use.wait(60)
        return key, threading.get_ident()

    with Ahead(work) as ahead:
        _, here = ahead.take(0)
        ahead.begin(1)
        first_in_use.set()
        value, there = ahead.take(1)
    assert value == 1
    assert here == threading.get_ident() != there


def test_what_was_begun_in_vain_is_done_before_anything_else() -> None:
    """So that the work needs no locks."""
    running = 0
    most = 0

    def work(key: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        threading.Event().wait(0.01)
        running -= 1
        return key

    with Ahead(work) as ahead:
        for key in range(20):
            ahead.begin(key if key % 3 else key + 100)
            assert ahead.take(key) == key
    assert most == 1


def test_an_error_is_raised_where_its_value_is_asked_for() -> None:
    def work(key: str) -> str:
        if key == "bad":
            raise ValueError(key)
        return key

    with Ahead(work) as ahead:
        ahead.begin("bad")
        assert ahead.take("good") == "good"
        ahead.begin("bad")
        with pytest.raises(ValueError, match="bad"):
            ahead.take("bad")
        assert ahead.take("good") == "good"


def test_an_error_of_the_user_ends_the_thread() -> None:
    with pytest.raises(KeyError), Ahead(lambda key: key) as ahead:  # noqa: PT012
        ahead.begin(1)
        raise KeyError


def test_without_a_with_all_is_done_here() -> None:
    ahead = Ahead(lambda key: (key, threading.get_ident()))
    ahead.begin(1)
    assert ahead.take(1) == (1, threading.get_ident())


def test_torch_has_as_many_threads_there(one_thread: None) -> None:
    with Ahead(lambda key: torch.get_num_threads()) as ahead:
        ahead.begin(0)
        assert ahead.take(0) == torch.get_num_threads() == 1


def test_each_in_turn() -> None:
    assert list(each(lambda key: key * key, range(5))) == [0, 1, 4, 9, 16]
    assert list(each(lambda key: key, [])) == []
    values = each(lambda key: key, range(100))
    assert next(values) == 0
    values.close()
