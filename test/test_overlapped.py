"""Two frames in work at once, never three, in order, with the results of one after the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from toy_model import paint

from ssap_ros.backends.onnxruntime_backend import OnnxRuntimeBackend
from ssap_ros.config import SsapConfig
from ssap_ros.overlapped import overlapped
from ssap_ros.pipeline import SsapPipeline

PATIENCE_S = 10


def from_iterator(frames: Iterator[int]):
    return lambda: next(frames, None)


def test_everything_is_done_in_order_before_it_returns() -> None:
    log: list[tuple[str, int]] = []
    overlapped(
        from_iterator(iter(range(20))),
        lambda n: log.append(("first", n)) or n,
        lambda n: log.append(("second", n)),
    )
    for step in ("first", "second"):
        assert [n for name, n in log if name == step] == list(range(20))


def test_nothing_to_do_is_done() -> None:
    overlapped(lambda: None, lambda _: 1 / 0, lambda _: 1 / 0)


def test_the_next_is_begun_while_this_one_is_finished() -> None:
    begun = [threading.Event() for _ in range(4)]

    def second(n: int) -> None:
        if n + 1 < len(begun):
            assert begun[n + 1].wait(PATIENCE_S)

    overlapped(from_iterator(iter(range(4))), lambda n: begun[n].set() or n, second)
    assert all(event.is_set() for event in begun)


def test_the_one_after_the_next_waits() -> None:
    release = threading.Event()
    third_begun = threading.Event()

    def first(n: int) -> int:
        if n == 2:
            assert release.is_set()
            third_begun.set()
        return n

    def second(n: int) -> None:
        if n == 0:
            assert not third_begun.wait(0.2)
            release.set()

    overlapped(from_iterator(iter(range(3))), first, second)
    assert third_begun.is_set()


def test_a_single_frame_does_not_wait_for_the_next() -> None:
    finished = threading.Event()
    frames = iter([1])

    def take() -> int | None:
        frame = next(frames, None)
        if frame is None:
            assert finished.wait(PATIENCE_S)
        return frame

    overlapped(take, lambda n: n, lambda _: finished.set())


@pytest.mark.parametrize("step", ["first", "second"])
def test_an_error_ends_the_work_and_comes_out(step: str) -> None:
    done: list[int] = []

    def fail(name: str, n: int) -> int:
        if name == step and n == 3:
            raise RuntimeError(f"{name} of {n}")
        return n

    with pytest.raises(RuntimeError, match=f"{step} of 3"):
        overlapped(
            from_iterator(iter(range(100))),
            lambda n: fail("first", n),
            lambda n: done.append(fail("second", n)),
        )
    assert done[:3] == [0, 1, 2]
    assert len(done) <= 4
    assert not [t for t in threading.enumerate() if t.name.startswith("ssap_second")]


def test_the_pipeline_gives_the_same_results_overlapped(toy_backend: OnnxRuntimeBackend) -> None:
    pipeline = SsapPipeline(toy_backend, SsapConfig())
    images = []
    for shift in range(0, 64, 8):
        instances = np.zeros((128, 256), np.int32)
        instances[32:96, shift : shift + 64], instances[32:96, shift + 64 : shift + 128] = 1, 2
        images.append(paint(instances, [3, 1]))
    results = []
    waiting = iter(images)
    overlapped(
        lambda: next(waiting, None),
        lambda image: pipeline.perceive([image])[0],
        lambda percept: results.append(pipeline.segment(percept)),
    )
    for image, result in zip(images, results, strict=True):
        expected = pipeline(image)
        np.testing.assert_array_equal(result.labels, expected.labels)
        assert result.instances == expected.instances
        assert list(result.stage_ms) == list(expected.stage_ms)
