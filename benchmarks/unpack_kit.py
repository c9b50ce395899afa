# Copyright 2026 ssap_ros maintainers
# SPDX-License-Identifier: Apache-2.0
#
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file
# except in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND,
# either express or implied. See the License for the specific language governing permissions
# and limitations under the License.

"""unpack_kit.py PIECES FOLDER: check and unpack what make_tensorrt_kit.sh packed.

The parts of one tar archive, each compressed for itself (kit.tar.0.xz, ...), lie in the pieces cut
small (kit.tar.0.xz.000, ...). Python's own lzma is used, on all cores, because a bare machine may
have no xz.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import shutil
import sys
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def unpack(pieces: Path, folder: Path) -> None:
    """Put the content of the kit into `folder`.

    Raises:
        ValueError: A piece is damaged.
    """
    cuts: dict[str, list[Path]] = {}
    for line in (pieces / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        path = pieces / name
        if not path.is_file():
            raise ValueError(f"{path} is missing")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise ValueError(f"{path} is damaged: it is not what SHA256SUMS says")
        cuts.setdefault(path.stem, []).append(path)
    shutil.rmtree(folder, ignore_errors=True)
    with ThreadPoolExecutor() as pool:
        parts = pool.map(_decompress, (sorted(cuts[name]) for name in sorted(cuts)))
        stream = io.BufferedReader(_Joined(parts))
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            archive.extractall(folder, filter="tar")


def _decompress(cuts: list[Path]) -> bytes:
    return lzma.decompress(b"".join(path.read_bytes() for path in cuts))


class _Joined(io.RawIOBase):
    """Blocks of bytes as one stream."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._rest = blocks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not len(self._rest):
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)  # a slice of bytes would copy what is left
        n = min(len(buffer), len(self._rest))
        buffer[:n], self._rest = self._rest[:n], self._rest[n:]
        return n


if __name__ == "__main__":
    try:
        unpack(Path(sys.argv[1]), Path(sys.argv[2]))
    except (OSError, ValueError, lzma.LZMAError) as error:
        print(f"unpack_kit: error: {error}", file=sys.stderr)
        sys.exit(1)
