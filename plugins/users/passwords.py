"""Passwords: the rules that FusionPBX's settings make, and the form in which its login takes them."""

from __future__ import annotations

import re

import bcrypt

from pbxapi.plugin import Call, invalid

_LENGTH = "users/password_length"
_RULES = {
    "users/password_number": (r"[0-9]", "a number"),
    "users/password_lowercase": (r"[a-z]", "a lower-case letter"),
    "users/password_uppercase": (r"[A-Z]", "an upper-case letter"),
    "users/password_special": (r"[^0-9A-Za-z_]", "a special character"),
}
PASSWORD_SETTINGS = (_LENGTH, *_RULES)
_DEFAULT_LENGTH = 12
"""Where FusionPBX's setting is missing."""


def check_password(call: Call, password: str) -> None:
    """Refuse a password that FusionPBX's user page would refuse.

    Raises:
        ApiError: 400 with the first rule that it breaks.
    """
    settings = call.settings(*PASSWORD_SETTINGS)
    length = settings.number(_LENGTH)
    length = _DEFAULT_LENGTH if length is None else length
    if len(password) < length:
        raise invalid(f"Password must have at least {length} characters", "password")
    for setting, (pattern, what) in _RULES.items():
        if settings.on(setting) and not re.search(pattern, password):
            raise invalid(f"Password must have {what}", "password")


def hash_password(password: str) -> str:
    """The bcrypt hash that PHP's password_hash makes at FusionPBX's cost.

    With another prefix or cost FusionPBX would hash it again at the next login, and add the user to the group
    "user" on that occasion (core/authentication/resources/classes/plugins/database.php).
    """
    made = bcrypt.hashpw(password.encode(), bcrypt.gensalt(10)).decode()
    return made.replace("$2b$", "$2y$", 1)
