#!/usr/bin/env bash
# Prints the demo's default source: the street video vtest.avi of Debian's and Ubuntu's opencv-doc, kept
# in .cache/; or, where it cannot be had, `scenes`, the procedural street.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
video=$(dirname "$here")/.cache/vtest.avi

if [[ ! -f $video ]]; then
    mkdir -p "$(dirname "$video")"
    unpacked=$(mktemp -d)
    trap 'rm -rf "$unpacked"' EXIT
    echo "demo: getting a real street video (package opencv-doc, about 95 MB, once)" >&2
    if "$here/debian_package.sh" opencv-doc "$unpacked"; then
        found=$(find "$unpacked" -name 'vtest.avi*' -print -quit)
        case $found in
            *.gz) gunzip -c "$found" >"$video.part" && mv "$video.part" "$video" ;;
            *.avi) mv "$found" "$video" ;;
            *) echo "demo: opencv-doc holds no vtest.avi here" >&2 ;;
        esac
    fi
fi

if [[ -f $video ]]; then
    echo "$video"
else
    echo "demo: the video cannot be had on this machine; showing the procedural street instead" >&2
    echo scenes
fi
