#!/bin/bash
# Install pbxapi on a FusionPBX host, bring it up to date, or take it away again. Debian 12 and 13; see docs/operators.md.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Where things are put. ROOT is for tests of single steps only.
readonly HOME_DIR=/opt/pbxapi
readonly SETTINGS=/etc/pbxapi/pbxapi.env

# Fill in a template of ours: @NAME@ becomes the value of the variable NAME.
render() {
  local pattern=${PREFIX//./\\\\.}
  sed -e "s|@PREFIX_PATTERN@|$pattern|g" -e "s|@PREFIX@|$PREFIX|g" \
    -e "s|@RECORDINGS@|$RECORDINGS|g" -e "s|@VOICEMAIL@|$VOICEMAIL|g" \
    -e "s|@SWITCH_USER@|$SWITCH_USER|g" -e "s|@SWITCH_GROUP@|$SWITCH_GROUP|g" "$HERE/$1"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  main "$@"
fi
