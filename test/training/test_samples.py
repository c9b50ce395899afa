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

"""Labels of training samples."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # several would wait for each other on a busy machine

from ssap_ros.data.segments import OTHER_CLASS, Segments  # noqa: E402
from ssap_ros.training.samples import (  # noqa: E402
    CERTAIN,
    IGNORE_CLASS,
    PARTIAL_CLASS,
    SOFT_LEVELS,
    UNLABELLED,
    VOID,
    Sample,
    sample_of,
    soft_label,
    stuff_segment,
    unknown_instance,
)


def test_semantic_target_of_every_kind_of_label():
    labels = [
        *[0, 1, 2, VOID, UNLABELLED, unknown_instance(0), unknown_instance(7)],
        *[unknown_instance(253), stuff_segment(0), stuff_segment(1), stuff_segment(253)],
    ]
    assert len(set(labels)) == len(labels) - 1  # the segment of class 0 is 0
    sample = Sample(
        np.zeros((1, 11, 3), np.uint8), np.array([labels], np.int32), np.array([0, 3, 5], np.uint8)
    )
    expected = [0, 3, 5, IGNORE_CLASS, PARTIAL_CLASS, 0, 7, 253, 0, 1, 253]
    assert sample.semantic_target().tolist() == [expected]
    assert (sample.certainty() == CERTAIN).all()


def test_soft_labels_keep_class_and_probability_through_16_bits():
    class_id, level = np.meshgrid(np.arange(254), np.arange(SOFT_LEVELS), indexing="ij")
    labels = soft_label(class_id, level).astype(np.int16).astype(np.int32)
    assert len(np.unique(labels)) == labels.size
    assert labels.max() < stuff_segment(253)
    sample = Sample(np.zeros((*labels.shape, 3), np.uint8), labels, np.zeros(1, np.uint8))
    np.testing.assert_array_equal(sample.semantic_target(), class_id)
    np.testing.assert_allclose(sample.certainty() / 255, level / (SOFT_LEVELS - 1), atol=2e-3)


def test_annotated_segments_become_labels():
    truth = Segments(
        np.array([[0, 1, 2, 3, 4, 5, 6]]),
        np.array([2, 1, 2, 0, OTHER_CLASS, 2]),
        crowd=np.array([0, 0, 1, 0, 0, 0], bool),
    )
    sample = sample_of(np.zeros((1, 7, 3), np.uint8), truth, thing_ids=(2,))
    stuff = [stuff_segment(1), unknown_instance(2), stuff_segment(0)]
    assert sample.instances.tolist() == [[VOID, 1, *stuff, VOID, 2]]
    assert sample.class_ids.tolist() == [0, 2, 2]
