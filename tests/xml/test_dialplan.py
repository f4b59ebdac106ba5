from __future__ import annotations

import time

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from pbxapi.xml.dialplan import (
    TIME_TYPES,
    Detail,
    actions,
    api_calls,
    exactly,
    from_details,
    is_public,
    parse,
)
from pbxapi.xml.text import InvalidValue

from .conftest import bounded, texts

UUID = "11111111-2222-4333-8444-555555555555"
DOMAIN_UUID = "0235631c-fe47-4a2f-806c-b929873a9dc8"
DOMAIN = "pbx.example.com"


def build(details, *, name="t", context=DOMAIN, continue_=False, domain_uuid=DOMAIN_UUID, domain_name=DOMAIN):
    return from_details(
        name,
        details,
        uuid=UUID,
        context=context,
        continue_=continue_,
        domain_uuid=domain_uuid,
        domain_name=domain_name,
    )


def condition(data="^101$", type_="destination_number", **rest):
    return Detail("condition", type_, data, **rest)


def action(data="101 XML d", type_="transfer", **rest):
    return Detail("action", type_, data, **rest)


def body(details, **rest):
    """The lines between the extension's tags."""
    return [line.strip() for line in build(details, **rest).splitlines()[1:-1]]


def recorded(row, order):
    if isinstance(row, list):
        row = dict(zip(("0", "1", "2", "break", "inline", "group"), row, strict=False))
    return Detail(
        row["0"],
        row["1"],
        row["2"],
        row.get("break") or "",
        row.get("inline") or "",
        int(row.get("group") or 0),
        order,
    )


def test_the_dialplans_are_those_that_fusionpbx_made(golden, tree):
    for case, pair in golden("dialplan_xml.json").items():
        name, context, rows = pair["input"]
        details = [recorded(row, order) for order, row in enumerate(rows)]
        assert tree(build(details, name=name, context=context)) == tree(pair["xml"]), case


def test_a_condition_takes_its_actions():
    assert build([condition(), action()]) == (
        f'<extension name="t" continue="false" uuid="{UUID}">\n'
        '\t<condition field="destination_number" expression="^101$">\n'
        '\t\t<action application="transfer" data="101 XML d"/>\n'
        "\t</condition>\n"
        "</extension>\n"
    )


@pytest.mark.parametrize(("continue_", "word"), [(True, "true"), (False, "false")])
def test_continue_is_a_word(continue_, word, tree):
    assert tree(build([condition()], continue_=continue_))[1]["continue"] == word


def test_a_condition_that_another_follows_is_closed_and_the_last_takes_all_actions():
    assert body(
        [
            condition("false", "${user_exists}", order=1),
            condition("^9$", break_="on-false", order=2),
            Detail("anti-action", "set", "a=b", order=3),
            action("call_direction=outbound", "export", inline="true", order=4),
            action("user/9", "bridge", order=5),
        ]
    ) == [
        '<condition field="${user_exists}" expression="false"/>',
        '<condition field="destination_number" expression="^9$" break="on-false">',
        '<action application="export" data="call_direction=outbound" inline="true"/>',
        '<action application="bridge" data="user/9"/>',
        '<anti-action application="set" data="a=b"/>',
        "</condition>",
    ]


def test_groups_follow_by_number_and_rows_by_tag_and_order():
    assert body(
        [
            action("2", group=10, order=1),
            condition("^b$", group=10, order=9),
            action("1", group=2, order=20),
            action("0", group=2, order=10),
            condition("^a$", group=2, order=30),
        ]
    ) == [
        '<condition field="destination_number" expression="^a$">',
        '<action application="transfer" data="0"/>',
        '<action application="transfer" data="1"/>',
        "</condition>",
        '<condition field="destination_number" expression="^b$">',
        '<action application="transfer" data="2"/>',
        "</condition>",
    ]


def test_a_group_of_conditions_alone_is_closed():
    assert body([condition("^a$"), condition("^b$", group=1), action(group=1)])[0] == (
        '<condition field="destination_number" expression="^a$"/>'
    )
    assert body([condition("^a$")]) == ['<condition field="destination_number" expression="^a$"/>']


def test_disabled_rows_are_left_out():
    assert body([condition(), action("no", enabled=False), action("yes")])[1:-1] == [
        '<action application="transfer" data="yes"/>'
    ]


def test_conditions_on_time_become_one_element_with_the_break_of_the_last():
    assert body(
        [
            condition("^7$", order=1),
            condition("2-6", "wday", break_="on-true", order=2),
            condition("9-17", "hour", break_="never", order=3),
            action(order=4),
        ]
    )[:2] == [
        '<condition field="destination_number" expression="^7$"/>',
        '<condition wday="2-6" hour="9-17" break="never">',
    ]
    assert (
        body([condition("2", "wday", break_="never", order=1), condition("9", "hour", order=2), action()])[0]
        == '<condition wday="2" hour="9">'
    )


def test_conditions_on_time_with_another_between_them_stay_apart():
    assert body(
        [
            condition("2", "wday", break_="never", order=1),
            condition("^7$", order=2),
            condition("9", "hour", order=3),
            action(),
        ]
    )[:3] == [
        '<condition wday="2" break="never"/>',
        '<condition field="destination_number" expression="^7$"/>',
        '<condition hour="9">',
    ]


@pytest.mark.parametrize("type_", TIME_TYPES)
def test_every_time_type_is_an_attribute(type_, tree):
    assert tree(build([condition("1", type_)]))[3][0][1] == {type_: "1"}


def test_the_same_time_twice_in_one_condition_is_refused():
    with pytest.raises(InvalidValue) as refused:
        build([condition("2", "wday", order=1), condition("9", "hour", order=2), condition("3", "wday", order=3)])
    assert refused.value.key == "details.2.dialplan_detail_type"


def test_a_regex_condition_holds_its_regexes_and_the_actions():
    assert body(
        [
            action("user/9", "bridge", order=1),
            Detail("regex", "destination_number", "^5$", order=20),
            Detail("regex", "wday", "2-6", order=30),
            condition("any", "regex", break_="never", order=10),
        ]
    ) == [
        '<condition regex="any" break="never">',
        '<regex field="destination_number" expression="^5$"/>',
        '<regex wday="2-6"/>',
        '<action application="bridge" data="user/9"/>',
        "</condition>",
    ]


def test_conditions_before_a_regex_condition_are_closed_and_those_after_it_nested():
    assert body(
        [
            condition("^1$", order=1),
            condition("all", "regex", order=2),
            condition("^2$", order=3),
            Detail("regex", "a", "b", order=4),
            action(order=5),
        ]
    ) == [
        '<condition field="destination_number" expression="^1$"/>',
        '<condition regex="all">',
        '<condition field="destination_number" expression="^2$"/>',
        '<regex field="a" expression="b"/>',
        '<action application="transfer" data="101 XML d"/>',
        "</condition>",
    ]


@pytest.mark.parametrize(
    ("details", "key"),
    [
        ([condition(), Detail("regex", "a", "b")], "details.1.dialplan_detail_tag"),
        ([condition("all", "regex"), condition("any", "regex")], "details.1.dialplan_detail_type"),
        ([condition(), Detail("note", "a", "b")], "details.1.dialplan_detail_tag"),
        ([condition("a\x00")], "details.0.dialplan_detail_data"),
        ([condition(), action(type_="\x1b")], "details.1.dialplan_detail_type"),
        ([condition(break_="\x01")], "details.0.dialplan_detail_break"),
        ([condition(), action(inline="\x01")], "details.1.dialplan_detail_inline"),
    ],
)
def test_what_cannot_become_sound_xml_is_refused_with_the_row_and_column(details, key):
    with pytest.raises(InvalidValue) as refused:
        build(details)
    assert refused.value.key == key


def test_a_name_that_cannot_be_written_is_refused():
    with pytest.raises(InvalidValue) as refused:
        build([condition()], name="\x00")
    assert refused.value.key == "dialplan_name"


def test_two_dollars_are_one():
    assert body([condition("^$$"), action("a=$${x}", "set")])[:2] == [
        '<condition field="destination_number" expression="^$">',
        '<action application="set" data="a=${x}"/>',
    ]


@pytest.mark.parametrize("context", ["public", "public@a.example", "a.example.public"])
def test_calls_from_outside_are_marked_before_the_first_action_of_each_group(context):
    assert is_public(context)
    marks = [
        '<action application="export" data="call_direction=inbound" inline="true"/>',
        f'<action application="set" data="domain_uuid={DOMAIN_UUID}" inline="true"/>',
        f'<action application="set" data="domain_name={DOMAIN}" inline="true"/>',
    ]
    details = [condition(), action("1"), action("2"), condition(group=1), action("3", group=1)]
    assert body(details, context=context) == [
        '<condition field="destination_number" expression="^101$">',
        *marks,
        '<action application="transfer" data="1"/>',
        '<action application="transfer" data="2"/>',
        "</condition>",
        '<condition field="destination_number" expression="^101$">',
        *marks,
        '<action application="transfer" data="3"/>',
        "</condition>",
    ]
    assert len(body(details, context=context, domain_uuid=None, domain_name=None)) == 9


@pytest.mark.parametrize("context", ["a.example", "publicity", "my-public", "global", "${domain_name}"])
def test_other_contexts_are_not_marked(context):
    assert len(body([condition(), action()], context=context)) == 3


def test_marks_that_are_all_there_are_not_written_twice():
    marks = [
        action("call_direction=inbound", "export"),
        action("domain_uuid=x", "set"),
        action("domain_name=d.example", "set"),
    ]
    made = {"context": "public", "domain_uuid": "x", "domain_name": "d.example"}
    assert len(body([condition(), *marks, action()], **made)) == 6
    assert len(body([condition(), marks[0], action()], **made)) == 7


def test_a_group_of_anti_actions_is_not_marked():
    assert len(body([condition(), Detail("anti-action", "hangup")], context="public")) == 3


def test_rows_become_details_and_back():
    row = {
        "dialplan_detail_tag": "action",
        "dialplan_detail_type": "set",
        "dialplan_detail_data": None,
        "dialplan_detail_break": None,
        "dialplan_detail_inline": "true",
        "dialplan_detail_group": None,
        "dialplan_detail_order": 20,
        "dialplan_detail_enabled": None,
    }
    detail = Detail.from_row(row)
    assert detail == Detail("action", "set", inline="true", order=20)
    assert Detail.from_row(detail.as_row()) == detail
    assert not Detail.from_row(row | {"dialplan_detail_enabled": "false"}).enabled
    assert not Detail.from_row(row | {"dialplan_detail_enabled": False}).enabled


def test_a_number_is_matched_as_it_is_dialled():
    assert exactly("101") == "^101$"
    assert exactly("*72+1.a") == r"^\*72\+1\.a$"


anything = st.builds(
    Detail,
    tag=st.sampled_from(["condition", "condition", "regex", "action", "anti-action"]),
    type=st.sampled_from([*TIME_TYPES, "regex", "destination_number", "${x}", "set", "", "a=b c"]) | texts(),
    data=texts(),
    break_=st.sampled_from(["", "on-true", "on-false", "always", "never"]) | texts(),
    inline=st.sampled_from(["", "true", "false"]),
    group=st.integers(0, 2),
    order=st.integers(0, 3),
    enabled=st.booleans(),
)


@bounded
@given(texts(), st.lists(anything, max_size=8), st.sampled_from([DOMAIN, "public"]))
def test_whatever_details_are_accepted_reach_the_switch_whole(tree, preprocessed, name, details, context):
    try:
        xml = build(details, name=name, context=context)
    except InvalidValue:
        return
    made = tree(xml)
    assert fromstring(xml).get("name") == name
    assert tree(preprocessed(xml)) == made
    given_actions = sorted(
        (detail.tag, detail.type, detail.data.replace("$$", "$"), detail.inline)
        for detail in details
        if detail.enabled and detail.tag in ("action", "anti-action")
    )
    marked = sum(
        1
        for element in fromstring(xml).iter("action")
        if element.get("data") == "call_direction=inbound" and context == "public"
    )
    written = sorted(
        (
            element.tag,
            element.get("application") or "",
            element.get("data") or "",
            element.get("inline") or "",
        )
        for element in fromstring(xml).iter()
        if element.tag in ("action", "anti-action")
    )
    for mark in (
        ("action", "export", "call_direction=inbound", "true"),
        ("action", "set", f"domain_uuid={DOMAIN_UUID}", "true"),
        ("action", "set", f"domain_name={DOMAIN}", "true"),
    ):
        for _ in range(marked):
            written.remove(mark)
    assert written == given_actions


@bounded
@given(st.lists(anything, max_size=6))
def test_a_dialplan_made_here_is_taken_as_given_and_stays_the_same(tree, details):
    try:
        xml = build([condition(order=-1, group=group) for group in range(3)] + details)
    except InvalidValue:
        return
    assert parse(xml) == xml
    enabled = [detail for detail in details if detail.enabled]
    assert sorted(actions(xml)) == sorted((app, data.replace("$$", "$")) for app, data in actions(enabled))


GIVEN = """<?xml version="1.0"?>
<!-- a comment -->
<extension name="x &amp; y" continue="true" uuid="U">
  <condition field="destination_number" expression="^(1)$" require-nested="false">
    <regex field="a"><expression><![CDATA[^<b>$]]></expression></regex>
    <action application="set" data='a="b"' loop="2"/>
    <action application="log"> INFO
 two lines </action>
    <condition wday="1"><anti-action application="hangup" data=""/></condition>
  </condition>
</extension>
"""


def test_a_given_dialplan_is_written_anew_with_what_the_switch_reads(tree, preprocessed):
    xml = parse(GIVEN)
    assert tree(xml) == tree(GIVEN)
    assert tree(preprocessed(xml)) == tree(xml)
    assert "comment" not in xml
    assert "<?" not in xml
    assert parse(xml) == xml


def test_the_actions_of_a_dialplan_are_found_at_any_depth_with_the_data_that_the_switch_takes():
    assert list(actions(GIVEN)) == [("set", 'a="b"'), ("log", " INFO\n two lines "), ("hangup", "")]
    assert list(
        actions('<extension><condition><action application="set" data="a=1">b=2</action></condition></extension>')
    ) == [("set", "b=2")]
    assert list(actions([condition(), action("x", "bridge", enabled=False), Detail("anti-action", "hangup")])) == [
        ("bridge", "x"),
        ("hangup", ""),
    ]


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ("", "well-formed"),
        ("<extension>", "well-formed"),
        ("<extension/><extension/>", "well-formed"),
        ("<context><extension/></context>", "one <extension>"),
        ('<extension xmlns="a"/>', "one <extension>"),
        ("<extension><action application='hangup'/></extension>", "cannot hold <action>"),
        ("<extension><X-PRE-PROCESS cmd='exec' data='id'/></extension>", "cannot hold <X-PRE-PROCESS>"),
        ("<extension><condition>text</condition></extension>", "cannot hold text"),
        ("<extension><condition/>text</extension>", "cannot hold text"),
        ("<extension><condition><action><action/></action></condition></extension>", "cannot hold <action>"),
        ('<extension xmlns:a="b"><condition a:field="c"/></extension>', "no name"),
        ('<!DOCTYPE extension><extension name="a"/>', "document type"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><extension name="&b;"/>', "document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><extension/>', "document type"),
        ("<extension name='&b;'/>", "well-formed"),
        ("<extension name='&#0;'/>", "well-formed"),
        ("<extension name='\x00'/>", r"U\+0000"),
        ("<extension>" + "<condition>" * 50 + "</condition>" * 50 + "</extension>", "deeper"),
    ],
)
def test_a_dialplan_that_is_not_one_plain_extension_is_refused(xml, reason):
    with pytest.raises(InvalidValue, match=reason) as refused:
        parse(xml)
    assert refused.value.key == "dialplan_xml"


def test_a_dialplan_nested_without_end_is_refused_and_not_a_crash():
    with pytest.raises(InvalidValue):
        parse("<extension>" + "<condition>" * 20_000 + "</condition>" * 20_000 + "</extension>")


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ("${caller_id_name}", []),
        ("${caller_id_name:0:3} $1", []),
        ("${system(id)}", ["system"]),
        ("${system id}", ["system"]),
        ("$${system id}", ["system"]),
        ("a${expr(${lua(x)}+1)}", ["expr", "lua"]),
        ("${${a}(b)}", ["${a"]),
        ("${a{b}(c)}", ["a{b"]),
        ("${strftime(%Y)}/${uuid}", ["strftime"]),
        ("${unended(", ["unended"]),
    ],
)
def test_api_commands_that_an_expansion_runs_are_named(data, names):
    assert list(api_calls([action(data, "set", enabled=False)])) == names
    xml = build([condition(), action(data.replace("$$", "$$$$"), "set")])
    assert list(api_calls(xml)) == names


def test_api_commands_are_found_in_fields_expressions_and_text_too():
    assert list(
        api_calls(
            '<extension name="a"><condition field="${b(1)}" expression="${c(2)}">'
            '<action application="log">${d e}</action></condition></extension>'
        )
    ) == ["b", "c", "d"]


def test_a_megabyte_of_braces_is_looked_through_in_no_time():
    started = time.monotonic()
    assert len(list(api_calls([action("${" * 500_000)]))) == 1
    assert time.monotonic() - started < 5
