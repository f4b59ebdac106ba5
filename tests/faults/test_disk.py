"""A full disk: the old file stays whole, the change has a reason, and goes on when there is room again."""

from __future__ import annotations

import errno
import os
import subprocess
from contextlib import suppress

import pytest


@pytest.fixture
def small_disk(pbx):
    """Puts a file system of 64 KiB in a folder's place, where we may mount one."""
    mounted = []

    def put(name):
        folder = pbx.folders[name]
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("mounting a file system takes root's rights")
        mounted.append(folder)
        return folder

    yield put
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    """Until nothing more fits."""
    with (folder / "ballast").open("wb", buffering=0) as ballast:
        for size in (4096, 1):
            with suppress(OSError):
                while True:
                    ballast.write(b"x" * size)
    assert os.statvfs(folder).f_bavail == 0


def due(pbx):
    pbx.run("update pbxapi.change_node set due_at = clock_timestamp() where state = 'pending'")


def test_a_full_disk_leaves_the_old_file_whole(pbx, client, small_disk):
    folder = small_disk("extensions")
    made = client.create("extensions", extension="7001", password="old-word")
    pbx.apply()
    file = folder / pbx.domain / "v_7001.xml"
    before = file.read_bytes()
    fill(folder)
    client.update("extensions", made, description="x" * 900, password="new-word")
    new = client.call("extensions", "create", json={"extension": "7002"})
    pbx.apply()
    assert file.read_bytes() == before
    assert not (folder / pbx.domain / "v_7002.xml").exists()
    assert list(folder.rglob(".*")) == []
    shown = pbx.change(new)
    assert (shown["state"], shown["nodes"][0]["attempts"]) == ("pending", 1)
    assert "No space left on device" in shown["nodes"][0]["error"]
    assert pbx.switch.api(f"user_data 7001@{pbx.domain} param password") == "new-word"  # the cache is clear
    (folder / "ballast").unlink()
    due(pbx)
    pbx.apply()
    assert pbx.change(new)["state"] == "applied"
    assert b"new-word" in file.read_bytes()


def test_a_full_disk_under_the_cache_stops_no_deletion(pbx, client, small_disk):
    folder = small_disk("cache")
    made = client.create("extensions", extension="7001", password="old-word")
    pbx.apply()
    pbx.switch.api(f"user_data 7001@{pbx.domain} param password")
    entry = folder / f"directory.7001@{pbx.domain}"
    assert entry.exists()
    fill(folder)
    reply = client.update("extensions", made, password="new-word")
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"
    assert not entry.exists()


def test_whatever_call_fails_for_want_of_room_the_old_file_stays(pbx, client, monkeypatch):
    """By a double of the file layer, where nothing can be mounted."""
    made = client.create("extensions", extension="7001", password="word-0")
    pbx.apply()
    file = pbx.folders["extensions"] / pbx.domain / "v_7001.xml"

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real_open, real_fdopen = os.open, os.fdopen

    class Half:
        """Takes a few bytes and then has no more room."""

        def __init__(self, file):
            self.file = file

        def __enter__(self):
            self.file.__enter__()
            return self

        def __exit__(self, *exception):
            return self.file.__exit__(*exception)

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            self.file.write(data[:10])
            self.file.flush()
            full()

    doubles = [
        (
            "open",
            lambda path, flags, *a, **k: full() if flags & os.O_EXCL else real_open(path, flags, *a, **k),
        ),
        (
            "fdopen",
            lambda fd, mode: Half(real_fdopen(fd, mode)) if mode == "wb" else real_fdopen(fd, mode),
        ),
        ("fsync", full),
        ("rename", full),
    ]
    for round_, (name, double) in enumerate(doubles, 1):
        before = file.read_bytes()
        reply = client.update("extensions", made, password=f"word-{round_}")
        with monkeypatch.context() as patched:
            patched.setattr(f"pbxapi.switch.files.os.{name}", double)
            pbx.apply()
        assert file.read_bytes() == before
        assert [path.name for path in file.parent.iterdir() if path.name.endswith(".tmp")] == []
        assert "No space left on device" in pbx.change(reply)["nodes"][0]["error"]
        due(pbx)
        pbx.apply()
        assert pbx.change(reply)["state"] == "applied"
        assert f"word-{round_}".encode() in file.read_bytes()
