from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxapi.xml.destination import destination_details, destination_dialplan, number_regex
from pbxapi.xml.dialplan import actions, from_details
from pbxapi.xml.text import InvalidValue

from .conftest import bounded, texts

UUID = "9c2f2d4e-0a55-4b5b-9d41-6a4f7c9d0f10"
DOMAIN_UUID = "5f0c7b1a-8a0f-4a35-9c3e-0d7f7d1f2a33"
DOMAIN = "tenant.example"
MARKS = [
    ("export", "call_direction=inbound", "true"),
    ("set", f"domain_uuid={DOMAIN_UUID}", "true"),
    ("set", f"domain_name={DOMAIN}", "true"),
]


def build(destination, **rest):
    return destination_dialplan(
        {"destination_number": "2085550100"} | destination,
        name="Reception",
        dialplan_uuid=UUID,
        domain_uuid=DOMAIN_UUID,
        domain_name=DOMAIN,
        **rest,
    )


def actions_of(element):
    return [
        (inner[1].get("application"), inner[1].get("data"), inner[1].get("inline", ""))
        for inner in element[3]
        if inner[0] == "action"
    ]


def test_the_expressions_are_those_that_fusionpbx_made(golden):
    for pair in golden("destination_regex.json"):
        columns = pair["in"]
        assert (
            number_regex(
                columns["destination_number"],
                columns.get("destination_prefix", ""),
                columns.get("destination_trunk_prefix", ""),
                columns.get("destination_area_code", ""),
            )
            == pair["regex"]
        )


@pytest.mark.parametrize(
    ("given_", "expression"),
    [
        (("8005550199",), "^(8005550199)$"),
        (("8005550199", "1"), r"^\+?1?(8005550199)$"),
        (("2079460000", "44"), r"^\+?(?:44)?(2079460000)$"),
        (("2079460000", "+44"), r"^\+?(?:44)?(2079460000)$"),
        (("+18005550199",), r"^\+(18005550199)$"),
        (("+18005550199", "1", "0", "2"), r"^\+(18005550199)$"),
        (("5xz", "1"), r"^\+?1?(5[0-9][1-9])$"),
        (("nXZ",), "^([2-9][0-9][1-9])$"),
        (("^55501[0-5]$",), "^(55501[0-5])$"),
        (("^(55501\\d\\d)$", "1"), "^(55501\\d\\d)$"),
        (("*72",), r"^(\*72)$"),
        (("5550100", "49", "0"), r"(\+?495550100$|^05550100$|^5550100$)"),
        (("5550100", "49", "", "30"), r"(\+?49305550100$|^305550100$|^5550100$)"),
        (("5550100", "49", "0", "30"), r"(\+?49305550100$|^0305550100$|^305550100$|^5550100$)"),
        (("55501XX", "49", "", "30"), r"(\+?493055501[0-9][0-9]$|^3055501[0-9][0-9]$|^55501[0-9][0-9]$)"),
        (("5550100", "", "0", "30"), "^(5550100)$"),
    ],
)
def test_a_number_becomes_its_expression(given_, expression):
    assert number_regex(*given_) == expression


@bounded
@given(
    st.from_regex("[0-9*]{1,12}", fullmatch=True),
    st.from_regex("[1-9][0-9]{0,2}", fullmatch=True) | st.just(""),
    st.from_regex("[0-9]?", fullmatch=True),
    st.from_regex("([2-9][0-9]{2})?", fullmatch=True),
)
def test_the_number_is_found_in_every_form_in_which_it_is_dialled(number, prefix, trunk, area):
    expression = re.compile(number_regex(number, prefix, trunk, area))
    assert expression.search(number)
    if prefix:
        full = prefix + area + number
        assert expression.search(full)
        assert expression.search("+" + full)
        if trunk:
            assert expression.search(trunk + area + number)
    assert not expression.search(number + "#")


def test_a_destination_without_a_number_is_refused():
    with pytest.raises(InvalidValue) as refused:
        build({"destination_number": None})
    assert refused.value.key == "destination_number"


def test_a_plain_destination_marks_the_call_and_runs_its_actions(tree):
    made = tree(build({"destination_actions": [{"destination_app": "transfer", "destination_data": "101 XML d"}]}))
    assert made[:2] == ("extension", {"name": "Reception", "continue": "false", "uuid": UUID})
    (only,) = made[3]
    assert only[1] == {"field": "destination_number", "expression": "^(2085550100)$"}
    assert actions_of(only) == [*MARKS, ("transfer", "101 XML d", "")]


@pytest.mark.parametrize("context", ["public", "d.example"])
def test_a_destination_without_actions_marks_the_call_all_the_same(context, tree):
    (only,) = tree(build({"destination_context": context}))[3]
    assert actions_of(only) == MARKS


def test_everything_stands_in_the_order_of_fusionpbx(tree):
    everything = build(
        {
            "destination_prefix": "1",
            "destination_context": "public",
            "provider_uuid": "p",
            "destination_cid_name_prefix": "Sales & <co>",
            "destination_record": True,
            "destination_hold_music": "local_stream://d/m",
            "destination_distinctive_ring": "ring-2",
            "destination_ringback": "${us-ring}",
            "destination_accountcode": "acme",
            "destination_carrier": "sip4u",
            "destination_actions": json.dumps(
                [
                    {"destination_app": "bridge", "destination_data": "user/1@d"},
                    {"destination_app": "phrase", "destination_data": "x"},
                ]
            ),
        },
        fax_extension="7651",
        record_extension="wav",
    )
    (only,) = tree(everything)[3]
    assert actions_of(only) == [
        *MARKS,
        ("set", "provider_uuid=p", "true"),
        ("set", f"presence_id=$1@{DOMAIN}", "true"),
        ("set", "hangup_after_bridge=true", "true"),
        ("set", "continue_on_fail=true", "true"),
        ("answer", "", ""),
        ("set", "effective_caller_id_name=Sales & <co>#${caller_id_name}", "true"),
        (
            "set",
            "record_path=${recordings_dir}/${domain_name}/archive/${strftime(%Y)}/${strftime(%b)}/${strftime(%d)}",
            "true",
        ),
        ("set", "record_name=${uuid}.wav", "true"),
        ("set", "record_append=true", "true"),
        ("set", "record_in_progress=true", "true"),
        ("set", "recording_follow_transfer=true", "true"),
        ("set", "record_stereo=true", "true"),
        ("record_session", "${record_path}/${record_name}", "false"),
        ("export", "hold_music=local_stream://d/m", "true"),
        ("export", "sip_h_Alert-Info=ring-2", "true"),
        ("export", "ringback=${us-ring}", "true"),
        ("export", "transfer_ringback=${us-ring}", "true"),
        ("export", "accountcode=acme", "true"),
        ("set", "carrier=sip4u", "true"),
        ("set", f"presence_id=$1@{DOMAIN}", "true"),
        ("set", "tone_detect_hits=1", "true"),
        ("set", "execute_on_tone_detect=transfer 7651 XML ${domain_name}", "true"),
        ("tone_detect", "fax 1100 r +3000", ""),
        ("bridge", "user/1@d", ""),
        ("phrase", "x", ""),
    ]


@pytest.mark.parametrize("context", ["public", DOMAIN])
def test_details_give_the_same_xml_again_in_any_context(context, tree):
    destination = {
        "destination_number": "5550100",
        "destination_context": context,
        "provider_uuid": "p",
        "destination_conditions": [
            {
                "condition_field": "caller_id_number",
                "condition_expression": "5550101",
                "condition_app": "hangup",
                "condition_data": "",
            }
        ],
        "destination_app": "transfer",
        "destination_data": "101 XML d",
    }
    details = destination_details(destination, domain_uuid=DOMAIN_UUID, domain_name=DOMAIN)
    again = from_details(
        "Reception",
        details,
        uuid=UUID,
        context=context,
        continue_=False,
        domain_uuid=DOMAIN_UUID,
        domain_name=DOMAIN,
    )
    made = tree(build(destination))
    assert tree(again) == made
    for element in made[3]:
        assert actions_of(element)[:4] == [*MARKS, ("set", "provider_uuid=p", "true")]


def test_details_begin_with_the_condition_at_order_20():
    details = destination_details(
        {"destination_number": "5550100", "destination_app": "hangup"},
        domain_uuid=DOMAIN_UUID,
        domain_name=DOMAIN,
    )
    assert [(detail.tag, detail.group, detail.order) for detail in details] == [
        ("condition", 0, 20),
        ("action", 0, 30),
    ]


@pytest.mark.parametrize(
    ("condition", "looks_at"),
    [
        (("caller_id_number", "5550101"), ("caller_id_number", r"^\+?1?5550101$")),
        (("caller_id_number", "555"), ("caller_id_number", "^555$")),
        (("caller_id_number", "+15550101"), ("caller_id_number", r"^\+15550101$")),
        (("caller_id_number_prefix", "1208"), ("caller_id_number", "^1208")),
    ],
)
def test_a_callers_number_can_decide_first(condition, looks_at, tree):
    field, expression = condition
    made = tree(
        build(
            {
                "destination_number": "5550100",
                "destination_prefix": "1",
                "destination_conditions": [
                    {
                        "condition_field": field,
                        "condition_expression": expression,
                        "condition_app": "transfer",
                        "condition_data": "102 XML d",
                    },
                    {"condition_field": field, "condition_expression": expression, "condition_app": ""},
                    {"condition_field": field, "condition_expression": "", "condition_app": "hangup"},
                ],
            }
        )
    )
    first, second = made[3]
    assert first[1] == {"regex": "all", "break": "never"}
    assert [(inner[1]["field"], inner[1]["expression"]) for inner in first[3] if inner[0] == "regex"] == [
        ("destination_number", r"^\+?1?(5550100)$"),
        looks_at,
    ]
    assert actions_of(first) == [*MARKS, ("transfer", "102 XML d", "")]
    assert second[1] == {"field": "destination_number", "expression": r"^\+?1?(5550100)$"}


def test_the_compared_field_can_be_set(tree):
    assert tree(build({}, condition_field="${sip_to_user}"))[3][0][1]["field"] == "${sip_to_user}"
    made = tree(build({"destination_condition_field": "${sip_req_user}"}, condition_field="${sip_to_user}"))
    assert made[3][0][1]["field"] == "${sip_req_user}"


def test_the_old_columns_count_where_there_is_no_list_of_actions():
    columns = {
        "destination_app": "transfer",
        "destination_data": "1 XML d",
        "destination_alternate_app": "hangup",
    }
    assert list(actions(build(columns)))[-2:] == [("transfer", "1 XML d"), ("hangup", "")]
    given_ = columns | {"destination_actions": [{"destination_app": "answer"}]}
    assert list(actions(build(given_)))[-1] == ("answer", "")
    assert ("hangup", "") not in list(actions(build(given_)))


@pytest.mark.parametrize(
    ("destination", "key"),
    [
        ({"destination_actions": "{"}, "destination_actions"),
        ({"destination_actions": "[1]"}, "destination_actions"),
        ({"destination_actions": 5}, "destination_actions"),
        ({"destination_conditions": ["x"]}, "destination_conditions"),
        ({"destination_actions": [{"destination_app": "a\x00"}]}, "destination_actions.0.destination_app"),
        ({"destination_hold_music": "\x07"}, "destination_hold_music"),
    ],
)
def test_what_cannot_be_written_is_refused_with_the_column(destination, key):
    with pytest.raises(InvalidValue) as refused:
        build(destination)
    assert refused.value.key == key


@bounded
@given(
    st.fixed_dictionaries(
        {"destination_number": texts().filter(bool)},
        optional={
            column: texts()
            for column in (
                "destination_prefix",
                "destination_area_code",
                "destination_cid_name_prefix",
                "destination_hold_music",
                "destination_ringback",
                "destination_accountcode",
                "destination_app",
                "destination_data",
            )
        },
    )
)
def test_whatever_destination_is_accepted_reaches_the_switch_whole(tree, preprocessed, destination):
    try:
        xml = build(destination)
    except InvalidValue:
        return
    assert tree(preprocessed(xml)) == tree(xml)
    if destination.get("destination_app"):
        data = destination.get("destination_data", "").replace("$$", "$")
        assert list(actions(xml))[-1] == (destination["destination_app"], data)
