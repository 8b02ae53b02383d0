#!/usr/bin/env bash
# install_interfaces.sh VENV BUILD: builds the interfaces and installs them into VENV, with bin/or_spatial and one .pth
# to this checkout, whose modules stay where they are. Silent unless something fails; files of an earlier installation
# that are no longer made are removed.
set -euo pipefail
venv=$1 build=$2
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
log=$build/install.log
mkdir -p "$build"

quietly() {
  "$@" >> "$log" 2>&1 || { tail -n 30 "$log" >&2; echo "failed: $* (all of it in $log)" >&2; exit 1; }
}

: > "$log"
if [ -e "$build/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$source" "$build/CMakeCache.txt"; then
  echo "$build belongs to another place: make clean, then again" >&2
  exit 1
fi
# rosidl leaves what it once generated in its build folders: after an interface went, begin again.
definitions=$(cd "$source" && ls msg/*.msg srv/*.srv action/*.action)
if [ -e "$build/definitions.txt" ] && [ "$definitions" != "$(cat "$build/definitions.txt")" ]; then
  find "$build" -mindepth 1 -maxdepth 1 ! -name installed.txt ! -name install.log -exec rm -rf {} +
fi
echo "$definitions" > "$build/definitions.txt"
before=$(mktemp)
trap 'rm -f "$before"' EXIT
[ ! -e "$build/installed.txt" ] || cp "$build/installed.txt" "$before"

quietly cmake -G Ninja -S "$source" -B "$build" --log-level=WARNING -Wno-dev \
  -DCMAKE_INSTALL_PREFIX="$venv" -DCMAKE_PREFIX_PATH="$venv" -DPython3_EXECUTABLE="$venv/bin/python" \
  -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DOR_SPATIAL_UNITY_BUILD=ON \
  -DOR_SPATIAL_INSTALL_PYTHON=OFF -DOR_SPATIAL_INSTALL_COMMAND=ON \
  -DOR_SPATIAL_PYTHON="$venv/bin/python"
quietly cmake --build "$build"
# pip must not believe that it owns what CMake is about to install.
if compgen -G "$venv/lib/python3*/site-packages/or_spatial-*.dist-info" > /dev/null; then
  quietly "$venv/bin/python" -m pip uninstall -y or_spatial
fi
quietly cmake --install "$build"
LC_ALL=C sort "$build/install_manifest.txt" > "$build/installed.txt"
LC_ALL=C comm -13 "$build/installed.txt" "$before" | while read -r stale; do rm -f "$stale"; done
