"""SQL files become statements: comments and optional lines go, everything else stays as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbxapi.data.statements import load_statements, parse_statement, tenant_tables

CATALOGUE = {
    "v_boxes": {"box_uuid": "uuid", "domain_uuid": "uuid", "size": "text"},
    "v_colours": {"colour": "text"},
}


def parse(text: str, catalogue: dict[str, dict[str, str]] | None = None) -> str:
    return parse_statement("get", text, "boxes/get.sql", catalogue).text


def test_comments_go_and_the_rest_stays() -> None:
    text = """
-- A box.
-- in:  box_uuid uuid; don't mind
select size /* its
 size */ from v_boxes  -- all
 where box_uuid = %(box_uuid)s;
"""
    assert parse(text) == "select size  from v_boxes  \n where box_uuid = %(box_uuid)s"


def test_a_text_that_looks_like_a_comment_stays() -> None:
    text = "select '--', '/* no */', 'it''s -- fine', \"a--b\" from v_boxes -- but this goes"
    assert parse(text) == "select '--', '/* no */', 'it''s -- fine', \"a--b\" from v_boxes"


def test_a_semicolon_in_a_text_is_no_second_statement() -> None:
    assert parse("select ';' from v_boxes;") == "select ';' from v_boxes"


OPTIONAL = """
select box_uuid,
       size,  --? v_boxes.size
       colour,  --? v_boxes.colour
       1 as one
  from v_boxes
"""


def test_a_column_that_the_database_lacks_takes_its_line_along() -> None:
    found = parse(OPTIONAL, CATALOGUE)
    assert "size," in found
    assert "colour" not in found
    assert "--" not in found


def test_without_a_catalogue_every_line_stays() -> None:
    found = parse(OPTIONAL)
    assert "size," in found
    assert "colour," in found


def test_a_table_that_the_database_lacks_takes_its_lines_along() -> None:
    assert parse("select 1 as one\n, 2 as two  --? v_nothing.two\n", CATALOGUE) == "select 1 as one"


def test_the_parameters_of_a_line_that_goes_are_not_asked_for() -> None:
    text = (
        "update v_boxes set\n colour = %(colour)s,  --? v_boxes.colour\n size = %(size)s where box_uuid = %(uuid)s"
    )
    assert parse_statement("update", text, "boxes/update.sql", CATALOGUE).parameters == {"size", "uuid"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-- nothing\n",
        "drop table v_boxes",
        "truncate v_boxes",
        "copy v_boxes to program 'sh'",
        "select 1; drop table v_boxes",
        "do $$ begin end $$",
        "set role postgres",
    ],
)
def test_what_is_no_single_plain_statement_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ValueError, match=r"boxes/get\.sql"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("select 1 from v_boxes", {"v_boxes"}),
        ("select 1 from public.v_boxes as b join V_BOXES using (box_uuid)", {"v_boxes"}),
        ("with b as (select 1 from v_boxes) select 1 from b", {"v_boxes"}),
        ("update only v_boxes set size = '1'", {"v_boxes"}),
        ("delete from v_boxes", {"v_boxes"}),
        ("insert into v_boxes (size) values ('from v_colours')", {"v_boxes"}),
        ("select 1 from v_colours", set()),
        ("select 'from v_boxes'", set()),
    ],
)
def test_the_tables_of_tenants_are_found(text: str, tables: set[str]) -> None:
    assert tenant_tables(parse_statement("get", text, "boxes/get.sql"), CATALOGUE) == tables


def test_a_folder_gives_its_statements_by_name(tmp_path: Path) -> None:
    (tmp_path / "get.sql").write_text("-- One.\nselect 1")
    (tmp_path / "list.sql").write_text("select 2")
    (tmp_path / "notes.txt").write_text("drop table v_boxes")
    found = load_statements(tmp_path)
    assert {name: statement.text for name, statement in found.items()} == {"get": "select 1", "list": "select 2"}
    assert found["get"].source == f"{tmp_path.name}/get.sql"
