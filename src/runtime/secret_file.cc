#include "runtime/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>

#include "base/crypto.h"

namespace atrium::runtime {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

bool sync_folder_of(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return descriptor.get() >= 0 && ::fsync(descriptor.get()) == 0;
}

}  // namespace

Result<std::optional<SecretKey>> read_secret_key(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0 && errno == ENOENT) return std::nullopt;
  if (file.get() < 0) return fail(ErrorKind::Unavailable, "the key file cannot be read");
  SecretKey key{};
  std::string text(2 * key.size() + 2,
                   '\0');  // with room for a line's end, and to see what is too long
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  if (got < 0) return fail(ErrorKind::Unavailable, "the key file cannot be read");
  text.resize(static_cast<size_t>(got));
  if (text.ends_with('\n')) text.pop_back();
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != key.size())
    return malformed("the key file must hold 64 hexadecimal digits");
  std::ranges::copy(*bytes, key.begin());
  return key;
}

Result<void> write_secret_key(const std::string& path, const SecretKey& key) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0 && errno == EEXIST)
    return fail(ErrorKind::Conflict, "the key file is there already");
  if (file.get() < 0) return fail(ErrorKind::Unavailable, "the key file cannot be made");
  const std::string text = hex(key) + "\n";
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(file.get()) != 0 || !sync_folder_of(path)) {
    ::unlink(path.c_str());
    return fail(ErrorKind::Unavailable, "the key file cannot be written");
  }
  return {};
}

}  // namespace atrium::runtime
