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
