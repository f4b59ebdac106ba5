"""What several processes count together, whatever becomes of each."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from pbxapi.http.figures import SharedRows

COUNTER, GAUGE = 0, 1


def fork(work: Callable[[], None]) -> int:
    """A child that does something and then waits to be killed."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        work()
        os.write(told, b"x")
        time.sleep(60)
        os._exit(0)
    os.close(told)
    assert os.read(ready, 1) == b"x"
    os.close(ready)
    return pid


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_counters_outlive_a_process_and_gauges_do_not() -> None:
    rows = SharedRows(width=2, gauges=1, rows=3)
    children = [fork(lambda: rows.add((COUNTER, 5), (GAUGE, 2))) for _ in range(2)]
    rows.add((COUNTER, 1), (GAUGE, 1))
    assert rows.sums() == ([11, 5], 3)
    kill(children[0])
    assert rows.sums() == ([11, 3], 2)
    kill(children[1])
    assert rows.sums() == ([11, 1], 1)


def test_the_row_of_an_ended_process_is_taken_by_the_next() -> None:
    rows = SharedRows(width=2, gauges=1, rows=1)
    for _ in range(20):
        kill(fork(lambda: rows.add((COUNTER, 1), (GAUGE, 7))))
    last = fork(lambda: rows.add((COUNTER, 1), (GAUGE, 1)))
    assert rows.sums() == ([21, 1], 1)
    kill(last)


def test_more_processes_than_rows_lose_nothing_that_was_counted_before() -> None:
    rows = SharedRows(width=2, gauges=1, rows=1)
    children = [fork(lambda: rows.add((COUNTER, 3))) for _ in range(3)]
    assert rows.sums()[0][COUNTER] == 9
    for child in children:
        kill(child)
