"""Drains that are killed at a line of one's choice; run by test_any_line.py.

Reads numbers from standard input. For each it forks a drain that kills itself (SIGKILL) when it is about to run
the line of that number, counting all of the product's lines that it runs, and says how it ended. For 0 the drain
lives, and the lines are told.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pbxapi
from pbxapi.changes.drain import NodeDrain
from pbxapi.config import Config, load_config
from pbxapi.data.database import Database
from pbxapi.plugin.loader import Registry, load_registry
from pbxapi.switch.event_socket import EventSocket

PACKAGE = Path(pbxapi.__file__).parent
TRACED = {
    str(PACKAGE / path)
    for path in (
        "changes/drain.py",
        "changes/apply.py",
        "changes/nodes.py",
        "changes/planning.py",
        "switch/node.py",
        "switch/cache.py",
        "switch/files.py",
        "switch/commands.py",
    )
}


def main() -> None:
    """Obey standard input until it ends."""
    config = load_config()
    registry = load_registry(config, Database(config.database_url))
    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            run(config, registry, int(line), writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            lines = told.read()
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print(json.dumps({"killed": killed, "lines": json.loads(lines or b"[]")}), flush=True)


def run(config: Config, registry: Registry, at: int, writing: int) -> None:
    """One drain, in a process of its own."""
    assert config.node is not None
    lines: list[str] = []

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in TRACED:
            return None
        if event == "line":
            lines.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
            if len(lines) == at:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    database = Database(config.database_url)
    drain = NodeDrain(
        config, database, registry, config.node, EventSocket(config.esl_host, config.esl_port, config.esl_password)
    )
    threading.settrace(trace)
    sys.settrace(trace)
    drain.run()
    sys.settrace(None)
    if at == 0:
        os.write(writing, json.dumps(lines).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
