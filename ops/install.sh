#!/bin/bash
# Install pbxapi on a FusionPBX host, bring it up to date, or take it away again. Debian 12 and 13.
#
# Each step has three functions: is_STEP, whether all is as it should be; do_STEP, which makes it so; undo_STEP. What
# changes the host goes through `run` and `put`, which only print in a dry run.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

readonly BASE=/opt/pbxapi
readonly SETTINGS=/etc/pbxapi/pbxapi.env
readonly INSTALLED=/etc/pbxapi/packages

readonly STEPS=(packages users settings release role migrations command redis units link nginx fail2ban services)

usage() {
  cat <<'END'
usage: install.sh [OPTION ...]

Installs pbxapi, or brings it up to date; what is in place already stays as it is.

  --from SOURCE        what to install: a folder with the sources (when left out the one that holds this script, or
                       the release that holds it), a wheel, or a name and version for pip (pbxapi==1.0.0)
  --prefix PATH        of the API's URLs; proposed when left out: /api/v1, and /pbxapi/v1 where another API answers there
  --site FILE|none     nginx's file of FusionPBX; looked for when left out. none: touch no site file
  --made-on-all-nodes  go on although the database is replicated: every node has the tables (see pbxapi migrate)
  --new-password       give the role pbxapi the password of our settings, although it has one
  --dry-run            print every step, and change nothing
  --uninstall          take everything away; FusionPBX is as it was
  --keep-data          with --uninstall: leave the settings, the role, the tables and their backups
  --help

PBXAPI_ADMIN_DATABASE_URL names an account that may grant rights, where that of FusionPBX's config.conf may not.
END
}

say() { printf '%s\n' "$*"; }
fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

# Do something that changes the host; in a dry run, only say so.
run() {
  if [ "$DRY" ]; then say "      $*"; else "$@"; fi
}

# Fill in a template of ours: @NAME@ becomes the value of the variable NAME.
render() {
  local pattern=${PREFIX//./\\\\.}
  sed -e "s|@PREFIX_PATTERN@|$pattern|g" -e "s|@PREFIX@|$PREFIX|g" \
    -e "s|@RECORDINGS@|$RECORDINGS|g" -e "s|@VOICEMAIL@|$VOICEMAIL|g" \
    -e "s|@SWITCH_USER@|$SWITCH_USER|g" -e "s|@SWITCH_GROUP@|$SWITCH_GROUP|g" "$HERE/$1"
}

# The files of a step, a line each: template, place, mode, group.
same_files() {
  local template place mode group
  while read -r template place mode group; do
    [ -f "$place" ] && render "$template" | cmp -s - "$place" && [ "$(stat -c '%a %G' "$place")" = "$mode $group" ] ||
      return 1
  done
}
put_files() {
  local template place mode group
  while read -r template place mode group; do
    if [ "$DRY" ]; then
      say "      write $place"
      continue
    fi
    mkdir -p "$(dirname "$place")"
    render "$template" >"$place.new"
    chmod "$mode" "$place.new"
    chgrp "$group" "$place.new"
    mv "$place.new" "$place"
  done
}
remove_files() {
  local template place rest
  while read -r template place rest; do
    if [ -e "$place" ]; then run rm -f "$place"; fi
  done
}

systemd_runs() { [ -d /run/systemd/system ]; }
systemctl_if_it_runs() {
  if systemd_runs; then run systemctl "$@"; fi
}

# A value of FusionPBX's config.conf, which is read and never written.
conf() {
  sed -n "s/^[[:space:]]*${1//./\\.}[[:space:]]*=[[:space:]]*//p" "$CONF" | sed 's/[[:space:]]*$//' | head -n 1
}

## What there is

look_around() {
  local place
  CONF=
  for place in /etc/fusionpbx/config.conf /usr/local/etc/fusionpbx/config.conf; do
    if [ -z "$CONF" ] && [ -f "$place" ]; then CONF=$place; fi
  done
  [ "$CONF" ] || fail "there is no FusionPBX here: no /etc/fusionpbx/config.conf"
  RECORDINGS=$(conf switch.recordings.dir)
  VOICEMAIL=$(conf switch.voicemail.dir)
  RECORDINGS=${RECORDINGS:-/var/lib/freeswitch/recordings}
  VOICEMAIL=${VOICEMAIL:-/var/lib/freeswitch/storage/voicemail}
  find_switch_user
  find_site
  find_prefix
  find_source
}

# The worker runs as FreeSWITCH does: its process says who that is, else the owner of its folder.
find_switch_user() {
  local pid
  pid=$(pgrep -o -x freeswitch || true)
  if [ "$pid" ]; then
    SWITCH_USER=$(stat -c %U "/proc/$pid")
    SWITCH_GROUP=$(stat -c %G "/proc/$pid")
  elif [ -d /var/lib/freeswitch ]; then
    SWITCH_USER=$(stat -c %U /var/lib/freeswitch)
    SWITCH_GROUP=$(stat -c %G /var/lib/freeswitch)
  else
    SWITCH_USER=www-data SWITCH_GROUP=www-data
  fi
  # As root its files could not be changed by FusionPBX.
  if [ "$SWITCH_USER" = root ]; then SWITCH_USER=www-data SWITCH_GROUP=www-data; fi
}

is_fspbx() {
  [ -e /var/www/fspbx/artisan ] || [ -e /var/www/freeswitchpbx/artisan ] ||
    [ -e /etc/nginx/sites-enabled/fspbx.conf ] || [[ $(conf document.root) == *fspbx* ]]
}

# What says that /api/v1 is another API's; nothing where nothing does.
sign_of_another_api() {
  local root place
  if is_fspbx; then say "FS PBX has an API of its own there" && return; fi
  root=$(conf document.root)
  for place in "$root/api/index.php" "$root/app/api" /etc/systemd/system/api.service; do
    if [ -e "$place" ]; then say "there is $place" && return; fi
  done
  another_api_answers_at /api/v1
}

# Ask nginx for a prefix that is not ours yet.
another_api_answers_at() {
  if [ "$SITE" = none ] || grep -qsF "location ^~ $1/ {" /etc/nginx/snippets/pbxapi.conf; then return; fi
  if ! command -v python3 >/dev/null; then
    say "python3 is missing: whether another API answers at $1 was not asked" >&2
  else
    python3 -I "$HERE/nginx/include.py" places "$SITE" | python3 -I "$HERE/nginx/answers.py" "$1" || true
  fi
}

find_prefix() {
  local set='' sign=''
  if [ -r "$SETTINGS" ]; then set=$(sed -n 's/^PBXAPI_URL_PREFIX=//p' "$SETTINGS"); fi
  if [ "$UNINSTALL" ] || { [ "$set" ] && [ "${PREFIX:-$set}" = "$set" ]; }; then
    PREFIX=${set:-/api/v1}
  elif [ -z "$PREFIX" ]; then
    PREFIX=/api/v1
    sign=$(sign_of_another_api)
    if [ "$sign" ]; then
      PREFIX=/pbxapi/v1
      say "the prefix is $PREFIX, as /api/v1 is another API's: $sign (choose another by --prefix)"
    fi
  elif [ "$PREFIX" = /api/v1 ] && [ "$SITE" != none ] && is_fspbx; then
    fail "FS PBX has an API of its own at /api/v1: choose another --prefix"
  else
    check_prefix
    sign=$(another_api_answers_at "$PREFIX")
    if [ "$sign" ]; then say "what is below $PREFIX becomes pbxapi's, though another API is there: $sign"; fi
  fi
  check_prefix
}
check_prefix() {
  [[ $PREFIX =~ ^(/[A-Za-z0-9._-]+)+$ ]] || fail "--prefix must be a path such as /api/v1, not $PREFIX"
}

find_site() {
  local place
  if [ -z "$SITE" ]; then
    for place in fusionpbx fspbx.conf fspbx freeswitchpbx.conf; do
      if [ -z "$SITE" ] && [ -f "/etc/nginx/sites-enabled/$place" ]; then SITE=/etc/nginx/sites-enabled/$place; fi
    done
    [ "$SITE" ] || fail "nginx has no site file of FusionPBX in /etc/nginx/sites-enabled: name it by --site, or --site none"
  elif [ "$SITE" != none ]; then
    [ -f "$SITE" ] || fail "--site: there is no file $SITE"
  fi
}

# RELEASE names the folder of what is to be installed; the same source has the same name.
find_source() {
  local version digest
  if [ "$UNINSTALL" ]; then return; fi
  if [ -z "$SOURCE" ] && [ -e "$HERE/../.complete" ]; then
    RELEASE=$(realpath "$HERE/..")
    return
  fi
  if [ -z "$SOURCE" ] && [ ! -f "$HERE/../pyproject.toml" ]; then
    fail "this script does not lie in the sources of pbxapi: name what to install by --from"
  fi
  SOURCE=${SOURCE:-$(dirname "$HERE")}
  [ -f "$HERE/../uv.lock" ] || fail "there is no uv.lock beside $HERE: unpack the whole source archive"
  if [ -d "$SOURCE" ]; then
    [ -f "$SOURCE/pyproject.toml" ] || fail "--from: $SOURCE does not hold the sources of pbxapi"
    version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$SOURCE/pbxapi/__init__.py")
    digest=$(cd "$SOURCE" && find pbxapi plugins sql ops pyproject.toml -type f ! -name '*.pyc' -print0 |
      LC_ALL=C sort -z | xargs -0 cat uv.lock | sha256sum)
  elif [ -f "$SOURCE" ]; then
    [[ $SOURCE == *.whl ]] || fail "--from: $SOURCE is neither a folder nor a wheel"
    version=$(basename "$SOURCE" | cut -d- -f2)
    digest=$(cat "$HERE/../uv.lock" "$SOURCE" | sha256sum)
  else
    [[ $SOURCE == pbxapi==* ]] || fail "--from: there is no $SOURCE, and it does not read pbxapi==VERSION"
    version=${SOURCE#pbxapi==}
    digest=$(cat "$HERE/../uv.lock" - <<<"$SOURCE" | sha256sum)
  fi
  RELEASE=$BASE/releases/$version-${digest:0:12}
}

# pbxapi's command, with rights to everything.
pbxapi() { "$RELEASE/bin/pbxapi" "$@"; }

## Debian's packages

what_packages() { say "Debian's packages"; }
needed_packages() {
  local wanted=(python3-venv python3-dev g++ redis-server ca-certificates)
  if [ -d /etc/fail2ban ]; then wanted+=(python3-systemd); fi
  local package
  for package in "${wanted[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || say "$package"
  done
}
is_packages() { [ -z "$(needed_packages)" ]; }
do_packages() {
  local packages before
  mapfile -t packages < <(needed_packages)
  before=$(dpkg-query -W -f '${Package}\n' | sort)
  # The package starts an instance on port 6379, which nobody here needs.
  if [[ " ${packages[*]} " == *' redis-server '* ]]; then run ln -sf /dev/null /etc/systemd/system/redis-server.service; fi
  run apt-get update -q
  run env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${packages[@]}"
  if [ "$DRY" ]; then return; fi
  mkdir -p "$(dirname "$INSTALLED")"
  dpkg-query -W -f '${Package}\n' | sort | comm -13 <(say "$before") - >>"$INSTALLED"
}
undo_packages() {
  local packages lost
  if [ ! -f "$INSTALLED" ]; then return; fi
  mapfile -t packages < <(grep -xFf "$INSTALLED" <(dpkg-query -W -f '${Package}\n') || true)
  if [ "${#packages[@]}" -gt 0 ]; then
    # Others may have come to need what came for us.
    lost=$(apt-get -s purge "${packages[@]}" | awk '/^(Purg|Remv) /{print $2}' | grep -vxFf "$INSTALLED" || true)
    if [ "$lost" ]; then
      say "      left, because $(say "$lost" | tr '\n' ' ')need some of them: ${packages[*]}"
    else
      run env DEBIAN_FRONTEND=noninteractive apt-get purge -qy "${packages[@]}"
    fi
  fi
  if [ "$(readlink /etc/systemd/system/redis-server.service || true)" = /dev/null ]; then
    run rm -f /etc/systemd/system/redis-server.service
  fi
  run rm -f "$INSTALLED"
}

## The user of the web process

what_users() { say "user and group pbxapi"; }
is_users() { getent passwd pbxapi >/dev/null && getent group pbxapi >/dev/null; }
do_users() {
  run useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin pbxapi
}
undo_users() {
  if getent passwd pbxapi >/dev/null; then run userdel pbxapi; fi
}

## Our settings: made once, the operator's from then on

what_settings() { say "settings in $SETTINGS"; }
is_settings() { [ -f "$SETTINGS" ] && grep -qxF "PBXAPI_URL_PREFIX=$PREFIX" "$SETTINGS"; }
do_settings() {
  if [ "$DRY" ]; then
    say "      write $SETTINGS"
    return
  fi
  RELOAD=yes
  if [ -f "$SETTINGS" ]; then
    sed -i '/^PBXAPI_URL_PREFIX=/d' "$SETTINGS"
    say "PBXAPI_URL_PREFIX=$PREFIX" >>"$SETTINGS"
    return
  fi
  mkdir -p "$(dirname "$SETTINGS")"
  touch "$SETTINGS"
  chmod 640 "$SETTINGS"
  chgrp pbxapi "$SETTINGS"
  cat >"$SETTINGS" <<END
# pbxapi's settings, for its services and its command: docs/operators.md. After a change:
#   systemctl reload pbxapi-api; systemctl restart pbxapi-worker pbxapi-jobs
PBXAPI_DATABASE_URL=$(database_url "$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')")
PBXAPI_REDIS_URL=unix:///run/redis-pbxapi/redis-server.sock?db=0
PBXAPI_BIND=unix:/run/pbxapi/api.sock
PBXAPI_TRUSTED_PROXIES=1
PBXAPI_ACCEL=true
PBXAPI_URL_PREFIX=$PREFIX
END
}
database_url() {
  local host port ssl
  host=$(conf database.0.host) port=$(conf database.0.port) ssl=$(conf database.0.sslmode)
  say "postgresql://pbxapi:$1@${host:-127.0.0.1}:${port:-5432}/$(conf database.0.name)?sslmode=${ssl:-prefer}"
}
undo_settings() {
  if [ "$KEEP_DATA" ]; then return; fi
  if [ -e "$SETTINGS" ]; then run rm -f "$SETTINGS"; fi
  if [ -d /etc/pbxapi ]; then run rmdir --ignore-fail-on-non-empty /etc/pbxapi; fi
}

## A folder for each release, so that one that runs keeps its files

what_release() { say "the release in ${RELEASE:-$BASE}"; }
is_release() { [ -e "$RELEASE/.complete" ]; }
do_release() {
  local uv=$BASE/tools/bin/uv project wheel
  if [ "$DRY" ]; then
    say "      python3 -m venv $RELEASE"
    say "      install what uv.lock names, and pbxapi from $SOURCE"
    return
  fi
  rm -rf "$RELEASE"
  mkdir -p "$RELEASE"
  WORK=$(mktemp -d)
  export UV_CACHE_DIR=$WORK/cache UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
  if [ ! -x "$uv" ]; then
    python3 -m venv "$BASE/tools"
    "$BASE/tools/bin/pip" install --quiet --disable-pip-version-check 'uv>=0.8.4'
  fi
  project=$WORK/project
  mkdir "$project"
  cp "$HERE/../pyproject.toml" "$HERE/../uv.lock" "$HERE/../README.md" "$project"
  python3 -m venv --without-pip "$RELEASE"
  # Exactly the versions, and the files, that were tested together.
  (cd "$project" && UV_PROJECT_ENVIRONMENT=$RELEASE "$uv" sync --quiet --frozen --no-default-groups \
    --no-install-project --compile-bytecode --python "$RELEASE/bin/python")
  if [ -d "$SOURCE" ]; then
    # A build writes beside what it builds.
    mkdir "$WORK/source"
    (cd "$SOURCE" && cp -r pbxapi plugins sql ops pyproject.toml README.md LICENSE "$WORK/source")
    "$uv" build --quiet --wheel --python "$RELEASE/bin/python" --out-dir "$WORK/wheel" "$WORK/source"
    wheel=$(echo "$WORK"/wheel/*.whl)
  else
    wheel=$SOURCE
  fi
  "$uv" pip install --quiet --no-deps --compile-bytecode --python "$RELEASE/bin/python" "$wheel"
  mkdir "$RELEASE/docs"
  cp -r "$HERE" "$RELEASE/ops"
  cp "$HERE/../docs/operators.md" "$RELEASE/docs" 2>/dev/null || true
  cp "$HERE/../pyproject.toml" "$HERE/../uv.lock" "$HERE/../README.md" "$RELEASE"
  rm -rf "$WORK"
  touch "$RELEASE/.complete"
}
undo_release() {
  if [ -e "$BASE" ]; then run rm -rf "$BASE"; fi
}

## The role of the services, and its rights

what_role() { say "role pbxapi with the least rights"; }
is_role() {
  [ -e "$RELEASE/.complete" ] && "$RELEASE/bin/python" "$HERE/database.py" login && pbxapi rights >/dev/null 2>&1
}
do_role() {
  run "$RELEASE/bin/pbxapi" rights --apply
  if [ -z "$DRY" ] && "$RELEASE/bin/python" "$HERE/database.py" login; then return; fi
  run "$RELEASE/bin/python" "$HERE/database.py" password ${NEW_PASSWORD:+anew}
}
undo_role() {
  if [ "$KEEP_DATA" ] || [ ! -x "$BASE/current/bin/python" ]; then return; fi
  run "$BASE/current/bin/python" "$HERE/database.py" drop
}

what_migrations() { say "tables in schema pbxapi"; }
is_migrations() { [ -e "$RELEASE/.complete" ] && "$RELEASE/bin/python" "$HERE/database.py" migrated; }
do_migrations() {
  # A release that would leave out a plugin does not take the place of one that may serve it.
  run "$RELEASE/bin/pbxapi" migrate ${ON_ALL_NODES:+--made-on-all-nodes} ||
    fail "nothing was taken out of service. A plugin that is not migrated: mend it, or take it off, and run this again"
  # What new tables of plugins need.
  run "$RELEASE/bin/pbxapi" rights --apply
}
undo_migrations() { :; }

## Files

what_command() { say "the command /usr/local/bin/pbxapi"; }
command_files() { echo pbxapi /usr/local/bin/pbxapi 755 root; }
is_command() { same_files < <(command_files); }
do_command() { put_files < <(command_files); }
undo_command() { remove_files < <(command_files); }

what_redis() { say "a Redis of its own: redis-server@pbxapi"; }
redis_files() {
  echo redis/redis-pbxapi.conf /etc/redis/redis-pbxapi.conf 640 pbxapi
  echo redis/pbxapi.conf /etc/systemd/system/redis-server@pbxapi.service.d/pbxapi.conf 644 root
}
is_redis() { same_files < <(redis_files); }
do_redis() {
  put_files < <(redis_files)
  systemctl_if_it_runs daemon-reload
  systemctl_if_it_runs try-restart redis-server@pbxapi.service
}
undo_redis() {
  remove_files < <(redis_files)
  if [ -d /etc/systemd/system/redis-server@pbxapi.service.d ]; then
    run rmdir --ignore-fail-on-non-empty /etc/systemd/system/redis-server@pbxapi.service.d
  fi
  if [ -d /var/lib/redis-pbxapi ]; then run rm -rf /var/lib/redis-pbxapi; fi
  systemctl_if_it_runs daemon-reload
}

what_units() { say "units pbxapi-api, pbxapi-worker, pbxapi-jobs, pbxapi-backup"; }
unit_files() {
  local unit
  for unit in pbxapi-api.socket pbxapi-api.service pbxapi-worker.service pbxapi-jobs.service \
    pbxapi-backup.service pbxapi-backup.timer; do
    echo "systemd/$unit" "/etc/systemd/system/$unit" 644 root
  done
}
is_units() { same_files < <(unit_files); }
do_units() {
  # A reload keeps the rights that the service was started with.
  if [ -e /etc/systemd/system/pbxapi-api.service ]; then RELOAD=restart; fi
  put_files < <(unit_files)
  systemctl_if_it_runs daemon-reload
}
undo_units() {
  remove_files < <(unit_files)
  if [ -z "$KEEP_DATA" ] && [ -d /var/backups/pbxapi ]; then run rm -rf /var/backups/pbxapi; fi
  systemctl_if_it_runs daemon-reload
}

what_link() { say "the link $BASE/current to it"; }
is_link() { [ "$(readlink "$BASE/current" || true)" = "$RELEASE" ]; }
do_link() {
  RELOAD=${RELOAD:-yes}
  run ln -sfn "$RELEASE" "$BASE/next"
  run mv -T "$BASE/next" "$BASE/current"
  if [ "$DRY" ]; then return; fi
  # This one and the last one stay.
  find "$BASE/releases" -mindepth 1 -maxdepth 1 -printf '%T@ %p\n' | sort -rn | tail -n +3 | cut -d' ' -f2- |
    xargs -r rm -rf
}
undo_link() { :; }

## nginx

what_nginx() { say "nginx: upstream, snippets, and a line in ${SITE}"; }
nginx_files() {
  echo nginx/conf.d.conf /etc/nginx/conf.d/pbxapi.conf 644 root
  echo nginx/proxy.conf /etc/nginx/snippets/pbxapi-proxy.conf 644 root
  echo nginx/plain.conf /etc/nginx/snippets/pbxapi-plain.conf 644 root
  echo nginx/snippet.conf /etc/nginx/snippets/pbxapi.conf 644 root
}
site() { python3 -I "$HERE/nginx/include.py" "$1" "$SITE"; }
nginx_takes_it() {
  if command -v nginx >/dev/null; then nginx -t -q; fi
}
reload_nginx() {
  if systemd_runs; then
    run systemctl try-reload-or-restart nginx
  elif [ -s /run/nginx.pid ]; then
    run nginx -s reload
  fi
}
is_nginx() {
  same_files < <(nginx_files) && { [ "$SITE" = none ] || site show | cmp -s - "$SITE"; }
}
do_nginx() {
  if [ "$DRY" ]; then
    put_files < <(nginx_files)
    if [ "$SITE" != none ] && command -v python3 >/dev/null; then
      { site show | diff "$SITE" - || true; } | sed -n 's/^>/      add to the site file:/p'
    fi
    say "      nginx -t, and a reload"
    return
  fi
  nginx_takes_it || fail "nginx -t fails already: mend that first"
  WORK=$(mktemp -d)
  tar -cPf "$WORK/before.tar" /etc/nginx
  put_files < <(nginx_files)
  if { [ "$SITE" = none ] || site add >/dev/null; } && nginx_takes_it; then
    rm -rf "$WORK"
    reload_nginx
    return
  fi
  remove_files < <(nginx_files)
  tar -xPf "$WORK/before.tar"
  rm -rf "$WORK"
  fail "nginx does not take it, and has its files as before"
}
undo_nginx() {
  if [ "$SITE" != none ] && [ -f "$SITE" ] && grep -q snippets/pbxapi "$SITE"; then
    if [ "$DRY" ]; then say "      take our lines out of $SITE"; else site remove >/dev/null; fi
  fi
  remove_files < <(nginx_files)
  if ! [ "$DRY" ] && ! nginx_takes_it; then fail "nginx -t fails: see what else includes pbxapi's files"; fi
  reload_nginx
  if ls /var/log/nginx/pbxapi.log* >/dev/null 2>&1; then run rm -f /var/log/nginx/pbxapi.log*; fi
}

## fail2ban, where it is

what_fail2ban() { say "fail2ban: a jail for guessed keys"; }
fail2ban_files() {
  echo fail2ban/filter.conf /etc/fail2ban/filter.d/pbxapi.conf 644 root
  echo fail2ban/jail.conf /etc/fail2ban/jail.d/pbxapi.local 644 root
}
reload_fail2ban() {
  if systemd_runs && systemctl -q is-active fail2ban; then run systemctl reload fail2ban; fi
}
is_fail2ban() { [ ! -d /etc/fail2ban ] || same_files < <(fail2ban_files); }
do_fail2ban() {
  put_files < <(fail2ban_files)
  reload_fail2ban
}
undo_fail2ban() {
  remove_files < <(fail2ban_files)
  reload_fail2ban
}

## Running

readonly UNITS=(redis-server@pbxapi.service pbxapi-api.socket pbxapi-api.service pbxapi-worker.service
  pbxapi-jobs.service pbxapi-backup.timer)
what_services() { say "services enabled$(systemd_runs && say ' and running')"; }
is_services() {
  [ -z "$RELOAD" ] && systemctl -q is-enabled "${UNITS[@]}" 2>/dev/null && { ! systemd_runs || systemctl -q is-active "${UNITS[@]}"; }
}
do_services() {
  local before
  run systemctl -q enable "${UNITS[@]}"
  if ! systemd_runs; then
    say "      systemd does not run here: nothing is started"
    return
  fi
  before=$(systemctl show -p MainPID --value pbxapi-api.service)
  if [ "$RELOAD" = restart ]; then
    # Callers wait at the socket meanwhile.
    run systemctl try-restart pbxapi-api.service
  elif [ "$RELOAD" ] && systemctl -q is-active pbxapi-api.service; then
    run systemctl reload pbxapi-api.service
    run wait_for_reload "$before"
  fi
  if [ "$RELOAD" ]; then run systemctl try-restart pbxapi-worker.service pbxapi-jobs.service; fi
  run systemctl start "${UNITS[@]}"
  if [ ! -d /var/backups/pbxapi ]; then run systemctl start pbxapi-backup.service; fi
  RELOAD=
}
wait_for_reload() {
  local _
  for _ in $(seq 60); do
    if [ "$(systemctl show -p MainPID --value pbxapi-api.service)" != "$1" ]; then return; fi
    sleep 1
  done
  fail "the API goes on as it was: it could not start anew (journalctl -u pbxapi-api)"
}
undo_services() {
  local place unit
  for ((place = ${#UNITS[@]} - 1; place >= 0; place--)); do
    unit=${UNITS[place]}
    if systemctl -q is-enabled "$unit" 2>/dev/null; then run systemctl -q disable "$unit"; fi
    if systemd_runs && systemctl -q is-active "$unit"; then run systemctl stop "$unit"; fi
  done
}

## The way through

install() {
  local step changed=
  for step in "${STEPS[@]}"; do
    if "is_$step"; then
      say "ok    $("what_$step")"
      continue
    fi
    say "do    $("what_$step")"
    changed=yes
    "do_$step"
    if [ -z "$DRY" ] && ! "is_$step"; then fail "this step did not succeed: $("what_$step")"; fi
  done
  if [ "$DRY" ]; then
    say "nothing was changed: this was a dry run"
  elif [ -z "$changed" ]; then
    say "nothing to do: everything is in place"
  else
    say "done. A key: pbxapi keys create NAME --every-domain --scope '*'. How everything is: pbxapi doctor"
  fi
}

uninstall() {
  local place
  for ((place = ${#STEPS[@]} - 1; place >= 0; place--)); do
    say "undo  $("what_${STEPS[place]}")"
    "undo_${STEPS[place]}"
  done
  # What the first steps keep in the folder of the settings is gone only now.
  undo_settings
  if [ "$DRY" ]; then say "nothing was changed: this was a dry run"; else say "done"; fi
}

main() {
  SOURCE='' PREFIX='' SITE='' DRY='' UNINSTALL='' KEEP_DATA='' ON_ALL_NODES='' NEW_PASSWORD='' RELOAD='' RELEASE=''
  while [ $# -gt 0 ]; do
    case $1 in
    --from | --prefix | --site)
      [ $# -gt 1 ] || fail "$1 wants a value"
      case $1 in --from) SOURCE=$2 ;; --prefix) PREFIX=$2 ;; --site) SITE=$2 ;; esac
      shift
      ;;
    --made-on-all-nodes) ON_ALL_NODES=yes ;;
    --new-password) NEW_PASSWORD=yes ;;
    --dry-run) DRY=yes ;;
    --uninstall) UNINSTALL=yes ;;
    --keep-data) KEEP_DATA=yes ;;
    --help | -h)
      usage
      exit
      ;;
    *)
      usage >&2
      exit 2
      ;;
    esac
    shift
  done
  [ "$(id -u)" = 0 ] || [ "$DRY" ] || fail "this must be run as root"
  if [ -e "$SOURCE" ]; then SOURCE=$(realpath "$SOURCE"); fi
  umask 022
  look_around
  if [ "$UNINSTALL" ]; then uninstall; else install; fi
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  main "$@"
  exit
fi
