"""Run a command that ends when the process that started it ends.

A script of its own, because only the child can ask for this, and because it must be asked for after the
change of user, which clears it; exec keeps it (prctl(2), PR_SET_PDEATHSIG).

    python -I -S leash.py PARENT-PID SIGNAL UID GID COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, signal: int, uid: int, gid: int, command: list[str]) -> None:
    """Become the command, as that user.

    Raises:
        OSError: the user, the leash or the command is refused.
    """
    if uid != os.geteuid():
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it died before the leash was on
        return
    os.execv(command[0], command)


if __name__ == "__main__":
    parent, signal, uid, gid = map(int, sys.argv[1:5])
    main(parent, signal, uid, gid, sys.argv[5:])
