"""Lists: natural order, search taken literally, and cursors that lead to every row once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from pbxapi.data.database import Database, Session
from pbxapi.data.listing import Listing, Request, Sort, decode_cursor, encode_cursor, like
from pbxapi.data.statements import parse_statement

UUIDS = [UUID(int=number) for number in range(1000)]


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    database = Database(database_url)
    with database.writing() as session:
        yield session
    database.close()


def listing(session: Session, rows: list[tuple[Any, ...]], **options: Any) -> Listing:
    """A list over rows of (name, size, made)."""
    session.run("create temporary table boxes (box_uuid uuid, name text, size numeric, made timestamptz)")
    for uuid, (name, size, made) in zip(UUIDS, rows, strict=False):
        session.run(
            "insert into boxes values (%(uuid)s, %(name)s, %(size)s, %(made)s::timestamptz)",
            uuid=uuid,
            name=name,
            size=size,
            made=made,
        )
    sorts = {
        "name": Sort("name"),
        "plain": Sort("name", "text"),
        "size": Sort("size", "number"),
        "made": Sort("made", "time"),
    }
    statement = parse_statement(
        "list", "select box_uuid, name, size::text as size, made from boxes", "boxes/list.sql"
    )
    return Listing(statement, ("box_uuid", "name", "size"), "box_uuid", sorts, ("name",), **options)


def names(session: Session, boxes: Listing, **request: Any) -> list[Any]:
    asked = Request(**{"sort": "name", "limit": 100, **request})
    return [row["name"] for row in boxes.ask_rows(session, asked, {})()]


def of_names(*texts: str | None) -> list[tuple[Any, ...]]:
    return [(text, None, "2026-01-01") for text in texts]


def test_nine_comes_before_ten(session: Session) -> None:
    boxes = listing(session, of_names("10", "9", "100", "1", "21", "3"))
    assert names(session, boxes) == ["1", "3", "9", "10", "21", "100"]
    assert names(session, boxes, sort="-name") == ["100", "21", "10", "9", "3", "1"]
    assert names(session, boxes, sort="plain") == ["1", "10", "100", "21", "3", "9"]


def test_numbers_within_texts_count_as_numbers_too(session: Session) -> None:
    boxes = listing(
        session, of_names("line 10 a", "Line 9 b", "line 9 a", "desk", "line 10", "a1b10", "a1b9", "a01b8")
    )
    assert names(session, boxes) == [
        "a01b8",
        "a1b9",
        "a1b10",
        "desk",
        "line 9 a",
        "Line 9 b",
        "line 10",
        "line 10 a",
    ]


def test_nothing_comes_first_and_odd_texts_have_a_place(session: Session) -> None:
    odd = ["", None, "*97", "+15551234567", "Zoë", "äpfel", "5" * 40, "\\", "'", "%"]
    boxes = listing(session, of_names(*odd))
    found = names(session, boxes)
    assert set(found) == set(odd)
    assert set(found[:2]) == {"", None}


def test_the_same_name_is_in_the_order_of_the_uuid(session: Session) -> None:
    boxes = listing(session, of_names("same", "SAME", "same", "Same"))
    rows = boxes.ask_rows(session, Request("name", 10), {})()
    assert [row["box_uuid"] for row in rows] == UUIDS[:4]
    rows = boxes.ask_rows(session, Request("-name", 10), {})()
    assert [row["box_uuid"] for row in rows] == UUIDS[:4][::-1]


@pytest.mark.parametrize("order", ["name", "-name", "plain", "-plain", "size", "-size", "made", "-made"])
@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_a_cursor_leads_to_every_row_once(session: Session, order: str, limit: int) -> None:
    texts = ["9", "10", "", None, "same", "same", "SAME", "x" * 900, "ü", "a'b", "1e5", "10 ", "010"]
    sizes = [3, None, 10, 9, 0.5, 0.5, None, -2, 10**25, 3, 3, 0, 7]
    made = [f"2026-01-{day:02d} 12:00:00.{day:06d}+02" for day in (5, 5, 1, 2, 3, 3, 3, 9, 8, 7, 6, 12, 11)]
    boxes = listing(session, list(zip(texts, sizes, made, strict=True)))
    expected = [row["box_uuid"] for row in boxes.ask_rows(session, Request(order, 100), {})()]
    assert len(expected) == len(texts)
    found: list[UUID] = []
    cursor: str | None = ""
    for _ in itertools.count():
        assert cursor is not None
        rows, cursor = boxes.rows_after(session, Request(order, limit, cursor=cursor), {})
        assert all(list(row) == ["box_uuid", "name", "size"] for row in rows)
        found += [row["box_uuid"] for row in rows]
        if cursor is None:
            break
    assert found == expected


def test_a_cursor_goes_on_though_its_row_is_gone_and_others_came(session: Session) -> None:
    boxes = listing(session, of_names("1", "2", "3", "4"))
    rows, cursor = boxes.rows_after(session, Request("name", 2), {})
    assert cursor is not None
    session.run("delete from boxes where name = '2'")
    session.run("insert into boxes values (%(uuid)s, '2.5', null, now())", uuid=UUIDS[900])
    rows, _ = boxes.rows_after(session, Request("name", 2, cursor=cursor), {})
    assert [row["name"] for row in rows] == ["2.5", "3"]


@pytest.mark.parametrize("text", ["%", "_", "\\", "50%", "a_b", "100\\%", "'", "%(x)s", "%%"])
def test_search_takes_every_sign_for_what_it_is(session: Session, text: str) -> None:
    boxes = listing(session, of_names("plain", "50%", "a_b", "axb", "100\\%", "it's", "%(x)s", "a%%b"))
    expected = [name for name in names(session, boxes) if text in name]
    assert names(session, boxes, search=text) == expected
    assert boxes.total(session, Request("name", 1, search=text), {}) == len(expected)


def test_search_knows_no_letter_case(session: Session) -> None:
    boxes = listing(session, of_names("Reception", "reCEPtion 2", "other", "Zoë"))
    assert names(session, boxes, search="RECEPT") == ["Reception", "reCEPtion 2"]
    assert names(session, boxes, search="ZOË") == ["Zoë"]


def test_without_searched_columns_a_search_finds_nothing(session: Session) -> None:
    boxes = listing(session, of_names("one"))
    silent = Listing(boxes.statement, boxes.columns, "box_uuid", boxes.sorts)
    assert silent.ask_rows(session, Request("name", 10, search="one"), {})() == []


def test_a_filter_compares_the_whole_text(session: Session) -> None:
    boxes = listing(session, of_names("10", "1", "100"))
    assert names(session, boxes, filters={"name": "10"}) == ["10"]
    assert names(session, boxes, filters={"name": "10' or '1'='1"}) == []


def test_a_total_is_counted_up_to_a_bound_and_estimated_above(session: Session) -> None:
    boxes = listing(session, of_names(*map(str, range(50))))
    request = Request("name", 10)
    assert boxes.total_up_to(session, request, {}, 50) == 50
    assert boxes.total_up_to(session, request, {}, 49) is None
    assert boxes.total_estimate(session, request, {}) >= 1


def test_an_own_statement_counts_where_nothing_narrows_the_list(session: Session) -> None:
    boxes = listing(session, of_names("1", "2"), count=parse_statement("count", "select 4711", "boxes/count.sql"))
    assert boxes.total(session, Request("name", 1), {}) == 4711
    assert boxes.total(session, Request("name", 1, search="2"), {}) == 1


def test_a_cursor_is_for_the_order_that_it_was_made_for() -> None:
    cursor = encode_cursor("name", "10", UUIDS[1])
    assert decode_cursor(cursor, "name") == ("10", UUIDS[1])
    for order in ("-name", "size"):
        with pytest.raises(ValueError, match="another sort order"):
            decode_cursor(cursor, order)


def test_a_cursor_is_safe_in_a_url() -> None:
    for text in ("äöü", "?&=+/", "\U0001f600" * 20, None):
        cursor = encode_cursor("name", text, UUIDS[1])
        assert cursor.replace("-", "").replace("_", "").isalnum()
        assert decode_cursor(cursor, "name")[0] == text


def test_a_pattern_finds_its_text_literally() -> None:
    assert like("a%b_c\\d") == "%a\\%b\\_c\\\\d%"


@pytest.mark.parametrize(
    ("order", "value"), [("size", "many"), ("size", ""), ("made", "yesterday, perhaps"), ("made", "2026-99-99")]
)
def test_a_forged_cursor_is_refused(database_url: str, order: str, value: str) -> None:
    text = "select %(domain_uuid)s::uuid as box_uuid, 1 as size, now() as made"
    sorts = {"size": Sort("size", "number"), "made": Sort("made", "time")}
    boxes = Listing(parse_statement("list", text, "boxes/list.sql"), ("box_uuid",), "box_uuid", sorts)
    database = Database(database_url)
    request = Request(order, 1, cursor=encode_cursor(order, value, UUIDS[1]))
    with database.reading() as session, pytest.raises(ValueError, match="is no cursor"):
        boxes.rows_after(session, request, {"domain_uuid": UUIDS[1]})
    database.close()


@pytest.mark.parametrize("token", ["", "x", "%%", "bnVsbA", "W10", "\u00e4", "e30"])
def test_what_is_no_cursor_is_refused(token: str) -> None:
    with pytest.raises(ValueError):
        decode_cursor(token, "name")
