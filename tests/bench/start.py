"""Target 10: the start of `pbxapi serve`, with the product's own plugins and with two hundred more."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import Bench, Caller
from memory import children, memory
from stack import CLI, PREFIX, free_port, process, wait_for
from table import Measure, at_most, rounds

from pbxapi.authoring import shipped_tables, write_package
from pbxapi.config import Config
from pbxapi.plugin.loader import load_plugins

MORE = 200
REQUESTS = 100
"""Of each variant, in each round."""

_PATH = f"{PREFIX}/extensions?per_page=10"


def measure(bench: Bench) -> list[Measure]:
    """Times and memory of starts, and what plugins that are not asked cost a request."""
    few = f"{len(load_plugins(Config(database_url='postgresql://'), {}).plugins)} plugins"
    many = f"{few} and {MORE} more"
    with TemporaryDirectory() as folder:
        plugins = {few: {}, many: {"PBXAPI_PLUGINS_PATH": write_plugins(Path(folder), MORE)}}
        took = Measure(
            "10 pbxapi serve, start to first answer", "s", "<= 3 s", lambda m: max(map(m.median, m.values)) <= 3
        )
        worked = Measure("10 the same, seconds of a processor", "s")
        weighed = Measure("10 memory at the first answer, all its processes (PSS)", "MB")
        for number in range(bench.rounds):
            for name in (few, many) if number % 2 == 0 else (many, few):
                with started(bench, plugins[name]) as (_, seconds, processor, megabytes):
                    for one, value in ((took, seconds), (worked, processor), (weighed, megabytes)):
                        one.add(name, value)
        return [took, worked, weighed, _requests(bench, plugins)]


def _requests(bench: Bench, plugins: Mapping[str, Mapping[str, str]]) -> Measure:
    name = "a list of 10 extensions, by plugins that serve beside"
    measure = Measure(name, "ms", "<= 1.1 x", at_most(1.1))
    with ExitStack() as running:
        callers = {name: running.enter_context(started(bench, own))[0] for name, own in plugins.items()}
        served = callers[list(plugins)[-1]].get(f"{PREFIX}/codes-{MORE - 1}")
        if b'"success":true' not in served:
            raise RuntimeError(f"the last of {MORE} plugins does not serve: {served!r}")
        asking = {name: partial(caller.milliseconds, _PATH) for name, caller in callers.items()}
        for ask in asking.values():
            for _ in range(REQUESTS):
                ask()
        return rounds(measure, bench.rounds * REQUESTS, asking)


def write_plugins(root: Path, many: int) -> str:
    """So many generated plugins; the value of PBXAPI_PLUGINS_PATH that names them."""
    columns = shipped_tables()["v_pin_numbers"]
    for number in range(many):
        write_package(f"codes-{number}", root / f"codes-{number}", "v_pin_numbers", columns)
    return ":".join(map(str, sorted(root.glob("*/pbxapi_codes_*"))))


@contextmanager
def started(bench: Bench, own: Mapping[str, str]) -> Iterator[tuple[Caller, float, float, float]]:
    """A further server, while the block runs: who asks it, seconds to its first answer, of a processor, MB."""
    bind = f"127.0.0.1:{free_port()}"
    environment = {**bench.stack.environment, **own, "PBXAPI_BIND": bind}
    caller = Caller(f"http://{bind}", bench.stack.headers(bench.extensions()))
    began = time.perf_counter()
    with process([*CLI, "serve"], environment, bench.stack.log) as server:
        wait_for(f"http://{bind}/", server)
        caller.get(_PATH)
        seconds = time.perf_counter() - began
        processes = [server.pid, *children(server.pid)]
        yield caller, seconds, sum(map(_processor, processes)), sum(memory(pid, "Pss") for pid in processes)


def _processor(pid: int) -> float:
    """Seconds of a processor that a process has used, which a busy machine does not change much."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
