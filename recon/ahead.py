"""Doing the next piece of work on a thread of its own, while the last one is in use."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Generic, TypeVar, final

import torch

Key = TypeVar("Key")
Value = TypeVar("Value")


@final
class Ahead(Generic[Key, Value]):
    """One thread that does what will be asked for next; without a `with` it does nothing ahead.

    `work` never runs twice at a time, and gives the same on either thread: torch has as many
    threads there as here, because its last bits depend on their number.
    """

    def __init__(self, work: Callable[[Key], Value]) -> None:
        """Prepare to work.

        Args:
            work: from a key to its value. It must not draw random numbers, as others do meanwhile.
        """
        self._work = work
        self._executor: ThreadPoolExecutor | None = None
        self._begun: tuple[Key, Future[Value]] | None = None

    def __enter__(self) -> "Ahead[Key, Value]":
        """Allow the thread, which starts when it is first needed."""
        self._executor = ThreadPoolExecutor(
            1, "ahead", initializer=torch.set_num_threads, initargs=(torch.get_num_threads(),)
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for what was begun, and end the thread."""
        assert self._executor is not None
        self._executor.shutdown(cancel_futures=True)
        self._executor, self._begun = None, None

    def begin(self, key: Key) -> None:
        """Begin on what will be asked for next; what was begun before is finished and dropped."""
        if self._executor is not None:
            self._begun = key, self._executor.submit(self._work, key)

    def take(self, key: Key) -> Value:
        """Return a value: what was begun, when it is done, or what is done here and now.

        An error of the work is raised here, where its value is asked for, and nowhere else.
        """
        begun, self._begun = self._begun, None
        if begun is not None:
            if begun[0] == key:
                return begun[1].result()
            begun[1].cancel()
            wait([begun[1]])
        return self._work(key)


def each(work: Callable[[Key], Value], keys: Sequence[Key]) -> Iterator[Value]:
    """Yield the values of keys in turn, each begun while the one before it is in use."""
    with Ahead(work) as ahead:
        for place, key in enumerate(keys):
            value = ahead.take(key)
            for following in keys[place + 1 : place + 2]:
                ahead.begin(following)
            yield value
