"""The rules of the fence: what a tenant's action may make FreeSWITCH do, read from its text alone.

`pbxapi.plugin.dialling` applies them and looks up what they leave to the database. They read what is written, not
what a variable holds at call time; so where a value decides whom a call reaches, only such variables may stand as
a `set` cannot turn against others. docs/decisions/fence.md says why each thing is on its list.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from pbxapi.xml.dialplan import Detail, api_calls


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PLAIN_APPLICATIONS = _names(
    "acknowledge_call answer block_dtmf break clear_digit_action deduplicate_dtmf deflect delay_echo"
    " digit_action_set_realm echo enable_heartbeat enable_keepalive eval fax_detect flush_dtmf gentones hangup"
    " hold info log park pre_answer presence privacy queue_dtmf record_session_mask record_session_pause"
    " record_session_resume record_session_unmask redirect remove_bugs respond ring_ready say sched_heartbeat"
    " sched_hangup send_display send_dtmf session_loglevel set_audio_level set_mute sleep start_dtmf"
    " start_dtmf_generate stop_displace_session stop_dtmf stop_dtmf_generate stop_record_session stop_tone_detect"
    " unbind_meta_app unblock_dtmf unhold verbose_events wait_for_answer wait_for_silence"
)
"""Applications whose data reaches nothing but the call itself."""

API_COMMANDS = _names(
    "cond create_uuid expr group_call hash in_group md5 regex sofia_contact strepoch strftime strftime_tz tolower"
    " toupper url_encode user_data user_exists uuid_record valet_info"
)
"""API commands that ``${name(...)}`` may run; those of a user only for the own domain."""

_OF_A_USER = frozenset({"group_call", "in_group", "sofia_contact", "user_data", "valet_info"})

_CALL_VARIABLES = _names(
    "ani called_extension caller_destination caller_id_number conf_xfer_number destination_number dialed_extension"
    " dialed_user digits extension fallback_destination forward_all_destination forward_busy_destination"
    " forward_no_answer_destination forward_user_not_registered_destination number_alias operator park_lot"
    " predefined_destination rdnis referred_by_user sip_from_user sip_req_user sip_to_user target_num"
    " transfer_fallback_extension user_name username uuid valet_parking_orbit_exten voicemail_id"
)
"""Variables that may stand where a number is dialled: they hold a number, and a `set` can give them no more."""

_APP_LUA = _names(
    "agent_status call_block caller_id conference_center emergency failure_handler follow_me hangup is_local"
    " provision ring_groups speed_dial toll_allow valet_park voicemail"
)
"""What ``lua app.lua`` may be followed by: FusionPBX's entry points for calls."""

_PIN_NUMBER = "pin_number.lua"
"""The one script beside app.lua that outbound routes need. Others build commands of a call's variables."""

OWNED: Mapping[str, tuple[str, str]] = {
    f"{name}_uuid": (table, f"{name}_uuid")
    for name, table in {
        "call_block": "v_call_block",
        "call_center_agent": "v_call_center_agents",
        "call_center_queue": "v_call_center_queues",
        "call_flow": "v_call_flows",
        "conference": "v_conferences",
        "conference_center": "v_conference_centers",
        "conference_room": "v_conference_rooms",
        "contact": "v_contacts",
        "extension": "v_extensions",
        "fax": "v_fax",
        "follow_me": "v_follow_me",
        "ivr_menu": "v_ivr_menus",
        "phrase": "v_phrases",
        "recording": "v_recordings",
        "ring_group": "v_ring_groups",
        "user": "v_users",
        "voicemail": "v_voicemails",
    }.items()
}
"""Variables by which FusionPBX's scripts find a record, whichever domain it is of: name -> (table, column)."""

_DOMAIN_VARIABLES = ("domain_name", "dialed_domain", "sip_invite_domain")
_HOST_VARIABLES = re.compile(
    rf"domain|{'|'.join(_DOMAIN_VARIABLES)}|voicemail_domain|sip_(?:from|to|req|auth)_(?:host|realm)"
)
_EXECUTED = re.compile(r"(?:.*_)?(?:api|exec|execute|jsapi)(?:_.*)?")
_HARMLESS = frozenset({"api_result", "loopback_bowout_on_execute"})
_ROUTING = re.compile(
    r"sip_(?:invite_)?(?:full_)?(?:route|record_route|req|to|from|contact)_?uri|sip_(?:full_)?route|sip_i_.*route"
    r"|sip_network_.*|sip_(?:use_)?gateway(?:_name)?|sip_(?:redirect_)?profile(?:_name)?|sip_invite_params"
    r"|sip_refer_to_.*|sip_auth_(?:username|password|uri)|sip_authorized|fs_path"
)
_BUILT_IN = re.compile(
    r"call_direction|toll_allow|accountcode|auto_answer|alert_info|rtp_secure_media|recording_length|snooze_time"
    r"|wakeup_(?!.*sound)\w+|fifo_(?:simo|timeout|lag)|extension_queue"
)
"""What FusionPBX's scripts build into commands of the switch and into the variables of a dial string."""

_FORBIDDEN = re.compile(
    r".*_dir|nibble_.*|disable_system_.*|transfer_on_fail|conference_auto_record|park_timeout|call_broadcast_uuid"
)
_MEDIA = re.compile(r"(?:.*_)?(?:music|ringback|sound|announce|prompt)|.*-ring|sound_.*|.*_announce_.*")
_FILES = re.compile(r".*_(?:path|file)")
_PLAIN_NAMES = re.compile(r".*filename|record_(?:name|ext|suffix)|recording_.*")

_LONGEST = 8192
_NAME = re.compile(r"([0-9a-z_.-]+)(?:\[[0-9]*\])?")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_PART = rf"(?:[0-9A-Za-z*#+._-]|\$[0-9]|\$\{{(?:{'|'.join(_CALL_VARIABLES)})\}})"
_DIALLED = re.compile(rf"{_PART}+")
_ANYTHING_DIALLED = re.compile(rf"{_PART}*")
_PROTECTED = re.compile(rf"\$\{{(?:(?:\w*_)?context|{'|'.join(_DOMAIN_VARIABLES)})\}}")
_STRFTIME = r"\$\{strftime\(%[A-Za-z]\)\}"
_FILE_PART = re.compile(
    rf"(?:[0-9A-Za-z_. +-]|\$[0-9]|{_STRFTIME}"
    rf"|\$\{{(?:{'|'.join(_CALL_VARIABLES)}|domain_name|record_ext|record_name)\}})+"
)
_WORDS = re.compile(r"[0-9A-Za-z*#+._@:, /-]*")
_CONTACT = re.compile(rf"\$\{{sofia_contact[ (](?:\*/|[\w-]+/)?{_PART}+@(?:[0-9A-Za-z.-]+|\$\{{\w+\}})\)?\}}")
_USER_DATA = re.compile(
    r"\$\{user_data[ (]\s*[^@(){}|]*(?:\$\{\w+\})?@(?:\$\{\w+\}|[\w.-]+) (?:var|attr) \w+\)?\}"
)
_MUSIC = re.compile(r"\$\{(?:(?:\w*_)?(?:music|ringback)|[\w-]+-ring)\}")
_TONES = re.compile(r"(?:(?:tone|silence)_stream://|%\()[0-9A-Za-z%(),.;:=*+ -]*")
_STREAM = re.compile(r"local_stream://[0-9A-Za-z_./-]+")
_SAID = re.compile(r"(?:phrase|say):[^|!/\\]*")
_DIGIT_ACTION = re.compile(
    r"[^,]*,[^,]*,(api:uuid_record|exec(?:\[[a-z]\])?:[^,]*)(?:,(.*?))?((?:,(?:self|peer|both|\$\{\w*target\}))*)"
)
_JOINT = re.compile(r"\$\{|\$[0-9]+|\$|\{[0-9]+(?:,[0-9]*)?\}|\{|\}|\\['$]")
_CAPTURES_MEET = re.compile(r"\$[0-9]+(?:\$[0-9]|\{)|\$\$[0-9]")
_FOUND_MEET = re.compile(r"%[0-9](?:%[0-9]|\{)|\$%[0-9]")
_BRACED = frozenset(
    {
        "bridge",
        "conference",
        "displace_session",
        "endless_playback",
        "loop_playback",
        "play_and_get_digits",
        "playback",
        "read",
    }
)
"""Applications whose data has braces of its own: what they set is checked as a variable, and no more is kept."""

_BRACE = re.compile(r"\$?\{|\}")
_CALLED = re.compile(r"([^ (}]*)([ (])")
_GROUP = re.compile(r"[\[{<]((?:[^\[\]{}<>$]|\$\{[^{}]*\}|\$(?!\{))*)[\]}>]")
_TOKEN = re.compile(r"@?[0-9A-Za-z][0-9A-Za-z.-]*")


class Beyond(ValueError):
    """An action that reaches beyond its domain, or beyond the call.

    Args:
        reason: what is wrong, in words that follow the field's name.
        application: whether the application itself is at fault, not its data.
    """

    def __init__(self, reason: str, *, application: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.application = application


@dataclass(frozen=True)
class Reference:
    """A record that an action names; it must be of the domain.

    Attributes:
        shared: whether one without a domain, which all may use, will do.
    """

    table: str
    column: str
    value: str
    shared: bool = False


@dataclass
class Fence:
    """The fence around one domain.

    Args:
        domain: its name.
        recordings: the folders of recordings on the nodes, as far as they are known.
        allowed: applications that the operator lets everybody use, whatever their data.

    Attributes:
        references: what the checked actions name; for the database to check.
        hosts: names in them that may be other tenants' domains; likewise.
    """

    domain: str
    recordings: Collection[str] = ()
    allowed: Collection[str] = ()
    references: set[Reference] = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)

    def check(self, application: str, data: str) -> None:
        """Check one action.

        Raises:
            Beyond: it may not stand.
        """
        if application in self.allowed:
            return
        self.check_text(application)
        self.check_text(data)
        if _CAPTURES_MEET.search(data):
            raise Beyond("joins what a condition has found to something that could make a command of it")
        if application not in _BRACED:
            check_joins(data)
        for token in _TOKEN.findall(data.lower()):
            name = token.removeprefix("@").strip(".-")
            if name != self.domain.lower() and ("." in name or token.startswith("@")):
                self.hosts.add(name)
        if application in _PLAIN_APPLICATIONS:
            return
        check = _CHECKS.get(application)
        if check is None:
            raise Beyond("is an application that is not allowed here", application=True)
        check(self, data.strip())

    def check_text(self, text: str) -> None:
        """Check the API commands that the switch runs while it expands a text: an expression, a field, data.

        Raises:
            Beyond: one may not be run, or asks for a user of another domain.
        """
        if len(text) > _LONGEST:
            raise Beyond(f"must not be longer than {_LONGEST} characters")
        calls = list(_calls(text))
        if not {*api_calls([Detail("", "", text)]), *(name for name, _ in calls)} <= API_COMMANDS:
            raise Beyond("runs a command of the switch that is not allowed here")
        for name, arguments in calls:
            if name in _OF_A_USER:
                self._users(arguments)
            elif name == "user_exists":
                words = arguments.split()
                if len(words) != 3:
                    raise Beyond("must ask user_exists for id, user and domain")
                self._users(f"{words[1]}@{words[2]}")
            elif name == "regex" and _FOUND_MEET.search(arguments):
                raise Beyond("joins what a regex has found to something that could make a command of it")
            elif name.startswith("strftime") and "$" in arguments:
                raise Beyond("must give strftime a format that can be checked")
            elif name == "uuid_record":
                self.own_recording(arguments)
            elif name == "hash":
                verb, _, rest = arguments.partition("/")
                if verb != "select":
                    raise Beyond("may only select from the hash")
                self.realm(rest)

    def check_field(self, text: str) -> None:
        """Check what a condition looks at; what its expression finds there becomes part of actions.

        Raises:
            Beyond: as `check_text`.
        """
        self.check_text(text)
        check_joins(text)

    def _users(self, arguments: str) -> None:
        hosts = re.findall(r"@(\$\{\w*\}|[^\s|,(){}<>'\"$]*)", arguments)
        if not hosts:
            raise Beyond("must name the users of its commands as user@domain")
        for host in hosts:
            self.host(host)
        for variable in re.findall(r"\$\{[^{}]*\}", arguments):
            if not _PROTECTED.fullmatch(variable) and not _DIALLED.fullmatch(variable):
                raise Beyond("must name the users of its commands in text that can be checked")

    def host(self, host: str) -> None:
        """The part of an address after ``@``."""
        if host.lower() != self.domain.lower() and not _PROTECTED.fullmatch(host):
            raise Beyond("reaches beyond the domain")

    def context(self, context: str) -> None:
        """Where a call is sent to."""
        _, at, after = context.rpartition("@")
        self.host(after if at else context.removesuffix(".public"))

    def realm(self, realm: str) -> None:
        """Where values are kept for all calls of the switch."""
        own = rf"(?:{re.escape(self.domain)}|\$\{{domain_name\}})(?![0-9A-Za-z.])"
        if not re.match(own, realm, re.IGNORECASE):
            raise Beyond("must keep to a realm that begins with the domain")

    def variable(self, name: str, value: str) -> None:
        """A channel variable that is set; the switch knows it in any letter case.

        Raises:
            Beyond: the switch or a script would run it, or find another tenant's record by it.
        """
        found = _NAME.fullmatch(re.sub(r"^(?:nolocal:|_nolocal_)+", "", name.strip().lower()))
        if found is None:
            raise Beyond("sets a variable with a name that cannot be checked")
        name = found[1]
        check_joins(value)
        for pattern, check in _VARIABLES:
            if pattern.fullmatch(name):
                check(self, name, value.strip())
                return

    def assignments(self, text: str, separator: str) -> None:
        """``name=value`` several times."""
        if text.startswith("^^"):
            separator, text = text[2:3], text[3:]
        parts: list[str] = []
        for part in text.split(separator or ","):
            if "=" in part or not parts:
                parts.append(part)
            else:
                parts[-1] += separator + part
        for part in filter(str.strip, parts):
            name, _, value = part.partition("=")
            self.variable(name, value.strip("'\""))

    def refer(self, table: str, column: str, value: str, *, shared: bool = False) -> None:
        """A record that must be of the domain, by its uuid."""
        if not _UUID.fullmatch(value):
            raise Beyond("must name a record by its uuid")
        self.references.add(Reference(table, column, value.lower(), shared))

    def media(self, text: str) -> None:
        """What is played: a sound of the switch, tones, music, a phrase, a recording of the domain."""
        while text.startswith("{"):
            found = _GROUP.match(text)
            if found is None:
                raise Beyond("has braces that cannot be read")
            self.assignments(found[1], ",")
            text = text[found.end() :]
        if text.startswith("file_string://"):
            for part in text.removeprefix("file_string://").split("!"):
                if part.startswith("file_string:"):
                    raise Beyond("must not nest a file_string")
                self.media(part)
        elif _MUSIC.fullmatch(text):
            return
        elif text.startswith(("phrase:", "say:")):
            if not _SAID.fullmatch(text):
                raise Beyond("cannot be played from here")
            self.macro(text.partition(":")[2].partition(":")[0])
        elif _TONES.fullmatch(text) or _STREAM.fullmatch(text):
            if "path=" in text or ".." in text:
                raise Beyond("must not name a file by its path")
        elif text.startswith(("/", "${")):
            self.file(text)
        elif not _is_path(text):
            raise Beyond("must be a sound, tones, music or a recording of the domain")

    def file(self, path: str) -> None:
        """A file that is read or written: a recording of the domain, or a file of the call in /tmp."""
        if path in ("${record_path}/${record_name}", "${record_path}", "${call_screen_file}"):
            return
        roots: list[str] = []
        for domain in (self.domain, "${domain_name}"):
            roots += [f"{folder.rstrip('/')}/{domain}/" for folder in ("${recordings_dir}", *self.recordings)]
            # Where FusionPBX's call screening keeps the name that a caller said.
            roots.append(f"/tmp/{domain}-")
        root = next((root for root in roots if f"{path}/".startswith(root)), None)
        if root is None:
            raise Beyond("must be a file in the domain's own folder of recordings")
        if len(path) > len(root) and not _is_path(path[len(root) :]):
            raise Beyond("must be a file in the domain's own folder of recordings")

    def own_recording(self, arguments: str) -> None:
        """What `uuid_record` does: to the call itself, in a file of the domain."""
        words = arguments.split(None, 2)
        if len(words) != 3 or words[0] != "${uuid}" or words[1] not in ("start", "stop", "mask", "unmask"):
            raise Beyond("may only record the call itself: ${uuid} start file")
        self.file(words[2])

    def macro(self, name: str) -> None:
        """A phrase: FusionPBX's by uuid, or one of the switch's own by name."""
        name = name.partition(",")[0].strip()
        if _UUID.fullmatch(name):
            self.refer("v_phrases", "phrase_uuid", name)
        elif not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
            raise Beyond("must name a phrase")

    def dialled(self, text: str) -> None:
        """A number, or something that stands for one."""
        if not _DIALLED.fullmatch(text):
            raise Beyond("must dial a number, in text that can be checked")

    def transfer(self, data: str) -> None:
        """``number [XML [context]]``."""
        words = data.split()
        if not 1 <= len(words) <= 3:
            raise Beyond("must be: number XML context")
        self.dialled(words[0])
        if len(words) > 1 and words[1] != "XML":
            raise Beyond("must name the dialplan XML")
        if len(words) > 2:
            self.context(words[2])

    def dial_string(self, text: str) -> None:
        """What `bridge` dials: users of the domain, its gateways, its own numbers."""
        rest = text
        while found := _GROUP.match(rest):
            self.assignments(found[1], ",")
            rest = rest[found.end() :].lstrip()

        def leg_variables(found: re.Match[str]) -> str:
            self.assignments(found[1], ",")
            return ""

        rest = re.sub(r"\[((?:[^\[\]{}$]|\$\{[^{}]*\}|\$(?!\{))*)\]", leg_variables, rest)
        for leg in re.split(r"[,|]|:_:", rest):
            self._leg(leg.strip())

    def _leg(self, leg: str) -> None:
        if leg.startswith("${sofia_contact"):
            if not _CONTACT.fullmatch(leg):
                raise Beyond("must ask sofia_contact for one user of the domain")
            return
        kind, _, rest = leg.partition("/")
        match kind:
            case "user" | "group" | "pickup":
                dialled, _, host = rest.partition("@")
                self.dialled(dialled)
                self.host(host)
            case "sofia" if rest.startswith("gateway/"):
                gateway, _, number = rest.removeprefix("gateway/").partition("/")
                self.refer("v_gateways", "gateway_uuid", gateway, shared=True)
                if not _ANYTHING_DIALLED.fullmatch(number):
                    raise Beyond("must dial a number, in text that can be checked")
            case "loopback":
                number, _, place = rest.partition("/")
                context, _, dialplan = place.partition("/")
                self.dialled(number)
                if context:
                    self.context(context)
                if dialplan not in ("", "XML"):
                    raise Beyond("must name the dialplan XML")
            case "error" | "null":
                if not re.fullmatch(r"[\w/]*", rest):
                    raise Beyond("cannot be dialled from here")
            case _:
                raise Beyond("must dial users of the domain, its gateways or its numbers")


def check_joins(text: str) -> None:
    """Refuse text that becomes ``${...}`` only while the switch expands it.

    It expands the value of a variable again and again (switch_channel_expand_variables_check), so a ``$`` that one
    expansion ends with and a ``{`` that the next one begins with would run a command when the result is used. So
    two expansions must not meet, no brace may stand alone, but for a quantifier such as ``{10}``, and ``$`` only
    before a bar or a bracket, as regular expressions end; and nothing may be escaped that vanishes later.

    Raises:
        Beyond: it could.
    """
    opened: list[str] = []
    joint = -1
    for token in _JOINT.finditer(text):
        kind = token[0]
        if token.start() == joint and kind[0] in "${":
            raise Beyond("must not join expansions: part them by other characters")
        if kind == "}":
            if opened and opened.pop() == "${":
                joint = token.end()
        elif kind == "${":
            opened.append(kind)
        elif kind[0] == "$" and len(kind) > 1:
            joint = token.end()
        elif kind == "{":
            raise Beyond("must not hold a brace by itself")
        elif kind == "$" and text[token.end() : token.end() + 1] not in ("|", ")"):
            raise Beyond("must not hold a dollar by itself")
        elif kind[0] == "\\":
            raise Beyond("must not escape a quote or a dollar")


def _is_path(text: str) -> bool:
    """Whether it is a relative path that stays below where it begins, in text that can be checked."""
    return all(_FILE_PART.fullmatch(part) and part != ".." for part in text.split("/"))


def _calls(text: str) -> Iterator[tuple[str, str]]:
    """The API commands in a text with their arguments, those within arguments too."""
    opened: list[re.Match[str]] = []
    for brace in _BRACE.finditer(text):
        if brace[0] == "}":
            if opened:
                yield from _call(opened.pop(), text, brace.start())
            continue
        opened.append(brace)
        if len(opened) > 8:
            raise Beyond("nests commands of the switch too deep to be checked")
    while opened:
        yield from _call(opened.pop(), text, len(text))


def _call(opening: re.Match[str], text: str, end: int) -> Iterator[tuple[str, str]]:
    found = _CALLED.match(text, opening.end(), end)
    if found and opening[0] == "${":
        arguments = text[found.end() : end]
        yield found[1], arguments.removesuffix(")") if found[2] == "(" else arguments


def _words(data: str) -> list[str]:
    try:
        return shlex.split(data)
    except ValueError:
        raise Beyond("has quotes that do not match") from None


def _transfer(fence: Fence, data: str) -> None:
    flag, _, rest = data.partition(" ")
    fence.transfer(rest if flag in ("-aleg", "-bleg", "-both") else data)


def _sched_transfer(fence: Fence, data: str) -> None:
    fence.transfer(data.partition(" ")[2])


def _set(fence: Fence, data: str) -> None:
    fence.assignments(data, "\n")


def _multiset(fence: Fence, data: str) -> None:
    fence.assignments(data, " ")


def _unset(fence: Fence, data: str) -> None:
    for name in data.split():
        fence.variable(name, "")


def _voicemail(fence: Fence, data: str) -> None:
    words = data.split()
    while words and words[0] in ("check", "auth", "auth_only", "admin"):
        words = words[1:]
    if not 2 <= len(words) <= 3 or not re.fullmatch(r"\w+|\$\{voicemail_profile\}", words[0]):
        raise Beyond("must be: [check] [auth] profile domain [number]")
    fence.host(words[1])
    for number in words[2:]:
        fence.dialled(number)


def _conference(fence: Fence, data: str) -> None:
    """``number@domain@profile+...``, as older versions wrote it ``number-domain@profile``."""
    room, _, _ = data.partition("+")
    name, _, place = room.partition("@")
    host, _, profile = place.partition("@")
    number, dash, owner = name.partition("-")
    if dash and not profile and owner.lower() in (fence.domain.lower(), "${domain_name}"):
        name, host, profile = number, owner, host
    fence.dialled(name)
    fence.host(host)
    if not re.fullmatch(r"[\w-]*", profile):
        raise Beyond("must name a conference as number@domain@profile")


def _at_domain(fence: Fence, data: str) -> None:
    """``name@domain``, and further words that say how."""
    first, _, rest = data.partition(" ")
    name, _, host = first.partition("@")
    fence.dialled(name)
    fence.host(host)
    for word in rest.split():
        fence.dialled(word)


def _ivr(fence: Fence, data: str) -> None:
    if data != "${ivr_menu_uuid}":
        fence.refer("v_ivr_menus", "ivr_menu_uuid", data)


def _loop_playback(fence: Fence, data: str) -> None:
    fence.media(re.sub(r"^\+?\d+\s+", "", data))


def _without_options(data: str, option: str) -> str:
    words = data.split()
    while len(words) > 1 and re.fullmatch(option, words[-1]):
        words.pop()
    return " ".join(words)


def _record(fence: Fence, data: str) -> None:
    """``path``, and numbers that say how long."""
    fence.file(_without_options(data, r"\+?[0-9]+"))


def _displace(fence: Fence, data: str) -> None:
    fence.media(_without_options(data, r"\+?\w+"))


def _limit(fence: Fence, data: str) -> None:
    words = data.split()
    if len(words) < 3 or words[0] not in ("hash", "db"):
        raise Beyond("must be: hash realm resource max [!CAUSE]")
    if words[4:] != ["${limit_destination}"]:
        _limit_variable(fence, "", " ".join(words[4:]))


def _hash(fence: Fence, data: str) -> None:
    verb, _, rest = data.partition("/")
    if verb not in ("insert", "insert_ifempty", "delete", "delete_ifmatch"):
        raise Beyond("must be insert/realm/key/value or delete/realm/key")
    fence.realm(rest)


def _read(fence: Fence, data: str) -> None:
    words = _words(data)
    if len(words) < 4:
        raise Beyond("must be: min max sound variable ...")
    fence.media(words[2])
    fence.variable(words[3], "$1")


def _play_and_get_digits(fence: Fence, data: str) -> None:
    words = _words(data)
    if not 8 <= len(words) <= 11:
        raise Beyond("must be: min max tries timeout terminators sound invalid_sound variable ...")
    for sound in words[5:7]:
        if sound not in ("", "NONE"):
            fence.media(sound)
    fence.variable(words[7], "$1")
    if len(words) > 10:
        fence.transfer(words[10])


def _phrase(fence: Fence, data: str) -> None:
    fence.macro(data)


def _lua(fence: Fence, data: str) -> None:
    script, *words = data.split()[:100] or [""]
    if data == _PIN_NUMBER:
        return
    if script == "streamfile.lua":
        # It puts the name into SQL as it is.
        file = data.removeprefix(script).strip()
        if not _FILE_PART.fullmatch(file):
            fence.file(file)
    elif script == "app.lua" and not _APP_LUA.isdisjoint(words[:1]):
        for word in words:
            fence.dialled(word)
    else:
        raise Beyond("must be a script of FusionPBX's own, such as app.lua voicemail")


def _tone_detect(fence: Fence, data: str) -> None:
    if len(data.split()) > 4:
        raise Beyond("must not run an application")


def _bind_digit_action(fence: Fence, data: str) -> None:
    found = _DIGIT_ACTION.fullmatch(data)
    if found is None:
        raise Beyond("must be: realm,digits,exec:application,data")
    if found[1] == "api:uuid_record":
        fence.own_recording(found[2] or "")
    else:
        _check_bound(fence, found[1].partition(":")[2], found[2] or "")


def _check_bound(fence: Fence, application: str, data: str) -> None:
    if application.startswith("bind_"):
        raise Beyond("must not bind a key to another binding")
    fence.check(application, data)


def _bind_meta_app(fence: Fence, data: str) -> None:
    words = data.split(None, 3)
    if len(words) != 4:
        raise Beyond("must be: key leg flags application::data")
    application, _, argument = words[3].partition("::")
    _check_bound(fence, application, argument)


_Check = Callable[[Fence, str], None]

_CHECKS: Mapping[str, _Check] = {
    "bind_digit_action": _bind_digit_action,
    "bind_meta_app": _bind_meta_app,
    "bridge": Fence.dial_string,
    "bridge_export": _set,
    "callcenter": _at_domain,
    "conference": _conference,
    "displace_session": _displace,
    "endless_playback": Fence.media,
    "execute_extension": Fence.transfer,
    "export": _set,
    "fifo": _at_domain,
    "hash": _hash,
    "ivr": _ivr,
    "limit": _limit,
    "loop_playback": _loop_playback,
    "lua": _lua,
    "mkdir": Fence.file,
    "multiset": _multiset,
    "multiunset": _unset,
    "phrase": _phrase,
    "pickup": _at_domain,
    "play_and_get_digits": _play_and_get_digits,
    "playback": Fence.media,
    "push": _set,
    "read": _read,
    "record": _record,
    "record_session": _record,
    "sched_transfer": _sched_transfer,
    "set": _set,
    "tone_detect": _tone_detect,
    "transfer": _transfer,
    "unset": _unset,
    "unshift": _set,
    "valet_park": _at_domain,
    "voicemail": _voicemail,
}

APPLICATIONS = _PLAIN_APPLICATIONS | _CHECKS.keys()
"""The applications that may stand in an action; PBXAPI_DIALPLAN_APPLICATIONS adds to them."""


def _refused(fence: Fence, name: str, value: str) -> None:
    raise Beyond(f"must not set the variable {name}")


def _harmless(fence: Fence, name: str, value: str) -> None:
    return


def _context_variable(fence: Fence, name: str, value: str) -> None:
    if value:
        fence.context(value)


def _host_variable(fence: Fence, name: str, value: str) -> None:
    fence.host(value)


def _dialplan_variable(fence: Fence, name: str, value: str) -> None:
    if value not in ("", "XML"):
        raise Beyond(f"must set {name} to XML")


def _owned_variable(fence: Fence, name: str, value: str) -> None:
    user = re.fullmatch(r"\$\{user_data[ (].*\}", value) and name == "extension_uuid"
    if value and not user and value != f"${{{name}}}":
        fence.refer(*OWNED[name], value)


def _transfer_variable(fence: Fence, name: str, value: str) -> None:
    fence.transfer(value.replace(":", " "))


def _key_variable(fence: Fence, name: str, value: str) -> None:
    if not re.fullmatch("[0-9*#]*", value):
        raise Beyond(f"must set {name} to a key")


def _media_variable(fence: Fence, name: str, value: str) -> None:
    if value and not re.fullmatch(r"\$\{sounds_dir\}(?:/\w+)*", value) and not _USER_DATA.fullmatch(value):
        fence.media(value)


def _file_variable(fence: Fence, name: str, value: str) -> None:
    if value:
        fence.file(value)


def _name_variable(fence: Fence, name: str, value: str) -> None:
    if value and not _FILE_PART.fullmatch(value):
        raise Beyond(f"must set {name} to a plain name")


def _number_variable(fence: Fence, name: str, value: str) -> None:
    if not _ANYTHING_DIALLED.fullmatch(value) and not _USER_DATA.fullmatch(value):
        raise Beyond(f"must set {name} to a number")


def _word_variable(fence: Fence, name: str, value: str) -> None:
    copied = value in ("${accountcode}", "${toll_allow}", "${call_direction}", "${domain_name}")
    if not copied and not _WORDS.fullmatch(value) and not _USER_DATA.fullmatch(value):
        raise Beyond(f"must set {name} to plain words")


def _limit_variable(fence: Fence, name: str, value: str) -> None:
    if value and not re.fullmatch(r"![A-Z_]+|error/\w+", value):
        fence.transfer(value)


def _domain_uuid(fence: Fence, name: str, value: str) -> None:
    if value != "${domain_uuid}":
        fence.refer("v_domains", "domain_uuid", value)


_VariableCheck = Callable[[Fence, str, str], None]


def _variable_rules() -> Iterator[tuple[str | re.Pattern[str], _VariableCheck]]:
    """The first that fits decides; a variable that none fits may hold anything."""
    yield "sip_h_x-(?:child_)?intercept_uuid", _refused
    yield "|".join((*_HARMLESS, "sip_h_.*")), _harmless
    yield _BUILT_IN, _word_variable
    yield "domain_uuid", _domain_uuid
    yield "|".join(OWNED), _owned_variable
    yield "|".join(_CALL_VARIABLES), _number_variable
    yield "limit_destination", _limit_variable
    yield "group_confirm_key", _key_variable
    yield "transfer_after_(?:early_)?bridge", _transfer_variable
    yield "group_confirm_file", _media_variable
    yield r"(?:.*_)?context", _context_variable
    yield r"(?:.*_)?dialplan", _dialplan_variable
    yield _HOST_VARIABLES, _host_variable
    yield _EXECUTED, _refused
    yield _ROUTING, _refused
    yield _FORBIDDEN, _refused
    yield _PLAIN_NAMES, _name_variable
    yield _FILES, _file_variable
    yield _MEDIA, _media_variable


_VARIABLES = [(re.compile(pattern), check) for pattern, check in _variable_rules()]
