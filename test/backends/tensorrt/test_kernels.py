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

"""The CUDA kernels, run on the CPU by a shim, against double precision; and compiled for GPUs."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ssap_ros.backends.tensorrt.layout import BLOCK_HEIGHT, BLOCK_WIDTH, FrameLayout
from ssap_ros.stages.affinity import content_cells
from support import kernel_shim, oracles

EPS = 1e-4
CSRC = Path(__file__).parents[3] / "ssap_ros" / "csrc"


def run_pyramids(
    semantic: list[NDArray[np.float32]],
    affinities: list[NDArray[np.float32]],
    cells: list[tuple[int, int]],
    thing_ids: tuple[int, ...],
    *,
    refine: bool,
) -> tuple[list[dict[str, list[NDArray[np.generic]]]], NDArray[np.int32]]:
    """What the kernels make of logits (n, channels, h, w) per level: per image, and the flags."""
    n, n_classes = semantic[0].shape[:2]
    library = kernel_shim.build(n_classes, len(thing_ids))
    layout = FrameLayout(cells, n_classes)
    size = semantic[0].shape[2:]
    maps = [(s.ctypes.data, a.ctypes.data) for s, a in zip(semantic, affinities, strict=True)]
    levels = layout.levels(size, [1 << i for i in range(len(cells))], maps)
    table = np.zeros(n_classes, np.uint8)
    table[list(thing_ids)] = np.arange(1, len(thing_ids) + 1)
    frames = np.full((n, layout.nbytes), 0xAA, np.uint8)
    flags = np.zeros(n, np.int32)
    n_cells = n * cells[0][0] * cells[0][1]
    scores = np.full(n_cells * len(thing_ids), np.nan, np.float32)
    entropies = np.full(n_cells, np.nan, np.float32)
    scratch = [np.uint64(scores.ctypes.data * refine), np.uint64(entropies.ctypes.data * refine)]
    output = [np.uint64(frames.ctypes.data), np.int64(layout.nbytes), np.uint64(flags.ctypes.data)]
    start = [np.uint64(levels.ctypes.data), np.int32(len(cells))]
    kernel_shim.kernel(library, "class_scores")(
        (layout.n_blocks, 1, n),
        (32, 8, 1),
        [
            *(*start, np.uint64(table.ctypes.data), np.int32(len(thing_ids)), *output),
            *(np.int64(layout.probabilities), *scratch),
        ],
    )
    kernel_shim.kernel(library, "refined_edge_costs" if refine else "edge_costs")(
        (layout.n_blocks, 12, n),
        (32, 8, 1),
        [*start, np.int32(affinities[0].shape[1]), np.float32(EPS), *output, *scratch],
    )
    pyramids = [layout.pyramid(frame) for frame in frames]
    return pyramids, flags


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    exponentials = np.exp(logits - logits.max(axis=0))
    return exponentials / exponentials.sum(axis=0)


def logits(
    rng: np.random.Generator, n: int, channels: int, size: tuple[int, int], spread: float
) -> NDArray[np.float32]:
    return (spread * rng.standard_normal((n, channels, *size))).astype(np.float32)


def assert_half(got: NDArray[np.float16], expected: NDArray[np.float64]) -> None:
    """Equal within 1e-5, and what rounding to half precision adds."""
    assert got.dtype == np.float16
    np.testing.assert_allclose(got, expected, rtol=2.0**-11 * 1.01, atol=1e-5)


@pytest.mark.parametrize("content", [(64, 64), (61, 35), (1, 1), (64, 3), (5, 64)])
@pytest.mark.parametrize("n_channels", [24, 25])
@pytest.mark.parametrize("refine", [False, True])
def test_all_levels_and_borders_agree_with_the_definition(
    content: tuple[int, int], n_channels: int, refine: bool
) -> None:
    rng = np.random.default_rng(n_channels)
    thing_ids, n_classes = (2, 1, 4), 5
    cells = content_cells(content, 1, 5)
    sizes = [(64 >> i, 64 >> i) for i in range(5)]
    semantic = [logits(rng, 2, n_classes, size, 3) for size in sizes]
    affinities = [logits(rng, 2, n_channels, size, 3) for size in sizes]
    pyramids, flags = run_pyramids(semantic, affinities, cells, thing_ids, refine=refine)
    assert not flags.any()
    table = np.zeros(n_classes, np.uint8)
    table[list(thing_ids)] = 1 + np.arange(len(thing_ids))
    for image, pyramid in enumerate(pyramids):
        for i, (rows, columns) in enumerate(cells):
            cut = np.s_[image, :, :rows, :columns]
            np.testing.assert_array_equal(
                pyramid.classes[i], table[semantic[i][cut].argmax(axis=0)]
            )
            scores = None
            if refine and i == 0:
                scores = softmax(semantic[0][cut].astype(np.float64)[list(thing_ids)])
            expected = oracles.edge_costs(affinities[i][cut], logits=True, eps=EPS, scores=scores)
            assert_half(pyramid.edges.levels[i], expected)
        probabilities = softmax(semantic[0][image, :, : cells[0][0], : cells[0][1]].astype(float))
        assert_half(pyramid.probabilities, probabilities)


@pytest.mark.parametrize("n_classes", [2, 8, 19, 20])
def test_any_number_of_object_classes(n_classes: int) -> None:
    rng = np.random.default_rng(n_classes)
    thing_ids = tuple(range(1, n_classes))
    semantic = [logits(rng, 1, n_classes, (9, 33), 2)]
    affinities = [logits(rng, 1, 25, (9, 33), 2)]
    [pyramid], _ = run_pyramids(semantic, affinities, [(9, 33)], thing_ids, refine=True)
    scores = softmax(semantic[0][0].astype(np.float64)[1:])
    assert_half(
        pyramid.edges.levels[0],
        oracles.edge_costs(affinities[0][0], logits=True, eps=EPS, scores=scores),
    )


def test_huge_logits_are_clamped_and_stay_finite() -> None:
    rng = np.random.default_rng(0)
    semantic = [rng.choice(np.float32([-3e38, -90, 0, 90, 3e38]), (1, 3, 8, 40))]
    affinities = [rng.choice(np.float32([-3e38, -200, 0, 200, 3e38]), (1, 25, 8, 40))]
    [pyramid], flags = run_pyramids(semantic, affinities, [(8, 40)], (1, 2), refine=True)
    assert not flags.any()
    assert np.isfinite(pyramid.edges.levels[0]).all()
    limit = np.log((1 - EPS) / EPS)
    assert np.abs(pyramid.edges.levels[0]).max() == pytest.approx(limit, abs=0.01)
    np.testing.assert_allclose(
        pyramid.probabilities.sum(axis=0, dtype=np.float64), np.ones((8, 40)), atol=2e-3
    )


def test_the_lower_class_wins_a_tie() -> None:
    semantic = [np.float32([[[[0, 1]], [[2, 1]], [[2, 1]]]])]
    affinities = [np.zeros((1, 25, 1, 2), np.float32)]
    [pyramid], _ = run_pyramids(semantic, affinities, [(1, 2)], (2, 1), refine=False)
    np.testing.assert_array_equal(pyramid.classes[0], [[2, 0]])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["semantic", "affinities"])
def test_logits_that_are_not_finite_raise_the_flag_of_their_image(value: float, where: str) -> None:
    rng = np.random.default_rng(0)
    maps = {
        "semantic": [logits(rng, 3, 4, (8, 8), 1), logits(rng, 3, 4, (4, 4), 1)],
        "affinities": [logits(rng, 3, 25, (8, 8), 1), logits(rng, 3, 25, (4, 4), 1)],
    }
    maps[where][1][1, 3, 2, 1] = value
    _, flags = run_pyramids(**maps, cells=[(8, 8), (4, 4)], thing_ids=(1,), refine=False)
    np.testing.assert_array_equal(flags, [0, 1, 0])


def test_cells_beyond_the_image_have_no_influence() -> None:
    rng = np.random.default_rng(0)
    semantic, affinities = [logits(rng, 1, 4, (16, 48), 1)], [logits(rng, 1, 25, (16, 48), 1)]
    [before], _ = run_pyramids(semantic, affinities, [(11, 37)], (1, 2), refine=True)
    for maps in (semantic[0], affinities[0]):
        maps[..., 11:, :], maps[..., 37:] = np.nan, np.nan
    [after], flags = run_pyramids(semantic, affinities, [(11, 37)], (1, 2), refine=True)
    assert not flags.any()
    np.testing.assert_array_equal(after.edges.levels[0], before.edges.levels[0])
    np.testing.assert_array_equal(after.probabilities, before.probabilities)


@pytest.mark.parametrize(
    ("size", "content"),
    [
        ((64, 96), (32, 48)),  # halved: OpenCV rounds half up there
        ((90, 120), (30, 40)),
        ((72, 128), (45, 80)),
        ((37, 53), (19, 27)),
        ((37, 53), (37, 53)),
        ((20, 30), (47, 71)),
        ((1, 1), (8, 8)),
        ((3, 200), (1, 64)),
    ],
)
def test_preprocessing_is_opencv_within_one_grey_level(
    size: tuple[int, int], content: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)
    out_size = tuple(-(-side // 64) * 64 for side in content)
    mean, std = np.float32([120, 110, 100]), np.float32([58, 57, 60])
    tensor = np.full((2, 3, *out_size), np.nan, np.float32)
    smaller = content[0] < size[0]
    kernel_shim.kernel(kernel_shim.build(5, 3), "preprocess")(
        (-(-out_size[1] // BLOCK_WIDTH), -(-out_size[0] // BLOCK_HEIGHT), 2),
        (32, 8, 1),
        [
            *(np.uint64(images.ctypes.data), np.int32(size[0]), np.int32(size[1])),
            *(np.uint64(tensor.ctypes.data), *np.int32([*out_size, *content, smaller])),
            *(*(1 / std), *(-mean / std)),
        ],
    )
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    rows, columns = content
    for image, got in zip(images, tensor, strict=True):
        resized = cv2.resize(image, (columns, rows), interpolation=method).reshape(rows, columns, 3)
        levels = got[:, :rows, :columns] * std[:, None, None] + mean[:, None, None]
        difference = np.abs(levels - resized.transpose(2, 0, 1))
        assert difference.max() < 1.01
        assert (difference > 0.01).mean() < (0.03 if smaller else 0.2)
        assert not got[:, rows:].any()
        assert not got[:, :, columns:].any()


@pytest.mark.parametrize("architecture", ["sm_87", "sm_90", "sm_110"])
def test_the_source_compiles_for_gpus(architecture: str) -> None:
    nvrtc = find_nvrtc()
    if nvrtc is None:
        pytest.skip("nvidia-cuda-nvrtc is not installed")
    names = ["preprocess", "class_scores<8>", "edge_costs<0>", "edge_costs<7>"]
    machine_code, log = compile_kernels(nvrtc, architecture, names)
    assert machine_code.startswith(b"\x7fELF"), log
    assert b"warning" not in log


def find_nvrtc() -> ctypes.CDLL | None:
    """The run-time compiler of CUDA as a Python package brings it."""
    package = importlib.util.find_spec("nvidia")
    folders = list(package.submodule_search_locations or ()) if package else []
    found = [file for folder in folders for file in Path(folder).glob("*/lib/libnvrtc.so.*")]
    return ctypes.CDLL(str(sorted(found)[0])) if found else None


def compile_kernels(nvrtc: ctypes.CDLL, architecture: str, names: list[str]) -> tuple[bytes, bytes]:
    """Machine code with the kernels `names`, empty on an error, and the compiler's log."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    source = (CSRC / "kernels.cu").read_bytes()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"kernels.cu", 0, None, None)
    for name in names:
        assert nvrtc.nvrtcAddNameExpression(program, name.encode()) == 0
    options = [f"--gpu-architecture={architecture}".encode(), b"-std=c++14"]
    nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))

    def read(what: str) -> bytes:
        getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
        text = ctypes.create_string_buffer(size.value)
        getattr(nvrtc, f"nvrtcGet{what}")(program, text)
        return text.raw

    return read("CUBIN"), read("ProgramLog")
