// OutgoingQueue: what a connection has still to write, in order.  Bytes of its own, and bytes shared with other
// connections, which are not copied.
// Owner: HttpConnection.  Thread: control.
// Does not: write, encrypt, or bound itself: the connection looks at bytes().
#pragma once

#include <sys/uio.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace atrium::runtime {

class OutgoingQueue {
 public:
  // `own`, then `shared` (may be null).
  void push(std::string own, std::shared_ptr<const std::string> shared = nullptr);
  // Points `parts` at the first bytes; how many parts it took.
  size_t gather(std::span<iovec> parts) const;
  // Takes the first bytes out, as many as there are and fit; how many.
  size_t take(std::span<char> out);
  void consume(size_t size);
  void clear();

  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }

 private:
  struct Piece {
    std::string own;
    std::shared_ptr<const std::string> shared;
    size_t size() const { return own.size() + (shared ? shared->size() : 0); }
  };

  // owned
  std::vector<Piece> pieces_;  // from first_ on
  // derived
  size_t first_ = 0;
  size_t offset_ = 0;  // bytes of pieces_[first_] already gone
  size_t bytes_ = 0;
};

}  // namespace atrium::runtime
