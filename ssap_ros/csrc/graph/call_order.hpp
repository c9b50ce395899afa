// Copyright 2026 ssap_ros maintainers
// SPDX-License-Identifier: Apache-2.0
//
// Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file
// except in compliance with the License. You may obtain a copy of the License at
// http://www.apache.org/licenses/LICENSE-2.0
// Unless required by applicable law or agreed to in writing, software distributed under the
// License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND,
// either express or implied. See the License for the specific language governing permissions
// and limitations under the License.

// The order in which the calls of contraction.hpp have to come: checked in debug builds, nothing in
// others.
#pragma once

#include <cassert>
#include <cstddef>

namespace ssap {

class CallOrder {
 public:
#ifndef NDEBUG
  void start() {
    phase_ = Phase::kMark;
    n_closed_ = 0;
  }
  void mark() { assert(phase_ == Phase::kMark && "nodes are marked before any leaf is opened"); }
  void mark_leaf() {
    mark();
    ++n_closed_;
  }
  void open() {
    assert(phase_ != Phase::kContract && "leaves are opened before contracting");
    assert(n_closed_ > 0 && "a leaf is opened once");
    phase_ = Phase::kOpen;
    --n_closed_;
  }
  void contract() {
    assert(n_closed_ == 0 && "every leaf is opened before contracting");
    phase_ = Phase::kContract;
  }

 private:
  enum class Phase { kMark, kOpen, kContract };
  Phase phase_ = Phase::kMark;
  std::size_t n_closed_ = 0;  // leaves that are not open yet
#else
  void start() {}
  void mark() {}
  void mark_leaf() {}
  void open() {}
  void contract() {}
#endif
};

}  // namespace ssap
