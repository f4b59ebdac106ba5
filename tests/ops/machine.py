"""A machine with Debian and systemd: made by debootstrap, booted by systemd-nspawn, and forgotten afterwards."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

SOURCES = Path(__file__).parents[2]

BEFORE_US = (
    "systemd systemd-sysv dbus nginx postgresql fail2ban python3-systemd iptables openssl ca-certificates procps "
    "ssl-cert rsyslog"
)
"""What FusionPBX's installer has put on a host, as far as we meet it; no Redis, no curl."""

NOT_COMPARED = (
    "dev", "proc", "run", "sys", "tmp", "src", "root", "var/tmp", "var/cache", "var/log", "var/lib/apt",
    "var/lib/dpkg", "var/lib/postgresql", "var/lib/systemd", "var/lib/fail2ban", "var/lib/nginx",
    "var/lib/rsyslog",
)  # fmt: skip
"""What a running machine writes into by itself, and where Debian's tools keep what they know."""


def missing() -> str:
    """Why there can be no machine here; empty where there can."""
    if os.geteuid() != 0:
        return "a machine needs root"
    programs = [p for p in ("debootstrap", "systemd-nspawn", "nsenter") if shutil.which(p) is None]
    return f"not installed here: {', '.join(programs)} (Debian: apt install debootstrap systemd-container)" * bool(
        programs
    )


def root_of(suite: str) -> Path:
    """A root of a Debian release with what FusionPBX brings, made where it is missing."""
    kept = Path(os.environ.get("PBXAPI_INSTALL_ROOTS", "/var/tmp/pbxapi-install")) / suite
    if (kept / ".made").exists():
        return kept
    shutil.rmtree(kept, ignore_errors=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["debootstrap", "--variant=minbase", suite, kept], check=True)
    (kept / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (kept / "usr/sbin/policy-rc.d").chmod(0o755)
    install = f"apt-get update && apt-get install -y --no-install-recommends {BEFORE_US} && apt-get clean"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    subprocess.run(["chroot", kept, "sh", "-c", install], env=environment, check=True)
    (kept / "usr/sbin/policy-rc.d").unlink()
    for cluster in kept.glob("etc/postgresql/*/main/postgresql.conf"):
        # Debian takes another one where this machine has a server of its own.
        cluster.write_text(re.sub(r"^port = .*", "port = 5432", cluster.read_text(), flags=re.M))
    (kept / "etc/nginx/sites-enabled/default").unlink()
    (kept / ".made").touch()
    return kept


class Machine:
    """Booted at the beginning of the block, and gone at its end. It shares the network of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._log = tempfile.NamedTemporaryFile(prefix="pbxapi-machine-")  # noqa: SIM115

    def __enter__(self) -> Machine:
        self._nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "-D", self._root, "--volatile=overlay", "--boot", "--register=no",
             "--keep-unit", "--console=pipe", f"--bind-ro={SOURCES}:/src",
             "--bind-ro=/etc/ssl/certs/ca-certificates.crt:/run/host-certificates.crt"],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )  # fmt: skip
        end = time.monotonic() + 120
        while True:
            children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
            if children:
                self._pid = int(children[0])
                if self._up():
                    return self
            if self._nspawn.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise RuntimeError(f"the machine does not boot:\n{Path(self._log.name).read_text()}")
            time.sleep(0.3)

    def __exit__(self, *_: object) -> None:
        if self._nspawn.poll() is None:
            self._nspawn.send_signal(signal.SIGTERM)
            try:
                self._nspawn.wait(60)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        self._log.close()

    def _up(self) -> bool:
        state = self.run("systemctl is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    @property
    def files(self) -> Path:
        """Its file system, from outside."""
        return Path(f"/proc/{self._pid}/root")

    def run(self, script: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A shell script in it, as root."""
        certificates = "/run/host-certificates.crt"
        done = subprocess.run(
            ["nsenter", "-t", str(self._pid), "-a", "/usr/bin/env", "-i",
             "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
             "LC_ALL=C.UTF-8", "HOME=/root", f"SSL_CERT_FILE={certificates}", f"PIP_CERT={certificates}",
             "bash", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        assert done.returncode == 0 or not check, f"{script}: {done.returncode}\n{done.stdout[-6000:]}"
        return done

    def put(self, place: str, text: str, mode: int = 0o644) -> None:
        """Write a file, its folders too."""
        path = self.files / place.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def tree(self) -> dict[str, str]:
        """Every file of it: mode, owner, and its content's hash or its target."""
        found = {}
        top = str(self.files)
        for folder, folders, files in os.walk(top):
            below = os.path.relpath(folder, top)
            folders[:] = [f for f in folders if os.path.normpath(f"{below}/{f}") not in NOT_COMPARED]
            for name in (*files, *folders):
                path = Path(folder, name)
                state = path.lstat()
                if path.is_symlink():
                    content = str(path.readlink())
                elif path.is_file():
                    content = hashlib.sha256(path.read_bytes()).hexdigest()
                else:
                    content = ""
                place = os.path.normpath(f"{below}/{name}")
                found[place] = f"{state.st_mode:o} {state.st_uid}:{state.st_gid} {content}"
        return found
