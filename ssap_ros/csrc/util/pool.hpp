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

// Workspaces that calls borrow: as many are made as calls ever run at the same time.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace ssap {

template <typename T>
class Pool {
 public:
  class Loan {
   public:
    explicit Loan(Pool& pool) : pool_(pool), item_(pool.take()) {}
    ~Loan() { pool_.give(std::move(item_)); }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    T& operator*() const { return *item_; }
    T* operator->() const { return item_.get(); }

   private:
    Pool& pool_;
    std::unique_ptr<T> item_;
  };

 private:
  std::unique_ptr<T> take() {
    const std::lock_guard lock(mutex_);
    if (items_.empty()) return std::make_unique<T>();
    auto item = std::move(items_.back());
    items_.pop_back();
    return item;
  }
  void give(std::unique_ptr<T> item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> items_;
};

}  // namespace ssap
