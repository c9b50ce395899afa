"""trim_fatbins.py ARCH LIBRARY...: blank the GPU code that is not for one architecture, e.g. 90.

CUDA keeps the code of all architectures side by side in "fat binaries"; the driver takes what suits
the GPU and never looks at the rest. Here the rest becomes zeros, which compress to nothing; sizes
and headers stay as they are.
"""

from __future__ import annotations

import mmap
import struct
import sys
from pathlib import Path

MAGIC = struct.pack("<I", 0xBA55ED50)
HEADER = struct.Struct("<4sHHQ")  # magic, version, size of this header, size of all entries
ENTRY = struct.Struct("<HHIQ")  # kind, version, size of this header, size of the code
ARCH_AT = 28  # in an entry's header


def trim(library: Path, arch: int) -> tuple[int, int]:
    """Blank code in a file. Returns the bytes of code that were kept and that were blanked."""
    kept = blanked = 0
    with library.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        at = content.find(MAGIC)
        while at >= 0:
            _, version, header, size = HEADER.unpack_from(content, at)
            end = at + header + size
            if (version, header) != (1, HEADER.size) or end > len(content):
                at = content.find(MAGIC, at + 1)
                continue
            entry = at + header
            while entry < end:
                _, _, entry_header, code = ENTRY.unpack_from(content, entry)
                (found,) = struct.unpack_from("<I", content, entry + ARCH_AT)
                if found == arch:
                    kept += code
                else:
                    start = entry + entry_header
                    content[start : start + code] = bytes(code)
                    blanked += code
                entry += entry_header + code
            at = content.find(MAGIC, end)
    return kept, blanked


if __name__ == "__main__":
    for name in sys.argv[2:]:
        kept, blanked = trim(Path(name), int(sys.argv[1]))
        print(f"{name}: {kept >> 20} MiB of GPU code kept, {blanked >> 20} MiB blanked")
