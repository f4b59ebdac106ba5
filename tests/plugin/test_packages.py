"""The product and plugins as packages: installed by pip into an environment without this repository."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from pbxapi.config import Config
from pbxapi.plugin.loader import load_plugins
from pbxapi.sandbox.process import current_owner, leashed
from pbxapi.testing import API_KEY, Pbx

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv") or next((str(p) for p in [ROOT / ".uv" / "bin" / "uv"] if p.exists()), None)
pytestmark = pytest.mark.skipif(UV is None, reason="there is no uv to build and install packages with")

BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)


def uv(*arguments: str, folder: Path) -> None:
    assert UV is not None
    done = subprocess.run(
        [UV, *arguments, "--offline", "--quiet"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Place:
    """An environment with the product's wheel, and a folder that is not the repository.

    Only the packages that the product depends on are shared with the environment of this test.
    """

    folder: Path
    environment: Path

    @property
    def variables(self) -> dict[str, str]:
        return {
            "PATH": f"{self.environment / 'bin'}:{os.defpath}",
            "HOME": str(self.folder),
            "PBXAPI_FUSIONPBX_CONF": os.devnull,
        }

    def install(self, source: Path) -> None:
        """Build a package and install it, as pip does."""
        shutil.copytree(source, self.folder / "source", dirs_exist_ok=True)
        uv("build", "--wheel", "-o", str(self.folder / "dist"), folder=self.folder / "source")
        (wheel,) = (self.folder / "dist").glob("*.whl")
        python = str(self.environment / "bin" / "python")
        uv("pip", "install", "--no-deps", "--python", python, str(wheel), folder=self.folder)

    def run(self, *command: str, **variables: str) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.variables, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=250,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The product, built."""
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--wheel", "-o", str(folder), folder=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def place(wheel: Path, tmp_path: Path) -> Place:
    """A clean environment."""
    environment = tmp_path / "environment"
    uv("venv", "--python", sys.executable, str(environment), folder=tmp_path)
    python = environment / "bin" / "python"
    uv("pip", "install", "--no-deps", "--python", str(python), str(wheel), folder=tmp_path)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    # What pip would do with the network that a test has not.
    pip = environment / "bin" / "pip"
    cache = subprocess.run([str(UV), "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    arguments = f'pip "$@" --no-deps --offline --quiet --cache-dir "{cache}" --python "{python}"'
    pip.write_text(f'#!/bin/sh\nexec "{UV}" {arguments}\n')
    pip.chmod(0o755)
    (tmp_path / "work").mkdir()
    return Place(tmp_path / "work", environment)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def served(place: Place, pbx: Pbx) -> Iterator[str]:
    """`pbxapi serve` of the installed product, with the example plugin installed too; its URL."""
    place.install(ROOT / "docs" / "plugins" / "example")
    database = {"PBXAPI_DATABASE_URL": pbx.config.database_url}
    # A schema for the plugin's tables is nothing that the services' role may make.
    superuser = pbx.superuser_url
    given = place.run("pbxapi", "rights", "--apply", **database, PBXAPI_ADMIN_DATABASE_URL=superuser)
    assert "given: schema plugin_callbacks as its own" in given
    assert "applied callbacks/0001_callbacks" in place.run("pbxapi", "migrate", **database)
    assert place.run("pbxapi", "callbacks", "--open", **database) == ""
    bind = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        leashed([str(place.environment / "bin" / "pbxapi"), "serve"], current_owner(), signal.SIGTERM),
        cwd=place.folder,
        env={**place.variables, **database, "PBXAPI_BIND": bind},
    )
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            requests.get(f"http://{bind}/readyz", timeout=5)
            break
        except requests.ConnectionError:
            time.sleep(0.1)
    yield f"http://{bind}/api/v1"
    process.terminate()
    process.wait(60)


def test_a_wheel_serves_all_built_in_resources_and_an_installed_plugin(served: str, place: Place) -> None:
    headers = {"X-API-Key": API_KEY, "X-Domain": "pbx.example.com"}
    found = {p["name"]: p for p in requests.get(f"{served}/plugins", headers=headers, timeout=30).json()["data"]}
    builtin = load_plugins(Config(database_url="postgresql://"), {})
    assert {p.name for p in builtin.plugins} == found.keys() - {"callbacks"}
    assert {p["state"] for p in found.values()} == {"serves"}
    assert all(str(place.environment) in p["origin"] for p in found.values())
    for resource in [*builtin.resources.values()]:
        operations = {o.name for o in resource.declaration.all_operations() if o.on == "collection"}
        if "list" in operations:
            name = resource.declaration.name
            reply = requests.get(f"{served}/{name}", headers=headers, timeout=30)
            # No switch is part of this: what asks one says so.
            away = reply.status_code == 503 and reply.json()["error"]["code"] == "SWITCH_UNAVAILABLE"
            assert away if name == "active-calls" else reply.status_code == 200, f"{name}: {reply.text}"
    made = requests.post(f"{served}/callbacks", headers=headers, json={"number": "+4930123456"}, timeout=30)
    assert made.status_code == 201, made.text
    listed = requests.get(f"{served}/callbacks/list.php", headers=headers, timeout=30).json()
    assert [row["number"] for row in listed["data"]] == ["+4930123456"]


def as_pattern(printed: str) -> str:
    """What is said to be printed; ``...`` stands for anything."""
    return ".*".join(re.escape(part) for part in printed.strip().split("..."))


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tutorial uses curl, which is not here")
def test_the_tutorial_goes_as_it_is_told(place: Place) -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "plugins" / "tutorial.md").read_text("utf-8"))
    folder, sandbox, printed = place.folder, None, ""
    tried = 0
    try:
        for kind, text in blocks:
            word, _, path = kind.partition(" ")
            if (word, path) == ("sh", "background"):
                sandbox = subprocess.Popen(
                    leashed(["/bin/sh", "-c", f"exec {text}"], current_owner(), signal.SIGTERM),
                    cwd=folder,
                    env=place.variables,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                assert sandbox.stdout is not None
                printed = sandbox.stdout.readline()
            elif word == "sh":
                printed, folder = typed(text, folder, place.variables)
            elif path:
                (folder / path).write_text(text, "utf-8")
            else:
                assert re.search(as_pattern(text), printed, re.S), printed
                tried += 1
    finally:
        if sandbox is not None:
            sandbox.terminate()
            sandbox.communicate(timeout=60)
    assert tried >= 5


def typed(commands: str, folder: Path, variables: Mapping[str, str]) -> tuple[str, Path]:
    """What a shell prints, and the folder that it is in afterwards."""
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", f'{commands}\npwd > "$HOME/where"'],
        cwd=folder,
        env=dict(variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, Path((Path(variables["HOME"]) / "where").read_text("utf-8").strip())
