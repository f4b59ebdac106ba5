"""From a change row to one node: bursts are one drain, a failure has a face and takes nothing else down."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from pbxapi.changes import apply, drain
from pbxapi.changes.apply import Plan
from pbxapi.changes.journal import retry_changes
from pbxapi.data.change import prune_changes
from pbxapi.data.database import Session
from pbxapi.plugin import (
    Change,
    ClearCache,
    Effect,
    MakeFolder,
    MessageWaiting,
    Refresh,
    RemoveFile,
    RunTask,
    WriteFile,
)
from pbxapi.switch.event_socket import EventSocket
from pbxapi.testing import Client, Pbx, Reply, close_pbx, make_pbx

BROKEN = "[error near line 108]: unexpected closing tag </section>"


def number(reply: Reply) -> str:
    return reply.headers["X-Change-Id"]


def create(client: Client, extension: int, **fields: Any) -> Reply:
    reply = client.call("extensions", "create", json={"extension": str(extension), **fields})
    assert reply.status == 201
    return reply


def make_due(pbx: Pbx) -> None:
    """Do as if the pauses between attempts were over."""
    pbx.run("update pbxapi.change_node set due_at = clock_timestamp() where state = 'pending'")


def make_settle(pbx: Pbx) -> None:
    """Do as if the two seconds before the settle pass were over."""
    pbx.run("update pbxapi.change_node set settle_at = clock_timestamp() where settle_at is not null")


def apply_until_parked(pbx: Pbx) -> None:
    for _ in range(pbx.config.changes_attempts):
        make_due(pbx)
        pbx.apply()


Effects = Callable[[Change], Iterable[Effect]]


@pytest.fixture
def effects_of(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> Callable[[Effects], None]:
    """Gives extensions other effects."""

    def put(effects: Effects) -> None:
        resource = pbx.drain._registry.resources["extensions"]
        monkeypatch.setattr(resource, "declaration", replace(resource.declaration, effects=effects))

    return put


# Coalescing


@pytest.fixture
def lua_pbx(database_url: str, tmp_path: Path) -> Iterator[Pbx]:
    """One whose switch has everything from the database: no folder for XML files."""
    system = make_pbx(
        database_url,
        tmp_path / "pbx",
        xml_extensions_dir=None,
        xml_sip_profiles_dir=None,
        xml_dialplan_dir=None,
    )
    system.run(
        "delete from v_default_settings where default_setting_category = 'switch' "
        "and default_setting_subcategory in ('extensions', 'sip_profiles', 'dialplan')"
    )
    yield system
    close_pbx(system)


def test_creates_that_change_no_xml_file_cause_no_reload(lua_pbx: Pbx) -> None:
    for extension in range(7000, 7050):
        create(lua_pbx.client, extension)
    assert lua_pbx.apply() == 50
    assert lua_pbx.switch.reloads == 0
    assert lua_pbx.socket.api(f"user_exists id 7049 {lua_pbx.domain}") == "true"


def test_a_burst_is_one_drain_and_one_reload(pbx: Pbx, client: Client) -> None:
    for extension in range(7000, 7030):
        create(client, extension)
    assert pbx.apply() == 30
    assert [reload.by for reload in pbx.switch.reload_log] == ["reloadxml"]


def test_a_change_that_arrives_during_a_reload_gets_the_next_one(pbx: Pbx, client: Client) -> None:
    pbx.switch.reload_seconds = 0.5
    create(client, 7001)
    draining = threading.Thread(target=pbx.apply)
    draining.start()
    while "reloadxml" not in pbx.switch.commands:
        time.sleep(0.01)
    create(client, 7002)
    draining.join()
    assert len(pbx.switch.reload_log) == 2
    assert pbx.switch.max_parallel_reloads == 1
    assert pbx.rows("select distinct state from pbxapi.change_node") == [{"state": "applied"}]


def test_two_drains_of_a_node_never_run_at_once(pbx: Pbx, client: Client) -> None:
    pbx.switch.reload_seconds = 0.5
    create(client, 7001)
    draining = threading.Thread(target=pbx.apply)
    draining.start()
    while "reloadxml" not in pbx.switch.commands:
        time.sleep(0.01)
    assert pbx.apply() == 0
    draining.join()


def test_a_write_touches_its_own_file_and_no_other_of_the_domain(pbx: Pbx, client: Client) -> None:
    for extension in (7001, 7002):
        create(client, extension)
    pbx.apply()
    folder = pbx.folders["extensions"] / pbx.domain
    before = {path.name: path.stat().st_ino for path in folder.iterdir()}
    create(client, 7003)
    pbx.apply()
    after = {path.name: path.stat().st_ino for path in folder.iterdir()}
    assert after.keys() - before.keys() == {"v_7003.xml"}
    assert {name: inode for name, inode in after.items() if name in before} == before


def test_what_changed_nothing_in_the_files_is_not_reloaded(pbx: Pbx, client: Client) -> None:
    made = client.create("extensions", extension="7001")
    pbx.apply()
    client.update("extensions", made, enabled="true")
    pbx.apply()
    assert pbx.switch.reloads == 1


def test_of_one_file_only_what_was_computed_last_counts() -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    plan = Plan()
    plan.add(first, [WriteFile("extensions", "a.xml", "new"), ClearCache("directory:1@a")])
    plan.add(second, [RemoveFile("extensions", "a.xml")])
    plan.add(third, [WriteFile("extensions", "a.xml", "new")])
    assert plan.files() == [WriteFile("extensions", "a.xml", "new")]
    assert plan.wanted[WriteFile("extensions", "a.xml", "new")] == {first, second, third}


# What a batch costs


Cost = Callable[[Callable[[], int]], dict[str, int]]


@pytest.fixture
def cost(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> Cost:
    """What it costs to apply some writes together: statements, folders that are synced, waits for the switch."""
    monkeypatch.setattr(drain, "SETTLE_SECONDS", 3600)  # what is deleted again would be counted, too
    execute, fsync, exchange = Session._execute, os.fsync, EventSocket._exchange

    def of(write: Callable[[], int]) -> dict[str, int]:
        counted = {"statements": 0, "folders": 0, "waits": 0}

        def count_statement(self: Session, *arguments: Any) -> Any:
            counted["statements"] += 1
            return execute(self, *arguments)

        def count_sync(descriptor: int) -> None:
            counted["folders"] += stat.S_ISDIR(os.fstat(descriptor).st_mode)
            fsync(descriptor)

        def count_exchange(self: EventSocket, *arguments: Any) -> Any:
            counted["waits"] += 1
            return exchange(self, *arguments)

        count = write()
        with monkeypatch.context() as patched:
            patched.setattr(Session, "_execute", count_statement)
            patched.setattr("pbxapi.switch.files.os.fsync", count_sync)
            patched.setattr(EventSocket, "_exchange", count_exchange)
            assert pbx.apply() == count
        return counted

    return of


def test_a_batch_costs_no_more_statements_syncs_of_folders_and_waits_than_a_single_change(
    client: Client, cost: Cost
) -> None:
    def creates(first: int, count: int) -> Callable[[], int]:
        def write() -> int:
            for extension in range(first, first + count):
                create(client, extension, voicemail_enabled="true")
            return count

        return write

    cost(creates(7000, 1))
    assert cost(creates(7100, 40)) == cost(creates(7200, 1))


def test_records_that_are_refreshed_cost_as_many_statements_as_one_whatever_domains_they_are_in(
    pbx: Pbx, client: Client, cost: Cost
) -> None:
    boxes: list[tuple[Client, str]] = []
    for tenant in (client, client.of(pbx.other_domain)):
        for extension in range(7000, 7010):
            create(tenant, extension, voicemail_enabled="true")
        found = tenant.list("voicemails", search="70", per_page=100)
        boxes += [(tenant, box["voicemail_uuid"]) for box in found if box["voicemail_id"].startswith("70")]
    assert len(boxes) == 20
    pbx.apply()

    def changes(some: list[tuple[Client, str]], address: str) -> Callable[[], int]:
        def write() -> int:
            for tenant, box in some:
                tenant.update("voicemails", box, voicemail_mail_to=address)
            return len(some)

        return write

    one = cost(changes(boxes[:1], "one@example.com"))
    many = cost(changes(boxes, "many@example.com"))
    assert many["statements"] == one["statements"]
    for domain in (pbx.domain, pbx.other_domain):
        for file in (pbx.folders["extensions"] / domain).glob("v_700?.xml"):
            assert "many@example.com" in file.read_text()


def test_a_record_that_many_changes_refresh_is_computed_once(
    pbx: Pbx, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = client.create("extensions", extension="7000")
    others = [client.create("extensions", extension=str(extension)) for extension in range(7001, 7006)]
    pbx.apply()
    resource = pbx.drain._registry.resources["extensions"]
    computed: list[str] = []

    def effects(change: Change) -> Iterator[Effect]:
        computed.append(str(change.uuid))
        if str(change.uuid) == shared:
            raise ValueError("it cannot be computed")
        yield Refresh("extensions", UUID(shared))
        yield MakeFolder("voicemail", f"made-by-{change.uuid}")

    monkeypatch.setattr(resource, "declaration", replace(resource.declaration, effects=effects))
    replies = [client.update("extensions", other, description="changed") for other in others]
    pbx.apply()
    assert computed.count(shared) == 1
    for reply, other in zip(replies, others, strict=True):
        shown = pbx.change(reply)
        assert (shown["state"], shown["nodes"][0]["error"]) == ("pending", "ValueError: it cannot be computed")
        assert (pbx.folders["voicemail"] / f"made-by-{other}").is_dir(), "a fault of another holds up its own"


def test_changes_of_many_domains_that_are_applied_together_keep_to_their_own(pbx: Pbx, client: Client) -> None:
    other = client.of(pbx.other_domain)
    for extension in (7001, 7002):
        create(client, extension, password=f"of-the-one-{extension}")
        create(other, extension, password=f"of-the-other-{extension}")
    assert pbx.apply() == 4
    for domain, whose in ((pbx.domain, "one"), (pbx.other_domain, "other")):
        for extension in (7001, 7002):
            text = (pbx.folders["extensions"] / domain / f"v_{extension}.xml").read_text()
            assert f'"password" value="of-the-{whose}-{extension}"' in text


def test_more_changes_than_are_read_at_once_are_all_applied_from_their_own_rows(
    pbx: Pbx, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbxapi.plugin.change.AHEAD", 3)
    made = [create(client, extension).data["extension_uuid"] for extension in range(7000, 7010)]
    client.update("extensions", made[1], password="twice-in-the-batch")
    client.delete("extensions", made[8])
    assert pbx.apply() == 12
    folder = pbx.folders["extensions"] / pbx.domain
    assert {path.name for path in folder.glob("v_70*.xml")} == {
        f"v_{extension}.xml" for extension in range(7000, 7010) if extension != 7008
    }
    assert "twice-in-the-batch" in (folder / "v_7001.xml").read_text()


def test_of_files_that_are_written_side_by_side_one_that_fails_takes_no_other_down(
    pbx: Pbx, client: Client
) -> None:
    create(client, 7000)
    pbx.apply()
    folder = pbx.folders["extensions"] / pbx.domain
    (folder / "v_7005.xml").mkdir()
    (folder / "v_7005.xml" / "in the way").touch()
    replies = {extension: create(client, extension) for extension in range(7001, 7011)}
    pbx.apply()
    states = {extension: pbx.change(reply)["state"] for extension, reply in replies.items()}
    assert states == {extension: "pending" if extension == 7005 else "applied" for extension in replies}
    assert "v_7005.xml" in pbx.change(replies[7005])["nodes"][0]["error"]


def test_files_are_not_applied_before_their_folder_is_safely_on_the_disk(
    pbx: Pbx, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = [create(client, extension) for extension in (7001, 7002)]
    fsync = os.fsync

    def lose_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr("pbxapi.switch.files.os.fsync", lose_folders)
        pbx.apply()
    for reply in replies:
        shown = pbx.change(reply)
        assert shown["state"] == "pending"
        assert shown["nodes"][0]["error"] == "extensions: Input/output error"
    make_due(pbx)
    pbx.apply()
    assert [pbx.change(reply)["state"] for reply in replies] == ["applied", "applied"]


# The settle pass


def test_what_is_due_is_settled_while_changes_come_without_end(
    pbx: Pbx, client: Client, effects_of: Callable[[Effects], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    create(client, 7001)
    pbx.apply()
    entry = pbx.folders["cache"] / f"directory.7001@{pbx.domain}"
    entry.write_text("<document/>")
    make_settle(pbx)
    there: list[bool] = []

    def look(_: Change) -> Iterator[Effect]:
        there.append(entry.exists())
        yield from ()

    effects_of(look)
    monkeypatch.setattr(drain, "BATCH", 1)
    create(client, 7002)
    create(client, 7003)
    pbx.apply()
    assert there == [True, False]


def test_a_cache_entry_written_from_an_old_read_does_not_survive(pbx: Pbx, client: Client) -> None:
    """The switch reads the row, we commit and delete the entry, and only then the switch writes it."""
    made = client.create("extensions", extension="7001", password="old-password")
    pbx.apply()
    make_settle(pbx)
    pbx.apply()
    has_read, may_write = threading.Event(), threading.Event()

    def pause(key: str) -> None:
        has_read.set()
        assert may_write.wait(10)

    ask = f"user_data 7001@{pbx.domain} param password"
    pbx.switch.pause_before_cache_write = pause
    looking = threading.Thread(target=lambda: pbx.switch.api(ask))
    looking.start()
    assert has_read.wait(10)
    client.update("extensions", made, password="new-password")
    pbx.apply()
    may_write.set()
    looking.join()
    pbx.switch.pause_before_cache_write = None
    assert pbx.socket.api(ask) == "old-password", "the race was not played"
    time.sleep(drain.SETTLE_SECONDS)
    pbx.apply()
    assert pbx.socket.api(ask) == "new-password"


def test_keys_are_deleted_a_second_time_after_two_seconds_and_not_before(pbx: Pbx, client: Client) -> None:
    create(client, 7001)
    pbx.apply()
    entry = pbx.folders["cache"] / f"directory.7001@{pbx.domain}"
    entry.write_text("<document/>")
    pbx.apply()
    assert entry.exists()
    (row,) = pbx.rows(
        "select extract(epoch from settle_at - applied_at)::float8 as pause, state from pbxapi.change_node"
    )
    assert row["pause"] == pytest.approx(drain.SETTLE_SECONDS, abs=0.5)
    assert row["state"] == "applied"
    make_settle(pbx)
    pbx.apply()
    assert not entry.exists()
    assert pbx.rows("select 1 from pbxapi.change_node where settle_at is not null") == []


def test_keys_that_cannot_be_deleted_again_have_the_change_applied_again(pbx: Pbx, client: Client) -> None:
    reply = create(client, 7001)
    pbx.apply()
    entry = pbx.folders["cache"] / f"directory.7001@{pbx.domain}"
    entry.mkdir()
    make_settle(pbx)
    pbx.apply()
    shown = pbx.change(reply)
    assert shown["state"] == "pending"
    assert "cannot use the cache folder" in shown["nodes"][0]["error"]
    entry.rmdir()
    make_due(pbx)
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"


# A failure has a face


def fill_disk(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    real = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pbxapi.switch.files.os.fsync", full)
    return lambda: monkeypatch.setattr("pbxapi.switch.files.os.fsync", real)


def break_xml(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    pbx.switch.break_xml(BROKEN)
    return pbx.switch.mend_xml


def refuse_auth(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    pbx.socket.close()
    pbx.switch.refuse_auth()
    return lambda: pbx.switch.refuse_auth(False)


def close_folder(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """As root sees one that is not writable: there is none."""
    folder = pbx.folders["extensions"]
    folder.rename(folder.with_name("away"))
    return lambda: (folder.with_name("away").rename(folder), None)[1]


def close_cache(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    folder = pbx.folders["cache"]
    folder.rename(folder.with_name("away"))
    folder.write_text("a file")
    return lambda: (folder.unlink(), folder.with_name("away").rename(folder), None)[2]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (break_xml, BROKEN),
        (fill_disk, "v_7001.xml: No space left on device"),
        (close_folder, "No such file or directory"),
        (close_cache, "cannot use the cache folder"),
        (refuse_auth, "authentication refused"),
    ],
)
def test_a_change_that_cannot_be_applied_is_retried_parked_shown_and_applied_once_mended(
    pbx: Pbx,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[Pbx, pytest.MonkeyPatch], Callable[[], None]],
    reason: str,
) -> None:
    mend = fault(pbx, monkeypatch)
    reply = create(client, 7001)
    pbx.apply()
    shown = pbx.change(reply)
    assert (shown["state"], shown["nodes"][0]["attempts"]) == ("pending", 1)
    assert reason in shown["nodes"][0]["error"]
    assert client.list("changes", state="failed") == []
    apply_until_parked(pbx)
    shown = pbx.change(reply)
    assert (shown["state"], shown["nodes"][0]["attempts"]) == ("failed", pbx.config.changes_attempts)
    assert reason in shown["nodes"][0]["error"]
    assert [row["change_id"] for row in client.list("changes", state="failed")] == [number(reply)]
    assert pbx.apply() == 0

    mend()
    with pbx.database.writing() as session:
        assert retry_changes(session, None) == 1
    assert pbx.apply() == 1
    assert pbx.change(reply)["state"] == "applied"
    assert pbx.socket.api(f"user_exists id 7001 {pbx.domain}") == "true"
    assert (pbx.folders["extensions"] / pbx.domain / "v_7001.xml").exists()


def test_the_pauses_between_attempts_grow(pbx: Pbx, client: Client) -> None:
    pbx.switch.break_xml(BROKEN)
    create(client, 7001)
    pauses = []
    for _ in range(5):
        make_due(pbx)
        pbx.apply()
        (row,) = pbx.rows(
            "select extract(epoch from due_at - clock_timestamp())::float8 as pause from pbxapi.change_node"
        )
        pauses.append(round(row["pause"]))
    assert pauses == [1, 2, 4, 8, 16]


def test_a_switch_that_is_away_costs_no_attempt(pbx: Pbx, client: Client) -> None:
    pbx.switch.go_away()
    reply = create(client, 7001)
    for _ in range(pbx.config.changes_attempts + 2):
        pbx.apply()
    shown = pbx.change(reply)
    assert (shown["state"], shown["nodes"][0]["attempts"]) == ("pending", 0)
    assert "Connection refused" in shown["nodes"][0]["error"]
    pbx.switch.come_back()
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"
    assert pbx.change(reply)["nodes"][0]["error"] == ""


def test_files_and_cache_are_put_right_while_the_switch_is_away(pbx: Pbx, client: Client) -> None:
    create(client, 7001)
    pbx.apply()
    with pbx.database.writing() as session:
        session.run("update pbxapi.node set hostname = 'switch1'")
    pbx.switch.go_away()
    entry = pbx.folders["cache"] / f"directory.7002@{pbx.domain}"
    entry.write_text("<document/>")
    create(client, 7002)
    pbx.apply()
    assert (pbx.folders["extensions"] / pbx.domain / "v_7002.xml").exists()
    assert not entry.exists()


def test_a_command_without_an_answer_is_its_changes_fault_while_the_switch_answers_others(
    pbx: Pbx, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbxapi.switch.commands.RELOAD_TIMEOUT", 0.2)
    pbx.switch.reload_seconds = 1.0
    reply = create(client, 7001)
    pbx.apply()
    shown = pbx.change(reply)
    assert (shown["state"], shown["nodes"][0]["attempts"]) == ("pending", 1)
    assert "no answer within the deadline" in shown["nodes"][0]["error"]
    pbx.switch.reload_seconds = 0.0
    time.sleep(1.0)
    make_due(pbx)
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"


# One poisoned change never holds up the others


def poisoned(good: Effects, bad: Effects) -> Effects:
    def effects(change: Change) -> Iterable[Effect]:
        poison = change.current is not None and change.current["extension"] == "7666"
        return bad(change) if poison else good(change)

    return effects


def raises(change: Change) -> Iterable[Effect]:
    raise RuntimeError("poison \0 with a NUL and a lone surrogate \udcff")


def breaks_a_statement(change: Change) -> Iterable[Effect]:
    change.session.rows("select 1 / 0")
    return []


def no_xml(change: Change) -> Iterable[Effect]:
    return [WriteFile("extensions", f"{change.domain_name}/v_7666.xml", "<include><user id='7666'></include>")]


def no_path(change: Change) -> Iterable[Effect]:
    return [WriteFile("voicemail", "../../etc/passwd", "x")]


def no_key(change: Change) -> Iterable[Effect]:
    return [ClearCache("directory:\n")]


def no_mailbox(change: Change) -> Iterable[Effect]:
    return [MessageWaiting("7666@pbx.example.com\n\napi shutdown")]


def no_task(change: Change) -> Iterable[Effect]:
    return [RunTask("nosuch", "nosuch")]


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (raises, "RuntimeError: poison"),
        (breaks_a_statement, "division by zero"),
        (no_xml, "not written, it is no XML: mismatched tag"),
        (no_path, "not a path below a folder"),
        (no_key, "not a key of the cache"),
        (no_mailbox, "not the name of a"),
        (no_task, "the plugin nosuch declares no task nosuch: add it to Plugin.tasks"),
    ],
)
def test_a_poisoned_change_fails_alone_and_at_once(
    pbx: Pbx, client: Client, effects_of: Callable[[Effects], None], poison: Effects, reason: str
) -> None:
    good = pbx.drain._registry.resources["extensions"].declaration.effects
    assert good is not None
    effects_of(poisoned(good, poison))
    replies = [create(client, extension) for extension in (7001, 7666, 7002)]
    assert pbx.apply() == 3
    states = [pbx.change(reply)["state"] for reply in replies]
    assert states == ["applied", "pending", "applied"]
    assert reason in pbx.change(replies[1])["nodes"][0]["error"]
    for extension in (7001, 7002):
        assert pbx.socket.api(f"user_exists id {extension} {pbx.domain}") == "true"
    assert not list(pbx.folders["extensions"].glob("*/v_7666.xml"))
    assert "api shutdown" not in " ".join(pbx.switch.commands)


def test_a_file_that_cannot_be_deleted_from_the_cache_fails_its_change_alone(pbx: Pbx, client: Client) -> None:
    (pbx.folders["cache"] / f"directory.7666@{pbx.domain}").mkdir()
    replies = [create(client, extension) for extension in (7001, 7666, 7002)]
    pbx.apply()
    assert [pbx.change(reply)["state"] for reply in replies] == ["applied", "pending", "applied"]


def test_a_slow_poison_leaves_the_others_their_time(
    pbx: Pbx, client: Client, effects_of: Callable[[Effects], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "SECONDS", 0.3)
    good = pbx.drain._registry.resources["extensions"].declaration.effects
    assert good is not None

    def slow(change: Change) -> Iterable[Effect]:
        time.sleep(0.4)
        raise RuntimeError("slow poison")

    effects_of(poisoned(good, slow))
    replies = [create(client, extension) for extension in (7666, 7001)]
    pbx.apply()
    pbx.apply()
    assert [pbx.change(reply)["state"] for reply in replies] == ["pending", "applied"]


def test_a_switch_that_bars_us_stops_the_file_of_no_change(pbx: Pbx, client: Client) -> None:
    create(client, 7001)
    pbx.apply()
    pbx.run("update pbxapi.node set hostname = 'switch1'")
    refuse_auth(pbx, pytest.MonkeyPatch())
    create(client, 7002)
    pbx.apply()
    assert (pbx.folders["extensions"] / pbx.domain / "v_7002.xml").exists()


# What is stored


def test_a_reload_is_owed_before_the_first_file_changes(
    pbx: Pbx, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        """As SIGKILL does: nothing after it runs, and nothing catches it."""

    def die(*_: object) -> None:
        raise Died

    create(client, 7001)
    monkeypatch.setattr(apply.commands, "reload_xml", die)
    with pytest.raises(Died):
        pbx.apply()
    assert (pbx.folders["extensions"] / pbx.domain / "v_7001.xml").exists()
    monkeypatch.undo()
    pbx.apply()
    assert pbx.switch.reloads == 1
    assert pbx.rows("select reload_wanted from pbxapi.node") == [{"reload_wanted": False}]


def test_an_unknown_node_has_nothing_to_do(pbx: Pbx, client: Client) -> None:
    create(client, 7001)
    pbx.run("delete from pbxapi.node")
    assert pbx.apply() == 0


def test_what_nobody_foresaw_shows_with_the_node_and_is_tried_again(
    pbx: Pbx, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = create(client, 7001)

    def fall(*_: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(drain.NodeDrain, "_mark", fall)
    pbx.apply()
    (node,) = pbx.rows("select error, attempts, retry_at > clock_timestamp() as pauses from pbxapi.node")
    assert node == {"error": "RuntimeError: nobody foresaw this", "attempts": 1, "pauses": True}
    monkeypatch.undo()
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"
    assert pbx.rows("select error, attempts from pbxapi.node") == [{"error": None, "attempts": 0}]


def test_applied_and_failed_changes_are_forgotten_after_their_time(pbx: Pbx, client: Client) -> None:
    for extension in (7001, 7002, 7003):
        create(client, extension)
    pbx.apply()
    make_settle(pbx)
    pbx.apply()
    pbx.run(
        "update pbxapi.change_node set state = 'failed' where change_id = "
        "(select change_id from pbxapi.change order by created_at limit 1)"
    )
    pbx.run(
        "update pbxapi.change set created_at = now() - interval '15 days' where change_id <> "
        "(select change_id from pbxapi.change order by created_at desc limit 1)"
    )
    with pbx.database.reading() as session:
        assert [prune_changes(session, 14, most=1) for _ in range(3)] == [1, 1, 0]
    assert pbx.rows("select count(*) from pbxapi.change_node") == [{"count": 1}]
