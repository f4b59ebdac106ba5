"""FusionPBX's cache of one node: what is deleted is gone, in every spelling, and nothing else is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbxapi.errors import SwitchRefused, SwitchUnavailable
from pbxapi.switch.cache import Cache, CacheError, spellings


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture
def cache(simulator, switch, folder):
    return Cache("file", switch, folder)


def store(folder, *names):
    for name in names:
        (folder / name).write_text("<document/>")


def names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("key", "file"),
    [
        ("directory:101@example.com", "directory.101@example.com"),
        ("pbx1:configuration:sofia.conf", "pbx1.configuration.sofia.conf"),
        ("dialplan:public:+441632960000", "dialplan.public.+441632960000"),
        ("app:caller_id:lookup:a/b\\c", "app.caller_id.lookup.a_b_c"),
        ("directory:1..2@example.com", "directory.1..2@example.com"),
    ],
)
def test_an_entry_of_lua_is_found_and_deleted(cache, folder, key, file):
    store(folder, file, "other")
    assert cache.exists(key)
    cache.delete([key])
    assert names(folder) == {"other"}
    assert not cache.exists(key)


def test_an_entry_that_php_spells_otherwise_goes_as_well(cache, folder):
    store(folder, "a.b\\c", "a.b_c")
    cache.delete(["a:b\\c"])
    assert names(folder) == set()


def test_a_wildcard_is_a_letter_like_any_other(cache, folder):
    store(folder, "directory.*@example.com", "directory.101@example.com", "directory.[1]@example.com")
    cache.delete(["directory:*@example.com", "directory:[1]@example.com", "directory:?01@example.com"])
    assert names(folder) == {"directory.101@example.com"}


@pytest.mark.parametrize(
    "key", ["", ".", "..", ":", "::", "../victim", "a:..:b", "a/../b", "a\\..", "a\nb", "a\0b", "a\x7fb"]
)
def test_a_key_that_is_no_key_deletes_nothing_at_all(tmp_path, cache, folder, simulator, key):
    (tmp_path / "victim").write_text("")
    store(folder, "good")
    for attempt in (
        lambda: cache.delete(["good", key]),
        lambda: cache.delete_matching(key),
        lambda: cache.exists(key),
    ):
        with pytest.raises(ValueError, match="not a key"):
            attempt()
    assert names(folder) == {"good"}
    assert (tmp_path / "victim").exists()
    assert simulator.events_received == []


def test_a_key_with_a_slash_reaches_no_other_folder(cache, folder):
    (folder / "a").mkdir()
    store(folder / "a", "b")
    cache.delete(["a/b"])
    assert (folder / "a" / "b").exists()


def test_deleting_what_is_not_there_is_no_error(cache, folder):
    cache.delete(["directory:101@example.com", "x" * 300])
    cache.delete([])
    cache.delete_matching("dialplan:public:")
    assert not cache.exists("x" * 300)


def test_a_folder_that_is_absent_holds_nothing(switch, tmp_path, simulator):
    cache = Cache("file", switch, tmp_path / "absent")
    cache.delete(["directory:101@example.com"])
    cache.delete_matching("dialplan:")
    assert not cache.exists("directory:101@example.com")
    assert not (tmp_path / "absent").exists()
    assert len(simulator.events_received) == 1


def test_a_link_in_the_folder_is_removed_and_not_followed(tmp_path, cache, folder):
    (tmp_path / "victim").write_text("")
    (folder / "a.b").symlink_to(tmp_path / "victim")
    (folder / "a.c").symlink_to(tmp_path / "nowhere")
    assert cache.exists("a:c")
    cache.delete(["a:b", "a:c"])
    assert names(folder) == set()
    assert (tmp_path / "victim").exists()


@pytest.fixture
def without_roots_rights() -> Iterator[Path]:
    """A folder that we may read and not write, also where the tests run as root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store(folder, "directory.101@example.com")
        folder.chmod(0o555)
        me = os.geteuid()
        if me == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(me)
            folder.chmod(0o700)


def test_a_folder_that_we_may_not_write_is_named(switch, simulator, without_roots_rights):
    cache = Cache("file", switch, without_roots_rights)
    with pytest.raises(CacheError, match=f"cache folder {without_roots_rights}: Permission denied"):
        cache.delete(["directory:101@example.com"])
    with pytest.raises(CacheError, match="Permission denied"):
        cache.delete_matching("directory:")
    assert simulator.events_received == []
    cache.delete(["directory:102@example.com"])


def test_a_folder_that_is_a_file_is_named(switch, tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(CacheError, match=f"{tmp_path}/cache: Not a directory"):
        Cache("file", switch, tmp_path / "cache").delete(["a:b"])


# All that begin with a text


def test_all_entries_of_a_prefix_go_and_no_others(cache, folder):
    store(folder, "dialplan.public.1", "dialplan.public.+2", "dialplan.public", "dialplan.publicity.3", "x")
    cache.delete_matching("dialplan:public:")
    assert names(folder) == {"dialplan.public", "dialplan.publicity.3", "x"}


def test_a_prefix_is_no_pattern(cache, folder):
    store(folder, "dialplan.public.1", "dialplan.*.1")
    cache.delete_matching("dialplan:*")
    assert names(folder) == {"dialplan.public.1"}


def test_what_an_outside_caller_dialled_stops_no_deletion(cache, folder, simulator):
    store(folder, "dialplan.public.1")
    (folder / os.fsdecode(b"dialplan.public.\xff")).write_text("")
    (folder / "dialplan.public.\n").write_text("")
    cache.delete_matching("dialplan:public:")
    assert names(folder) == set()
    assert [event["API-Command-Argument"] for event in simulator.events_received] == ["delete dialplan:public:1"]


# FusionPBX's events


def test_each_deletion_is_told_as_fusionpbx_tells_it(cache, simulator):
    cache.delete(["directory:101@example.com", "dialplan:example.com", "directory:101@example.com"])
    sent = [
        (event["Event-Subclass"], event["API-Command"], event["API-Command-Argument"])
        for event in simulator.events_received
    ]
    assert sent == [
        ("fusion::file", "cache", "delete directory:101@example.com"),
        ("fusion::file", "cache", "delete dialplan:example.com"),
    ]


def test_the_deletions_of_a_prefix_are_told_key_by_key(cache, folder, simulator):
    store(folder, "dialplan.public.1", "dialplan.public.2.x")
    cache.delete_matching("dialplan:public:")
    assert {event["API-Command-Argument"] for event in simulator.events_received} == {
        "delete dialplan:public:1",
        "delete dialplan:public:2.x",
    }


def test_files_go_even_while_the_switch_is_away(cache, folder, simulator):
    store(folder, "directory.101@example.com")
    simulator.go_away()
    with pytest.raises(SwitchUnavailable):
        cache.delete(["directory:101@example.com"])
    assert names(folder) == set()


# memcache


@pytest.fixture
def memcache(event_socket):
    return Cache("memcache", event_socket)


def test_entries_of_memcache_are_deleted_over_the_event_socket_and_told(raw, memcache):
    raw.answers["memcache delete directory:101@example.com"] = "+OK\n"
    raw.answers["memcache delete a\\\\b"] = "-ERR NOT FOUND\n"
    memcache.delete(["directory:101@example.com", "a\\b"])
    assert raw.heard[:2] == ["api memcache delete directory:101@example.com", "api memcache delete a\\\\b"]
    assert raw.heard[2].split("\n") == [
        "sendevent CUSTOM",
        "Event-Name: CUSTOM",
        "Event-Subclass: fusion::memcache",
        "API-Command: memcache",
        "API-Command-Argument: delete directory:101@example.com",
    ]


@pytest.mark.parametrize("answer", ["-ERR memcache Command not found!\n", "-ERR CONNECTION FAILURE\n"])
def test_a_memcache_that_does_not_work_is_an_error(raw, memcache, answer):
    raw.answers["memcache delete a:b"] = raw.answers["memcache flush"] = answer
    raw.answers["memcache getflags a:b"] = answer
    for attempt in (
        lambda: memcache.delete(["a:b"]),
        lambda: memcache.delete_matching("a:"),
        lambda: memcache.exists("a:b"),
    ):
        with pytest.raises(SwitchRefused, match=answer.strip()):
            attempt()


def test_an_entry_of_memcache_exists_or_not(raw, memcache):
    raw.answers["memcache getflags a:b"] = "0"
    raw.answers["memcache getflags a:c"] = "-ERR NOT FOUND\n"
    assert memcache.exists("a:b")
    assert not memcache.exists("a:c")


def test_memcache_cannot_list_its_keys_and_is_flushed(raw, memcache):
    raw.answers["memcache flush"] = "+OK\n"
    memcache.delete_matching("dialplan:public:")
    assert raw.heard[0] == "api memcache flush"
    assert raw.heard[1].endswith("API-Command-Argument: flush")


@pytest.mark.parametrize("key", ["a b", "a'b", 'a"b', "a\tb"])
def test_a_key_that_would_be_two_words_is_refused_before_any_is_deleted(raw, memcache, key):
    with pytest.raises(ValueError, match="not a key"):
        memcache.delete(["good", key])
    assert raw.heard == []


# Spellings and methods


def test_directory_and_configuration_keys_have_a_form_with_the_host_name():
    assert spellings("directory:101@example.com", "pbx1") == (
        "directory:101@example.com",
        "pbx1:directory:101@example.com",
    )
    assert spellings("configuration:sofia.conf", "pbx1")[1] == "pbx1:configuration:sofia.conf"
    assert spellings("dialplan:example.com", "pbx1") == ("dialplan:example.com",)


@pytest.mark.parametrize("method", ["", "redis", "file"])
def test_a_cache_without_a_method_or_a_folder_is_refused(event_socket, method):
    with pytest.raises(ValueError, match="not a cache"):
        Cache(method, event_socket)


def test_an_entry_tells_when_it_was_written(cache, folder):
    store(folder, "directory.101@example.com")
    os.utime(folder / "directory.101@example.com", (1000.5, 1000.5))
    assert cache.written_at("directory:101@example.com") == 1000.5
    assert cache.written_at("directory:102@example.com") is None


def test_the_keys_of_a_prefix_are_read_from_the_files(cache, folder):
    store(folder, "directory.101@example.com", "pbx1.directory.102@example.com", "dialplan.public")
    assert cache.keys_matching("directory:") == ["directory:101@example.com"]
    assert cache.keys_matching("pbx1:directory:") == ["pbx1:directory:102@example.com"]


def test_memcache_tells_neither_keys_nor_times(memcache):
    assert memcache.keys_matching("directory:") == []
    assert memcache.written_at("directory:101@example.com") is None
