from __future__ import annotations

import re

import pytest
from hypothesis import given

from pbxapi.xml.text import Element, InvalidValue, check, check_row, escape, include_file, is_true, plain

from .conftest import bounded, texts

_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


def decoded_by_the_switch(raw: str) -> str:
    """Our own model of src/switch_xml.c, switch_xml_decode() for an attribute."""

    def reference(found: re.Match[str]) -> str:
        name = found[1]
        return chr(int(name[1:])) if name.startswith("#") else _ENTITIES[name]

    return re.sub(r"&(#[0-9]+|[a-z]+);", reference, re.sub(r"[ \t\n\v\f\r]", " ", raw))


@bounded
@given(texts())
def test_the_switch_reads_every_accepted_value_as_it_was_written(value):
    try:
        escaped = escape(value)
    except InvalidValue:
        return
    assert decoded_by_the_switch(escaped) == value


@bounded
@given(texts())
def test_no_escaped_value_holds_anything_that_the_preprocessor_acts_on(value):
    try:
        escaped = escape(value)
    except InvalidValue:
        return
    assert not re.search(r"[<>\"\r\n\t]|\$\$\{|x-pre-process", escaped, re.IGNORECASE)


@pytest.mark.parametrize(
    ("character", "name"),
    [("\x00", "U+0000"), ("\x1b", "U+001B"), ("\ud800", "U+D800"), ("\ufffe", "U+FFFE"), ("\uffff", "U+FFFF")],
)
def test_a_character_that_xml_cannot_hold_is_refused_by_name(character, name):
    with pytest.raises(InvalidValue, match=re.escape(name)) as refused:
        check(f"a{character}b", "description")
    assert refused.value.key == "description"
    assert isinstance(refused.value, ValueError)


def test_the_refusal_of_a_row_names_the_column_and_not_the_secret():
    with pytest.raises(InvalidValue) as refused:
        check_row({"extension": "101", "call_timeout": 30, "password": "hunter2\x07"})
    assert refused.value.key == "password"
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("character", ["\t", "\n", "\r", "é", "漢", "\U0001f4de", "\x7f", "\x85"])
def test_line_breaks_and_all_scripts_are_taken(character, tree):
    assert tree(f'<a b="{escape(character)}"/>')[1] == {"b": character}


def test_an_element_is_written_on_lines_of_its_own():
    inner = Element("param", {"name": "a", "value": "<b>"})
    assert Element("params", {}, [inner, Element("hint", {}, text="1 < 2")]).render() == (
        '<params>\n\t<param name="a" value="&lt;b&gt;"/>\n\t<hint>1 &lt; 2</hint>\n</params>\n'
    )


@pytest.mark.parametrize("name", ["", "1a", "a b", "a>b", "a:b"])
def test_an_element_with_an_impossible_name_is_refused(name):
    with pytest.raises(InvalidValue):
        Element(name).render()
    with pytest.raises(InvalidValue):
        Element("a", {name: "b"}).render()


def test_include_stands_alone_on_its_lines():
    lines = include_file([Element("a"), Element("b")]).splitlines()
    assert (lines[0], lines[-1]) == ("<include>", "</include>")
    assert [line.strip() for line in lines[1:-1]] == ["<a/>", "<b/>"]


def test_a_line_that_the_switch_would_cut_is_refused():
    with pytest.raises(InvalidValue, match="bytes"):
        include_file([Element("a", {"b": "x" * 1_000_000})])


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (True, "true"), (False, "false"), (30, "30"), ("", ""), ("True", "True")]
)
def test_columns_become_text(value, text):
    assert plain(value) == text


@pytest.mark.parametrize(
    ("value", "yes"), [(True, True), ("true", True), ("TRUE", True), (False, False), (None, False), ("", False)]
)
def test_true_is_true_in_either_type(value, yes):
    assert is_true(value) is yes
