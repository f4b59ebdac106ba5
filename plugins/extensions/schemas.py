"""What an extension looks like."""

from pbxapi.plugin import EMAIL, Digits, Emails, Link, Nested, Record, Text, TrueFalse, fields
from pbxapi.plugin.dialling import NUMBER

_NUMBER = {"max": 64, "pattern": NUMBER, "expected": "a number: letters, digits and * # + . _ -"}

_DIALLED = {"max": 64, "pattern": r"[0-9*#+]+", "expected": "a number: digits and * # +"}


class Voicemail(Record):
    voicemail_uuid = fields.UUID()
    voicemail_id = Text()
    voicemail_password = Text(secret=True)
    voicemail_mail_to = Text()
    voicemail_enabled = TrueFalse()


class User(Record):
    user_uuid = fields.UUID()
    username = Text()
    full_name = Text()


class Extension(Record):
    extension_uuid = fields.UUID(dump_only=True)
    extension = Text(label="Extension number", required=True, **_NUMBER)
    number_alias = Text(load_default="", **_NUMBER)
    password = Text(max=128, secret=True, load_default="")
    effective_caller_id_name = Text(load_default="")
    effective_caller_id_number = Text(load_default="")
    outbound_caller_id_name = Text(load_default="")
    outbound_caller_id_number = Text(load_default="")
    emergency_caller_id_name = Text(load_default="")
    emergency_caller_id_number = Text(load_default="")
    directory_first_name = Text(load_default="")
    directory_last_name = Text(load_default="")
    directory_visible = TrueFalse(load_default="true")
    directory_exten_visible = TrueFalse(load_default="true")
    max_registrations = Digits(high=1000, load_default="1")
    limit_max = Digits(high=100_000, load_default="5")
    limit_destination = Text(
        max=64,
        pattern=r"![A-Z_]+|error/[a-z_]+|[0-9*#+]+",
        expected="!CAUSE, error/cause or a number",
        load_default="error/user_busy",
    )
    user_context = Text(load_default="")
    enabled = TrueFalse(load_default="true")
    description = Text(max=1000, load_default="")
    accountcode = Text(load_default="")
    toll_allow = Text(pattern=r"[0-9A-Za-z_,: -]*", expected="names separated by commas", load_default="")
    call_timeout = Digits(low=1, high=3600, load_default="30")
    call_group = Text(load_default="")
    call_screen_enabled = TrueFalse(load_default="false")
    user_record = Text(
        pattern=r"all|local|inbound|outbound|", expected="all, local, inbound or outbound", load_default=""
    )
    hold_music = Text(pattern=r"[0-9A-Za-z_./:@?=&%~ -]*", expected="the name of a stream", load_default="")
    missed_call_app = Text(pattern=r"email|text|", expected="email or text", load_default="")
    missed_call_data = Text(
        max=1000,
        pattern=rf"{EMAIL}(,{EMAIL})*|\+?[0-9]{{3,20}}",
        expected="e-mail addresses, separated by commas, or a telephone number",
        load_default="",
    )
    auth_acl = Text(pattern=r"[0-9A-Za-z_.-]*", expected="the name of an access list", load_default="")
    cidr = Text(pattern=r"[0-9A-Fa-f.:/, ]*", expected="networks separated by commas", load_default="")
    sip_force_contact = Text(pattern=r"[A-Za-z0-9-]*", expected="the name of a contact rule", load_default="")
    sip_force_expires = Digits(high=86_400 * 30, load_default="")
    nibble_account = Text(load_default="")
    mwi_account = Text(pattern=r"[0-9A-Za-z*#+._@-]*", expected="id@domain", load_default="")
    sip_bypass_media = Text(
        pattern=r"bypass-media|bypass-media-after-bridge|proxy-media|",
        expected="bypass-media, bypass-media-after-bridge or proxy-media",
        load_default="",
    )
    absolute_codec_string = Text(pattern=r"[0-9A-Za-z_.,@/ -]*", expected="codec names", load_default="")
    force_ping = TrueFalse(load_default="false")
    dial_string = Text(max=1000, variables=True, load_default="")
    do_not_disturb = TrueFalse(load_default="false")
    forward_all_enabled = TrueFalse(load_default="false")
    forward_all_destination = Text(load_default="", **_DIALLED)
    forward_busy_enabled = TrueFalse(load_default="false")
    forward_busy_destination = Text(load_default="", **_DIALLED)
    forward_no_answer_enabled = TrueFalse(load_default="false")
    forward_no_answer_destination = Text(load_default="", **_DIALLED)
    forward_user_not_registered_enabled = TrueFalse(load_default="false")
    forward_user_not_registered_destination = Text(load_default="", **_DIALLED)
    follow_me_enabled = TrueFalse(load_default="false")
    extension_language = Text(max=16, pattern=r"[A-Za-z-]*", expected="a language code", load_default="")
    extension_dialect = Text(max=16, pattern=r"[A-Za-z-]*", expected="a dialect code", load_default="")
    extension_voice = Text(max=32, pattern=r"[0-9A-Za-z_-]*", expected="the name of a voice", load_default="")
    extension_type = Text(pattern=r"default|virtual|", expected="default or virtual", load_default="default")
    user_uuid = Link("v_users", "user_uuid", load_only=True, load_default="")
    voicemail_enabled = TrueFalse(load_only=True, load_default="false")
    voicemail_password = Text(
        max=32, pattern=r"[0-9]+", expected="digits", secret=True, load_only=True, load_default=""
    )
    voicemail_mail_to = Emails(load_only=True, load_default="")
    voicemail = Nested(Voicemail, dump_only=True)
    user = Nested(User, dump_only=True)
