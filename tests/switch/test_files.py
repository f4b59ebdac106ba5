"""Files of a node: whole or not at all, and never outside of their root."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
from pathlib import Path

import pytest

from pbxapi.switch import files
from pbxapi.switch.files import make_folder, move_folder, read_file, remove_file, remove_folder, write_file


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_a_file_is_written_with_its_folders_and_their_modes(root):
    before = os.umask(0o077)
    try:
        assert write_file(root, "example.com/v_101.xml", "<include>zoë</include>\n") is True
    finally:
        os.umask(before)
    file = root / "example.com/v_101.xml"
    assert file.read_text("utf-8") == "<include>zoë</include>\n"
    assert (mode(file), mode(file.parent)) == (0o660, 0o770)
    assert everything(root) == {"example.com", "example.com/v_101.xml"}


def test_bytes_that_are_no_text_are_written_as_they_are(root):
    sound = bytes(range(256))
    assert write_file(root, "pbx.example.com/welcome.wav", sound)
    assert read_file(root, "pbx.example.com/welcome.wav") == sound
    assert not write_file(root, "pbx.example.com/welcome.wav", sound)


def test_a_file_that_is_already_so_is_left_alone(root):
    write_file(root, "a.xml", "x")
    before = (root / "a.xml").stat()
    assert write_file(root, "a.xml", "x") is False
    after = (root / "a.xml").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert write_file(root, "a.xml", "y") is True


def test_a_reader_never_sees_half_a_file_nor_the_one_being_written(root):
    texts = {"x" * 300_000, "y" * 300_000}
    write_file(root, "a.xml", min(texts))
    seen: set[str] = set()
    included: set[str] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            included.update(path.name for path in root.glob("*.xml"))
            seen.add((root / "a.xml").read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        for text in sorted(texts):
            write_file(root, "a.xml", text)
    done.set()
    reader.join()
    assert seen <= texts
    assert included == {"a.xml"}


@pytest.mark.parametrize("call", ["fsync", "rename", "fchmod"])
def test_an_error_leaves_the_old_file_whole_and_nothing_beside_it(root, monkeypatch, call):
    write_file(root, "a.xml", "old")

    def full(*args: object, **kinds: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, call, full)
    with pytest.raises(OSError, match="No space left"):
        write_file(root, "a.xml", "new")
    monkeypatch.undo()
    assert (root / "a.xml").read_text() == "old"
    assert everything(root) == {"a.xml"}
    assert write_file(root, "a.xml", "new") is True


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no right to mount: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_leaves_the_old_file_whole_and_nothing_beside_it(small_disk):
    write_file(small_disk, "a.xml", "old")
    with pytest.raises(OSError, match="No space left") as caught:
        write_file(small_disk, "a.xml", "x" * 200_000)
    assert caught.value.errno == errno.ENOSPC
    assert (small_disk / "a.xml").read_text() == "old"
    assert everything(small_disk) == {"a.xml"}


def test_a_root_that_is_missing_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        write_file(tmp_path / "absent", "a.xml", "x")
    assert remove_file(tmp_path / "absent", "a.xml") is False
    assert not (tmp_path / "absent").exists()


def test_a_group_that_a_folder_hands_down_is_handed_down(root):
    root.chmod(0o2770)
    make_folder(root, "a/b")
    assert mode(root / "a/b") == 0o2770


PATHS_OUT = [
    "",
    ".",
    "/",
    "..",
    "/etc/x",
    "../x",
    "a/../../x",
    "a/..",
    "a\nb",
    "a\0b",
    "a\x1b/b",
    "a\u2028b",
]


@pytest.mark.parametrize("path", PATHS_OUT)
@pytest.mark.parametrize(
    "act",
    [
        lambda root, path: write_file(root, path, "x"),
        lambda root, path: remove_file(root, path),
        lambda root, path: make_folder(root, path),
        lambda root, path: move_folder(root, path, "new"),
        lambda root, path: move_folder(root, "old", path),
        lambda root, path: remove_folder(root, path),
    ],
)
def test_a_path_that_leaves_its_root_is_refused(tmp_path, root, act, path):
    (root / "old").mkdir()
    (tmp_path / "x").write_text("mine")
    with pytest.raises(ValueError, match="not a path below"):
        act(root, path)
    assert everything(tmp_path) == {"x", "root", "root/old"}
    assert (tmp_path / "x").read_text() == "mine"


@pytest.mark.parametrize(
    "act",
    [
        lambda root: write_file(root, "link/x", "x"),
        lambda root: write_file(root, "link/new/x", "x"),
        lambda root: remove_file(root, "link/x"),
        lambda root: make_folder(root, "link/new"),
        lambda root: make_folder(root, "link"),
        lambda root: move_folder(root, "link", "new"),
        lambda root: move_folder(root, "old", "link/new"),
        lambda root: remove_folder(root, "link/old"),
        lambda root: remove_folder(root, "link"),
    ],
)
def test_a_link_is_no_way_out_of_the_root(tmp_path, root, act):
    outside = tmp_path / "outside"
    (outside / "old").mkdir(parents=True)
    (outside / "x").write_text("mine")
    (root / "old").mkdir()
    (root / "link").symlink_to(outside)
    before = everything(tmp_path)
    with pytest.raises(NotADirectoryError, match="links are not followed"):
        act(root)
    assert everything(tmp_path) == before
    assert (outside / "x").read_text() == "mine"


def test_a_file_that_is_a_link_is_replaced_and_not_written_through(tmp_path, root):
    (tmp_path / "outside").write_text("mine")
    (root / "a.xml").symlink_to(tmp_path / "outside")
    assert write_file(root, "a.xml", "mine") is True
    assert (root / "a.xml").read_text() == "mine"
    assert not (root / "a.xml").is_symlink()
    write_file(root, "a.xml", "new")
    assert (tmp_path / "outside").read_text() == "mine"


def test_a_root_that_is_a_link_is_where_it_leads(tmp_path, root):
    (tmp_path / "link").symlink_to(root)
    write_file(tmp_path / "link", "a.xml", "x")
    assert (root / "a.xml").read_text() == "x"


def test_a_file_is_removed_once(root):
    write_file(root, "a/b.xml", "x")
    assert remove_file(root, "a/b.xml") is True
    assert remove_file(root, "a/b.xml") is False
    assert remove_file(root, "nosuch/b.xml") is False
    assert everything(root) == {"a"}


def test_a_folder_is_made_once_and_keeps_its_mode(root):
    assert make_folder(root, "default/example.com/101") is True
    assert mode(root / "default/example.com/101") == 0o770
    (root / "default/example.com/101").chmod(0o750)
    assert make_folder(root, "default/example.com/101") is False
    assert mode(root / "default/example.com/101") == 0o750


def test_a_folder_cannot_be_made_where_a_file_is(root):
    write_file(root, "a", "x")
    with pytest.raises(NotADirectoryError):
        make_folder(root, "a")


def test_a_folder_moves_with_what_is_in_it_and_only_once(root):
    write_file(root, "example.com/101/msg_1.wav", "x")
    assert move_folder(root, "example.com/101", "example.net/102") is True
    assert (root / "example.net/102/msg_1.wav").read_text() == "x"
    assert move_folder(root, "example.com/101", "example.net/102") is False
    assert everything(root) == {"example.com", "example.net", "example.net/102", "example.net/102/msg_1.wav"}


def test_a_folder_that_has_a_new_owner_moves_only_where_nothing_is_yet(root):
    write_file(root, "101/msg_1.wav", "x")
    assert move_folder(root, "101", "102", unless_there=True) is True
    write_file(root, "101/msg_2.wav", "new owner's")
    assert move_folder(root, "101", "102", unless_there=True) is False
    assert everything(root) == {"101", "101/msg_2.wav", "102", "102/msg_1.wav"}


def test_a_folder_that_never_was_is_not_moved(root):
    assert move_folder(root, "example.com/101", "example.com/102") is False
    assert everything(root) == set()


def test_a_folder_takes_the_place_of_an_empty_one_and_of_no_other(root):
    write_file(root, "101/msg_1.wav", "old")
    make_folder(root, "102")
    assert move_folder(root, "101", "102") is True
    write_file(root, "101/msg_2.wav", "new")
    with pytest.raises(OSError, match="not empty"):
        move_folder(root, "101", "102")
    assert everything(root) == {"101", "101/msg_2.wav", "102", "102/msg_1.wav"}


def test_a_folder_is_removed_with_what_is_in_it_and_only_once(tmp_path, root):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x").write_text("mine")
    write_file(root, "default/101/a/b.wav", "x")
    (root / "default/101/link").symlink_to(tmp_path / "outside")
    assert remove_folder(root, "default/101") is True
    assert remove_folder(root, "default/101") is False
    assert everything(root) == {"default"}
    assert (tmp_path / "outside/x").read_text() == "mine"


def test_no_descriptor_stays_open(root):
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    write_file(root, "a/b/c.xml", "x")
    move_folder(root, "a/b", "d/e")
    remove_folder(root, "d")
    (root / "f").write_text("")
    for act in (make_folder, remove_folder):
        with pytest.raises(NotADirectoryError):
            act(root, "f/g")
    assert count() == before


def test_a_file_is_read_and_one_that_is_not_there_is_none(root):
    write_file(root, "a/b.xml", "x")
    assert read_file(root, "a/b.xml") == b"x"
    assert read_file(root, "a/c.xml") is None
    assert read_file(root, "nosuch/b.xml") is None
    with pytest.raises(ValueError):
        read_file(root, "../b.xml")


def test_what_a_killed_writer_left_goes_with_the_next_write_or_removal(root):
    for act in (lambda: write_file(root, "a/b.xml", "new"), lambda: remove_file(root, "a/b.xml")):
        write_file(root, "a/b.xml", "old")
        (root / "a" / ".b.xml.tmp").write_text("half of")
        act()
        assert everything(root) <= {"a", "a/b.xml"}


def test_a_link_in_the_place_of_an_unfinished_file_is_not_written_through(tmp_path, root):
    (tmp_path / "outside").write_text("mine")
    (root / ".a.xml.tmp").symlink_to(tmp_path / "outside")
    write_file(root, "a.xml", "x")
    assert (tmp_path / "outside").read_text() == "mine"
    assert everything(root) == {"a.xml"}


def test_folders_are_synced_once_however_many_files_change_in_them(root, monkeypatch):
    synced: list[tuple[int, int]] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        status = os.fstat(descriptor)
        if status.st_ino != (root / "a.com").stat().st_ino:
            return real(descriptor)
        synced.append((status.st_dev, status.st_ino))
        return real(descriptor)

    make_folder(root, "a.com")
    monkeypatch.setattr(files.os, "fsync", note)
    unsynced = files.Unsynced()
    for number in range(20):
        assert write_file(root, f"a.com/v_{number}.xml", "x", unsynced=unsynced) is True
    assert remove_file(root, "a.com/v_3.xml", unsynced=unsynced) is True
    assert synced == []
    unsynced.sync()
    assert len(synced) == 1


def test_more_folders_than_are_held_open_are_synced_all_the_same(root, monkeypatch):
    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(files.Unsynced, "MOST", 3)
    unsynced = files.Unsynced()
    synced: list[str] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(files.os, "fsync", note)
    for number in range(10):
        write_file(root, f"{number}.com/v_1.xml", "x", unsynced=unsynced)
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + 3
    unsynced.sync()
    assert {f"{number}.com" for number in range(10)} <= {*synced}
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("later", [0, 5])
def test_a_folder_that_cannot_be_synced_shows_and_is_let_go(root, monkeypatch, later):
    """Also one that had to be let go long before the others."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(files.Unsynced, "MOST", 3)
    unsynced = files.Unsynced()
    lost = root / "a.com"
    real = os.fsync

    def lose(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink() == lost:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    monkeypatch.setattr(files.os, "fsync", lose)
    write_file(root, "a.com/v_1.xml", "x", unsynced=unsynced)
    for number in range(later):
        write_file(root, f"{number}.com/v_1.xml", "x", unsynced=unsynced)
    with pytest.raises(OSError, match="Input/output error"):
        unsynced.sync()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
