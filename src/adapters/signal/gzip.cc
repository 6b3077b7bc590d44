#include "adapters/signal/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "base/bytes.h"

namespace atrium::signal {
namespace {

constexpr int kGzipWindowBits = 15 + 16;  // zlib's way of saying: a gzip header, nothing else
constexpr size_t kFirstBytes = 16'384;

// Runs until the stream's end, growing `out` by doubling up to one byte more than allowed, so that excess is noticed.
int inflate_all(z_stream& stream, std::string& out, size_t max_bytes) {
  int status = Z_OK;
  size_t filled = 0;
  while (status == Z_OK && filled <= max_bytes) {
    out.resize(std::min(std::max(kFirstBytes, filled * 2), max_bytes + 1));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
    stream.avail_out = static_cast<uInt>(out.size() - filled);
    status = inflate(&stream, Z_NO_FLUSH);
    const bool made_progress = stream.avail_out != out.size() - filled;
    filled = out.size() - stream.avail_out;
    if (!made_progress && status == Z_OK) break;
  }
  out.resize(filled);
  return status;
}

}  // namespace

Result<std::string> gunzip(std::string_view compressed, size_t max_bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindowBits) != Z_OK)
    return fail(ErrorKind::Unavailable, "zlib has no memory");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  Bytes input(as_bytes(compressed).begin(),
              as_bytes(compressed).end());  // zlib's interface is not const
  stream.next_in = input.data();
  stream.avail_in = static_cast<uInt>(input.size());
  std::string out;
  const int status = inflate_all(stream, out, max_bytes);
  if (out.size() > max_bytes)
    return fail(ErrorKind::LimitExceeded, "more comes out of gzip than is allowed");
  if (status != Z_STREAM_END) return malformed("gzip is damaged or truncated");
  if (stream.avail_in != 0) return malformed("bytes behind the gzip member");
  return out;
}

}  // namespace atrium::signal
