// Freed: a deleter that hands what a C library made back to the function that frees it:
// `std::unique_ptr<SSL, Freed<SSL_free>>`.
#pragma once

namespace atrium {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

}  // namespace atrium
