// The same bits as a value of another type (std::bit_cast of C++20).
#pragma once

#include <cstring>

namespace ssap::detail {

template <typename To, typename From>
inline To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From), "the sizes must agree");
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

}  // namespace ssap::detail
