"""Imports: many records from a file with the checks of one, told line by line, and one reload for a thousand."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from pbxapi.changes import drain
from pbxapi.data.database import Session
from pbxapi.plugin import imports
from pbxapi.sandbox.database import scratch_database, url_of_role
from pbxapi.sandbox.postgres import EmbeddedPostgres
from pbxapi.sandbox.sample import DOMAIN_UUID
from pbxapi.testing import Client, Pbx, Reply, close_pbx, make_pbx, run_jobs

MANY = 400


@pytest.fixture(scope="module")
def pbx(postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    with scratch_database(postgres, template) as url:
        system = make_pbx(url, tmp_path_factory.mktemp("imports"), service_url=url_of_role(url))
        yield system
        close_pbx(system)


@pytest.fixture(autouse=True)
def forget(pbx: Pbx) -> None:
    """Each test begins without its numbers."""
    pbx.run("delete from v_extensions where extension like '7____'")
    pbx.run("delete from v_voicemails where voicemail_id like '7____'")
    pbx.apply()


def lines(*rows: Mapping[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def table(names: Sequence[str], *rows: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([names, *rows])
    return text.getvalue().encode()


def send(client: Client, body: bytes, form: str = "ndjson", **query: str) -> Reply:
    path = "/extensions/import" + (".php" if client.family == "php" else "")
    return client.request("POST", path, body=body, query={"format": form, **query})


def numbers(pbx: Pbx) -> list[str]:
    found = pbx.rows("select extension from v_extensions where extension like '7____' order by extension")
    return [row["extension"] for row in found]


def test_a_file_of_csv_becomes_extensions_with_their_boxes(either_client: Client, pbx: Pbx) -> None:
    body = "\ufeffextension,effective_caller_id_name,password,voicemail_enabled,description\r\n"
    body += '70001,"Quinn, Zoe",s3cret-one,true,\'=1+1\r\n\r\n70002,,,,"two\r\n'
    body = body.replace('"two', "two") + "70003,Ann,,true,three\r\n"
    reply = send(either_client, body.encode(), "csv")
    assert reply.status == 200, reply.body
    report = reply.data
    assert (report["state"], report["lines"], report["created"], report["refused"]) == ("finished", 3, 3, 0)
    assert numbers(pbx) == ["70001", "70002", "70003"]
    rows = either_client.request("GET", f"/imports/{report['import_uuid']}/lines").data
    assert [(row["line"], row["status"]) for row in rows] == [(2, "created"), (4, "created"), (5, "created")]
    first = either_client.get("extensions", rows[0]["record_uuid"])
    assert (first["effective_caller_id_name"], first["description"]) == ("Quinn, Zoe", "=1+1")
    assert first["voicemail"]["voicemail_id"] == "70001"
    assert pbx.rows("select password from v_extensions where extension = '70001'") == [{"password": "s3cret-one"}]
    assert reply.headers["X-Change-Id"] == report["import_uuid"]
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"


def test_what_an_import_writes_is_what_create_writes(client: Client, pbx: Pbx) -> None:
    body = {"extension": "70001", "voicemail_enabled": "true", "voicemail_mail_to": "a@b.example"}
    client.create("extensions", **body)
    reply = send(client, lines({**body, "extension": "70002"}, {**body, "extension": "70003"}))
    one, two, three = (
        pbx.rows(
            "select e.*, v.* from v_extensions as e join v_voicemails as v on v.voicemail_id = e.extension"
            " where e.extension = %(number)s",
            number=number,
        )[0]
        for number in ("70001", "70002", "70003")
    )
    differ = {"extension_uuid", "voicemail_uuid", "voicemail_id", "extension", "password", "voicemail_password"}
    differ |= {"insert_date", "effective_caller_id_name", "effective_caller_id_number"}
    for other in (two, three):
        assert {n: v for n, v in other.items() if n not in differ} == {
            n: v for n, v in one.items() if n not in differ
        }
        assert other["effective_caller_id_name"] == other["extension"]
    rows = client.request("GET", f"/imports/{reply.data['import_uuid']}/lines").data
    for uuid in (row["record_uuid"] for row in rows):
        (audit,) = pbx.rows(
            "select transaction_new from v_database_transactions where transaction_new like %(text)s",
            text=f"%{uuid}%",
        )
        assert json.loads(audit["transaction_new"])["v_extensions"][0]["password"] == "********"
        (change,) = pbx.rows("select resource, action from pbxapi.change where record_uuid::text = %(u)s", u=uuid)
        assert change == {"resource": "extensions", "action": "create"}
        told = pbx.rows("select type from pbxapi.event where record_uuid::text = %(u)s", u=uuid)
        assert told == [{"type": "extension.created"}]


def test_each_line_that_is_refused_says_why_and_the_others_are_done(client: Client, pbx: Pbx) -> None:
    body = lines(
        {"extension": "70001"},
        {"extension": "1001"},
        {"extension": "no number!"},
        {"extension": "70001"},
        {"extension": "70002", "colour": "red"},
        {"extension": "70003", "user_uuid": "00000000-0000-0000-0000-000000000000"},
        {"extension": "70004", "number_alias": "70001"},
        {"extension": "70005", "user_context": "second.example.com"},
        {},
    )
    reply = send(client, body + b"nonsense\n[1]\n" + lines({"extension": "70006", "description": "x" * 70_000}))
    assert [(e["line"], e["field"], e["code"]) for e in reply.data["errors"]] == [
        (2, "extension", "DUPLICATE_ERROR"),
        (3, "extension", "VALIDATION_ERROR"),
        (4, "extension", "DUPLICATE_ERROR"),
        (5, "colour", "VALIDATION_ERROR"),
        (6, "user_uuid", "VALIDATION_ERROR"),
        (7, "number_alias", "DUPLICATE_ERROR"),
        (8, "user_context", "VALIDATION_ERROR"),
        (9, "extension", "VALIDATION_ERROR"),
        (10, None, "VALIDATION_ERROR"),
        (11, None, "VALIDATION_ERROR"),
        (12, None, "VALIDATION_ERROR"),
    ]
    assert (reply.data["created"], reply.data["refused"]) == (1, 11)
    assert numbers(pbx) == ["70001"]
    refused = client.request("GET", f"/imports/{reply.data['import_uuid']}/lines", query={"status": "refused"})
    assert [row["line"] for row in refused.data] == list(range(2, 13))


def test_a_number_that_a_refused_line_wanted_is_free_for_the_next(client: Client, pbx: Pbx) -> None:
    reply = send(client, lines({"extension": "70001", "number_alias": "1001"}, {"extension": "70001"}))
    assert [error["line"] for error in reply.data["errors"]] == [1]
    assert numbers(pbx) == ["70001"]


def test_a_dry_run_says_the_same_and_changes_nothing(client: Client, pbx: Pbx) -> None:
    before = pbx.rows("select count(*) from pbxapi.change")
    reply = send(
        client, lines({"extension": "70001"}, {"extension": "1001"}, {"extension": "70002"}), dry_run="true"
    )
    assert (reply.status, reply.data["created"], reply.data["refused"]) == (200, 2, 1)
    assert reply.data["dry_run"] == "true"
    assert "X-Change-Id" not in reply.headers
    assert numbers(pbx) == []
    assert pbx.rows("select count(*) from pbxapi.change") == before
    rows = client.request("GET", f"/imports/{reply.data['import_uuid']}/lines").data
    assert [row["status"] for row in rows] == ["valid", "refused", "valid"]


def test_more_than_a_thousand_lines_go_on_in_jobs_and_show_how_far_they_are(
    client: Client, pbx: Pbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PART", 10)
    wanted = [{"extension": str(70_000 + n), "password": f"s3cret-{n}"} for n in range(25)]
    reply = send(client, lines(*wanted))
    assert (reply.status, reply.data["state"], reply.data["created"]) == (202, "running", 10)
    place = reply.data["import_uuid"]
    assert client.get("imports", place)["created"] == 10
    seen: list[int] = []
    go_on = imports.go_on

    def watched(run: Any) -> None:
        seen.append(client.get("imports", place)["created"])
        go_on(run)

    loaded = pbx.app.extensions["pbxapi"].registry.plugin("imports")
    job = loaded.plugin.jobs["part"]
    monkeypatch.setattr(type(job), "handler", property(lambda _: watched), raising=False)
    assert run_jobs(pbx, "imports") == 2
    assert seen == [10, 20], "what others see while the next lines are done"
    done = client.get("imports", place)
    assert (done["state"], done["created"], done["refused"]) == ("finished", 25, 0)
    assert len(numbers(pbx)) == 25
    assert pbx.rows("select 1 from pbxapi.import_part") == [], "lines with passwords are gone"
    assert "s3cret" not in str(pbx.rows("select * from pbxapi.job"))
    pbx.apply()
    assert pbx.change(reply)["state"] == "applied"


def test_an_import_that_cannot_go_on_is_given_up_and_says_so(
    client: Client, pbx: Pbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PART", 2)
    reply = send(client, lines(*({"extension": str(70_000 + n)} for n in range(5))))
    with monkeypatch.context() as broken:
        broken.setattr(imports, "take_part", lambda *_: 1 / 0)
        for _ in range(imports.ATTEMPTS):
            pbx.run("update pbxapi.job set due_at = now()")
            assert run_jobs(pbx, "imports") == 1
    pbx.run("update pbxapi.job set due_at = now()")
    run_jobs(pbx, "imports")
    found = client.get("imports", reply.data["import_uuid"])
    assert (found["state"], found["created"]) == ("failed", 2)
    assert found["error"]
    assert pbx.rows("select 1 from pbxapi.import_part") == []


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many statements ran so far."""
    ran = 0
    execute = Session._execute

    def counting(session: Session, *arguments: Any) -> Any:
        nonlocal ran
        ran += 1
        return execute(session, *arguments)

    monkeypatch.setattr(Session, "_execute", counting)
    return lambda: ran


def test_many_lines_are_a_few_statements_and_one_reload(
    client: Client, pbx: Pbx, statements: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(client, lines({"extension": "79999", "voicemail_enabled": "true"}))
    pbx.apply()
    monkeypatch.setattr(drain, "SECONDS", 300.0)  # however busy the machine is
    reloads, before = pbx.switch.reloads, statements()
    body = lines(*({"extension": str(70_000 + n), "voicemail_enabled": "true"} for n in range(MANY)))
    reply = send(client, body)
    assert reply.data["created"] == MANY, reply.data["errors"]
    assert statements() - before < 40, f"statements for {MANY} lines"
    before = statements()
    assert pbx.apply() == MANY
    print("per change", (statements() - before) / MANY)
    assert pbx.switch.reloads == reloads + 1
    assert pbx.change(reply)["state"] == "applied"


def test_an_export_can_be_imported_again_as_it_was(client: Client, pbx: Pbx) -> None:
    sent = {"voicemail_enabled": "true", "description": "=a,b;'c", "effective_caller_id_number": "+4930123"}
    for number in ("70001", "70002"):
        client.create("extensions", extension=number, **sent)

    def export() -> list[dict[str, str]]:
        headers = {"X-API-Key": client.key, "X-Domain": client.domain}
        url = f"{client.prefix}/extensions/export?search=7000"
        text = client.app.test_client().get(url, headers=headers).text
        return list(csv.DictReader(io.StringIO(text)))

    before = export()
    assert len(before) == 2
    for row in before:
        client.delete("extensions", row["extension_uuid"])
    reply = send(client, table(list(before[0]), *(list(row.values()) for row in before)), "csv")
    assert reply.data["created"] == 2, reply.body
    assert [{**row, "extension_uuid": ""} for row in export()] == [{**row, "extension_uuid": ""} for row in before]


@pytest.mark.parametrize(
    ("body", "form", "field"),
    [
        (b"", "csv", None),
        (b"extension\n", "csv", None),
        (b"", "ndjson", None),
        (b"extension,colour\n70001,red\n", "csv", "colour"),
        (b"extension,voicemail\n70001,x\n", "csv", "voicemail"),
        (b"extension,extension\n70001,70002\n", "csv", "extension"),
        (b"extension,\n70001,\n", "csv", None),
        (b"extension\n\xff\xfe\n", "csv", None),
        (b'extension,description\n70001,"open\n', "csv", None),
        (b"extension,description\n70001," + b"x" * 200_000 + b"\n", "csv", None),
    ],
)
def test_a_file_that_is_none_is_refused_whole(
    client: Client, pbx: Pbx, body: bytes, form: str, field: str | None
) -> None:
    reply = send(client, body, form)
    assert (reply.status, reply.body.get("error", {}).get("field")) == (400, field), reply.body
    assert numbers(pbx) == []


def test_rows_that_do_not_fit_the_header_are_refused_by_themselves(client: Client, pbx: Pbx) -> None:
    body = b"extension;description\n70001;one\n70002\n70003;three;3\n70004;four\n"
    reply = send(client, body, "csv")
    assert [error["line"] for error in reply.data["errors"]] == [3, 4]
    assert numbers(pbx) == ["70001", "70004"]


def test_the_format_is_asked_for_or_is_that_of_the_body(client: Client) -> None:
    def typed(content_type: str) -> Reply:
        headers = {"Content-Type": content_type}
        return client.request("POST", "/extensions/import", body=b"extension\n70001\n", headers=headers)

    assert typed("text/csv; charset=utf-8").data["created"] == 1
    assert typed("application/x-ndjson").data["refused"] == 2
    reply = typed("application/json")
    assert (reply.status, reply.error["field"]) == (400, "Content-Type")


def test_the_domains_limit_holds_for_an_import(client: Client, pbx: Pbx) -> None:
    have = pbx.rows("select count(*) from v_extensions where domain_uuid = %(domain)s", domain=DOMAIN_UUID)[0][
        "count"
    ]
    pbx.run(
        "insert into v_default_settings (default_setting_uuid, default_setting_category,"
        " default_setting_subcategory, default_setting_name, default_setting_value, default_setting_enabled)"
        " values (gen_random_uuid(), 'limit', 'extensions', 'numeric', %(most)s, true)",
        most=str(have + 2),
    )
    try:
        reply = send(client, lines(*({"extension": str(70_000 + n)} for n in range(4))))
        assert [(e["line"], e["code"]) for e in reply.data["errors"]] == [(3, "FORBIDDEN"), (4, "FORBIDDEN")]
    finally:
        pbx.run("delete from v_default_settings where default_setting_category = 'limit'")
    assert len(numbers(pbx)) == 2


def test_a_repeated_import_is_done_once(client: Client, pbx: Pbx) -> None:
    headers = {"Idempotency-Key": "import-1", "Content-Type": "text/csv"}
    first, again = (
        client.request("POST", "/extensions/import", body=b"extension\n70001\n", headers=headers) for _ in range(2)
    )
    assert first.body == again.body
    assert again.headers["Idempotency-Replayed"] == "true"
    assert numbers(pbx) == ["70001"]


def test_an_import_needs_the_scope_to_write_and_is_read_in_its_domain_only(client: Client, pbx: Pbx) -> None:
    key = client.call("api-keys", "create", json={"name": "r", "scopes": ["extensions:read"]}).data["key"]
    assert send(Client(pbx.app, pbx.domain, key), b"extension\n70001\n", "csv").status == 403
    place = send(client, b"extension\n70001\n", "csv").data["import_uuid"]
    other = client.of(pbx.other_domain)
    for path in (f"/imports/{place}", f"/imports/{place}/lines"):
        assert other.request("GET", path).status == 404
