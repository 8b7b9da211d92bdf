#!/usr/bin/env bash
# Builds the virtual radio, a SoapySDR driver (docs/guide/virtual-radio.md), into build/virtual-radio if it is not there or its
# sources have changed. Needs the Debian packages cmake, g++ and libsoapysdr-dev. Called by `make virtual-radio` and setup.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

SOURCE=gr_jscc/radio/virtual
BUILD=build/virtual-radio
LOG=$BUILD/build.log

STAMP=$({ cat "$SOURCE"/CMakeLists.txt "$SOURCE"/*.[ch]pp; echo "$PWD"
          dpkg-query -W -f='${Version}' libsoapysdr-dev 2>/dev/null || true; } | sha256sum)
[[ $(cat "$BUILD/stamp" 2>/dev/null) != "$STAMP" ]] || exit 0

for tool in cmake g++; do
  command -v "$tool" >/dev/null || { echo "the virtual radio needs $tool: sudo apt-get install cmake g++ libsoapysdr-dev" >&2; exit 1; }
done
echo "==> Building the virtual radio"
mkdir -p "$BUILD"
configure() { cmake -S "$SOURCE" -B "$BUILD"; }
# A CMake cache of another folder or of a removed compiler does not configure; without it CMake starts afresh.
if ! { { configure || { rm -rf "$BUILD/CMakeCache.txt" "$BUILD/CMakeFiles"; configure; }; } &&
       cmake --build "$BUILD" --parallel 2; } >"$LOG" 2>&1; then
  grep -m 3 -E 'error|Error' "$LOG" >&2 || tail -n 3 "$LOG" >&2
  echo "the virtual radio could not be built; full log: $LOG" >&2
  exit 1
fi
echo "$STAMP" > "$BUILD/stamp"
