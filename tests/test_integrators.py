"""docs/integrators.md: the codes that it lists are those that there are, its first request works as written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from pbxapi.testing import API_KEY, Pbx

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/integrators.md").read_text("utf-8")


def section(title: str) -> str:
    """The text below a heading."""
    return TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_every_code_that_is_answered_is_listed_with_its_status() -> None:
    raised = re.compile(r'ApiError\(\s*(\d{3}),\s*"([A-Z_]+)"')
    sources = [path for folder in ("pbxapi", "plugins") for path in (ROOT / folder).rglob("*.py")]
    answered = {found for path in sources for found in raised.findall(path.read_text("utf-8"))}
    assert len(answered) > 25
    rows = re.findall(r"^\| ([\d, ]+) \| (.+?) \|", section("Errors"), re.M)
    listed = {(status, code) for statuses, codes in rows for status in statuses.split(", ")
              for code in re.findall(r"`([A-Z_]+)`", codes)}  # fmt: skip
    assert answered - listed == set()


class Quiet(WSGIRequestHandler):
    """Says nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def api(pbx: Pbx) -> Iterator[str]:
    """The URL of the API over HTTP."""
    with make_server("127.0.0.1", 0, pbx.app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api/v1"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("language", "command", "before", "after"),
    [
        ("sh", ["sh", "-c"], "API={api}; KEY={key};", ""),
        ("python", [sys.executable, "-c"], "api, key = '{api}', '{key}'\n", "\nprint(made)"),
        ("php", ["php", "-r"], "$api = '{api}'; $key = '{key}';\n", "\necho $made;"),
        (
            "js",
            ["node", "--input-type=module", "-e"],
            "const api = '{api}', key = '{key}';\n",
            "\nconsole.log(made);",
        ),
    ],
)
def test_the_first_request_works_as_it_is_written(
    pbx: Pbx, api: str, language: str, command: list[str], before: str, after: str
) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    if language == "php" and "curl" not in subprocess.run(["php", "-m"], capture_output=True, text=True).stdout:
        pytest.skip("PHP has no curl here")
    if language == "sh" and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (code,) = re.findall(rf"```{language}\n(.*?)```", section("A first request"), re.S)
    script = before.format(api=api, key=API_KEY) + code + after
    done = subprocess.run([*command, script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (made,) = pbx.rows("select extension_uuid::text as uuid from v_extensions where extension = '2001'")
    assert made["uuid"] in done.stdout
