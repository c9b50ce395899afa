"""COCO instance annotations as tools export them: read, or refused in one line that names them."""

import json

import numpy as np
import pytest
from pycocotools import mask as rle

from ssap_ros.data.coco import CocoAnnotations
from ssap_ros.errors import InputError

SQUARE = [2.0, 1.0, 6.0, 1.0, 6.0, 5.0, 2.0, 5.0]
MASK = np.zeros((8, 10), bool)
MASK[1:5, 2:6] = True


def read(tmp_path, segmentation, **fields):
    annotation = {"id": 7, "image_id": 1, "category_id": 3, "segmentation": segmentation} | fields
    dataset = {
        "images": [{"id": 1, "file_name": "a.png", "height": 8, "width": 10}],
        "categories": [{"id": 3, "name": "car"}],
        "annotations": [annotation],
    }
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(dataset))
    return CocoAnnotations(path), annotation


def compressed():
    code = rle.encode(np.asfortranarray(MASK, np.uint8))
    return {"size": code["size"], "counts": code["counts"].decode()}


@pytest.mark.parametrize(
    "segmentation",
    [[SQUARE], compressed(), {"size": [8, 10], "counts": [17, 4, 4, 4, 4, 4, 4, 4, 35]}],
    ids=["polygon", "compressed", "counts"],
)
def test_every_kind_of_segmentation(tmp_path, segmentation):
    coco, annotation = read(tmp_path, segmentation)
    assert (coco.categories, list(coco.images)) == ({3: "car"}, [1])
    assert coco.objects(1) == [annotation]
    assert coco.objects(2) == []
    np.testing.assert_array_equal(coco.mask(annotation), MASK)


@pytest.mark.parametrize(
    "segmentation",
    [[], [[]], [[5.0, 5.0]], [[5.0, 5.0, 9.0, 9.0]], [[1.0] * 7], None, 3, {"size": [8, 10]},
     [[float("nan"), 5, 5, 5, 9, 9]], [[2e8, 3e8, 5, 5, 9, 9]]],
)  # fmt: skip
def test_odd_segmentations_are_named(tmp_path, segmentation):
    coco, annotation = read(tmp_path, segmentation)
    with pytest.raises(InputError, match=r"annotation 7 of .*coco\.json: "):
        coco.encode(annotation)


def test_an_annotation_of_no_image_is_named(tmp_path):
    coco, annotation = read(tmp_path, [SQUARE], image_id=77)
    with pytest.raises(InputError, match=r"annotation 7 .* there is no image 77"):
        coco.encode(annotation)
