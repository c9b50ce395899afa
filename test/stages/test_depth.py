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

"""Objects in space from masks and exact depth, and what spoils a depth image."""

import cv2
import numpy as np
import pytest

from ssap_ros.errors import InputError
from ssap_ros.stages.depth import (
    CameraRays,
    depth_in_metres,
    locate,
    surface_points,
    without_classes,
)
from support.depth_scenes import SIZE, Box, K, render

RAYS = CameraRays(K, SIZE)
PERSON = Box((-1.0, 0.6, 5.0), (0.5, 1.8, 0.4))
CAR = Box((1.5, 0.8, 8.0), (4.2, 1.4, 1.8), yaw=0.6, class_id=3)


def found(scene, **options):
    return locate(scene.labels, scene.boxes, scene.depth, RAYS, **options)


def test_a_box_seen_on_two_sides_is_found_whole():
    (car,) = found(render([CAR]), erosion=1)
    assert np.abs(car.centre - CAR.centre).max() < 0.15
    length, height, width = CAR.size
    np.testing.assert_allclose(car.size, [length, width, height], atol=0.25)
    along = np.array([np.cos(CAR.yaw), 0, -np.sin(CAR.yaw)])
    assert abs(car.axes[:, 0] @ along) > 0.999
    np.testing.assert_allclose(car.axes.T @ car.axes, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(car.axes[:, 2], [0, -1, 0], atol=1e-6)
    assert np.linalg.det(car.axes) == pytest.approx(1)


def test_of_a_box_seen_from_the_front_there_is_its_front():
    ahead = Box((0.0, 0.6, 5.0), (0.5, 1.8, 0.4))
    (person,) = found(render([ahead]), erosion=1)
    assert person.depth == pytest.approx(4.8, abs=0.01)
    np.testing.assert_allclose(person.centre, (0, 0.6, 4.8), atol=0.03)
    np.testing.assert_allclose(person.size, (0.5, 0, 1.8), atol=0.1)
    assert np.linalg.eigvalsh(person.covariance).min() >= -1e-9


def test_an_occluded_object_is_where_it_is_visible():
    behind = Box((-0.9, 0.6, 9.0), (1.6, 1.8, 0.6), class_id=3)
    scene = render([PERSON, behind])
    near, far = found(scene)
    assert (near.label, far.label) == (1, 2)
    assert near.depth == pytest.approx(4.8, abs=0.01)
    assert far.depth == pytest.approx(8.7, abs=0.01)
    alone = found(render([behind]))[0]
    assert far.n_points < alone.n_points


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_outliers_and_bleeding_do_not_move_an_object(share):
    scene = render([PERSON, CAR])
    clean = found(scene)
    rng = np.random.default_rng(0)
    spoilt = scene.depth.copy()
    wrong = (rng.random(SIZE) < share) & (scene.labels == 1)
    spoilt[wrong] = 30.0
    objects = locate(scene.labels, scene.boxes, spoilt, RAYS)
    assert objects[0].depth == pytest.approx(clean[0].depth, abs=0.02)
    np.testing.assert_allclose(objects[0].centre, clean[0].centre, atol=0.05)
    np.testing.assert_array_equal(objects[1].centre, clean[1].centre)

    grown = cv2.dilate(scene.labels, np.ones((3, 3), np.uint8))  # a mask one pixel too wide
    objects = locate(grown, scene.boxes, scene.depth, RAYS)
    assert objects[0].depth == pytest.approx(clean[0].depth, abs=0.02)


def test_an_object_without_depth_is_left_out():
    scene = render([PERSON, CAR])
    holes = scene.depth.copy()
    holes[scene.labels == 1] = 0
    (car,) = locate(scene.labels, scene.boxes, holes, RAYS)
    assert car.label == 2
    assert locate(np.zeros(SIZE, np.uint16), (), scene.depth, RAYS) == []


def test_depth_in_metres():
    millimetres = np.array([[0, 1500]], np.uint16)
    np.testing.assert_allclose(depth_in_metres(millimetres), [[0, 1.5]])
    metres = np.array([[np.nan, np.inf, -1, 0, 2.5]], np.float32)
    np.testing.assert_array_equal(depth_in_metres(metres), np.float32([[0, 0, 0, 0, 2.5]]))
    with pytest.raises(InputError, match="must be 16UC1 or 32FC1, got uint8 of 2"):
        depth_in_metres(np.zeros((2, 2), np.uint8))


def test_millimetres_place_objects_as_metres_do():
    scene = render([PERSON, CAR])
    rounded = depth_in_metres(np.round(1000 * scene.depth).astype(np.uint16))
    for exact, coarse in zip(
        found(scene), locate(scene.labels, scene.boxes, rounded, RAYS), strict=True
    ):
        np.testing.assert_allclose(coarse.centre, exact.centre, atol=0.01)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_static_depth_has_no_people(dtype):
    scene = render([PERSON, CAR])
    depth = (1000 * scene.depth).astype(dtype)
    static = without_classes(depth, scene.labels, [1, 3], {1}, dilation=3)
    assert static.dtype == dtype
    assert not static[scene.labels == 1].any()
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (7, 7))
    far = cv2.dilate((scene.labels == 1).astype(np.uint8), kernel) == 0
    np.testing.assert_array_equal(static[far], depth[far])
    assert (static == 0).sum() > (scene.labels == 1).sum()


def test_points_lie_in_their_pixels():
    scene = render([PERSON, CAR])
    (x, y, z), pixels = surface_points(scene.labels, scene.depth, RAYS)
    rows, columns = np.divmod(pixels, SIZE[1])
    assert len(pixels) == (scene.labels > 0).sum()
    np.testing.assert_allclose(z, scene.depth[rows, columns])
    np.testing.assert_allclose(K[0] * x / z + K[2], columns, atol=1e-2)
    np.testing.assert_allclose(K[4] * y / z + K[5], rows, atol=1e-2)


@pytest.mark.parametrize(
    ("model", "distortion"),
    [("plumb_bob", (-0.2, 0.05, 0.001, -0.001, 0.0)), ("equidistant", (0.02, -0.01, 0.0, 0.0))],
)
def test_distortion_is_undone(model, distortion):
    rays = CameraRays(K, SIZE, distortion, model)
    rows, columns = np.array([20, 120, 200]), np.array([30, 160, 290])
    points = rays.points(rows * SIZE[1] + columns, np.full(3, 4.0, np.float32)).T.astype(np.float64)
    matrix, zero = np.reshape(K, (3, 3)), np.zeros(3)
    project = cv2.projectPoints if model == "plumb_bob" else cv2.fisheye.projectPoints
    arguments = (points[:, None], zero, zero, matrix, np.array(distortion))
    pixels = np.reshape(project(*arguments)[0], (3, 2))
    np.testing.assert_allclose(pixels, np.stack([columns, rows], axis=1), atol=0.05)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (((0.0,) * 9, SIZE), "focal lengths above 0 in K"),
        ((K[:4], SIZE), "focal lengths above 0 in K"),
        ((K, SIZE, (0.1,) * 5, "double_sphere"), "got 'double_sphere' with 5"),
        ((K, SIZE, (0.1,) * 3, "plumb_bob"), "got 'plumb_bob' with 3"),
    ],
)
def test_cameras_that_are_not_calibrated(arguments, words):
    with pytest.raises(InputError, match=words):
        CameraRays(*arguments)


def test_images_of_different_sizes():
    scene = render([PERSON])
    with pytest.raises(InputError, match="aligned to the masks, 320 x 240, got 160 x 120"):
        locate(scene.labels, scene.boxes, scene.depth[::2, ::2], RAYS)
    with pytest.raises(InputError, match=r"camera_info must be of 320 x 240 .*, got 640 x 480"):
        locate(scene.labels, scene.boxes, scene.depth, CameraRays(K, (480, 640)))


@pytest.mark.parametrize("box", [(-1, 0, 10, 10), (315, 0, 10, 10), (0, 0, 10, 0), (0, 235, 9, 9)])
def test_boxes_outside_of_the_image_are_refused(box):
    scene = render([PERSON])
    with pytest.raises(InputError, match="box 1 must lie in the image of 320 x 240, got"):
        locate(scene.labels, [box], scene.depth, RAYS)
