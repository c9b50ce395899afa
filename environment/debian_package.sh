#!/usr/bin/env bash
# debian_package.sh PACKAGE DIRECTORY: unpack a Debian or Ubuntu package into DIRECTORY; needs no root.
# Fails, saying why, where apt is not there or does not know the package.
set -euo pipefail

package=$1
directory=$2

for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || { echo "no $tool on this machine" >&2; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# The machine's own package lists may never have been loaded: then load them into the work folder.
download() (cd "$work" && apt-get -qq "$@" download "$package" >"$work/log" 2>&1)
private_lists() {
    mkdir -p "$work/lists/partial"
    own=(-o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work" -o Debug::NoLocking=1)
    apt-get -qq "${own[@]}" update >"$work/log" 2>&1 && download "${own[@]}"
}
download || private_lists || { echo "apt cannot get $package: $(tail -n 1 "$work/log")" >&2; exit 1; }

mkdir -p "$directory"
dpkg-deb --extract "$work"/*.deb "$directory"
