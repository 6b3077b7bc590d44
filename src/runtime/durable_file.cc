#include "runtime/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iterator>

namespace atrium::runtime {
namespace {

// A file or a directory, so that it survives a loss of power.
Result<void> sync(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return fail(ErrorKind::Unavailable, "a file to be synced cannot be opened");
  const bool is_synced = ::fsync(descriptor) == 0;
  ::close(descriptor);
  if (!is_synced) return fail(ErrorKind::Unavailable, "the disk reported an error");
  return {};
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

// An open file that grows.
class Growing {
 public:
  explicit Growing(const std::string& path)
      : descriptor_(
            ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600)) {}
  ~Growing() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Growing(const Growing&) = delete;
  Growing& operator=(const Growing&) = delete;

  bool is_open() const { return descriptor_ >= 0; }
  bool cut_to(off_t size) { return ::ftruncate(descriptor_, size) == 0; }
  off_t size() const {  // -1: the disk refused
    struct stat state {};
    return ::fstat(descriptor_, &state) == 0 ? state.st_size : -1;
  }
  // Bytes up to the end of the last whole line; -1: the disk refused.
  off_t whole_size() const;
  bool write(std::string_view text) {
    return ::write(descriptor_, text.data(), text.size()) == std::ssize(text) &&
           ::fsync(descriptor_) == 0;
  }

 private:
  int descriptor_;
};

off_t Growing::whole_size() const {
  off_t size = this->size();
  if (size < 0) return -1;
  std::array<char, 512> block{};
  while (size > 0) {
    const off_t from = std::max<off_t>(0, size - std::ssize(block));
    const auto length = static_cast<size_t>(size - from);
    if (::pread(descriptor_, block.data(), length, from) != static_cast<ssize_t>(length)) return -1;
    const size_t end = std::string_view(block.data(), length).rfind('\n');
    if (end != std::string_view::npos) return from + static_cast<off_t>(end) + 1;
    size = from;
  }
  return 0;
}

// Sets errno.
bool rename(const char* from, const char* to, Existing existing) {
  if (existing == Existing::Replace) return ::rename(from, to) == 0;
  // Refuses in the same step to replace what came to be there meanwhile.
  if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return true;
  // NFS knows no such rename, but does not link over a file either.
  return errno == EINVAL && ::link(from, to) == 0 && ::unlink(from) == 0;
}

}  // namespace

Result<void> make_private_file(const std::string& path) {
  const int descriptor =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0)
    return errno == EEXIST ? fail(ErrorKind::Conflict, "a file of this name is there already")
                           : fail(ErrorKind::Unavailable, "the file cannot be made");
  ::close(descriptor);
  return {};
}

Result<void> take_owner_and_mode(const std::string& from, const std::string& to) {
  struct stat like {};
  if (::stat(from.c_str(), &like) != 0)
    return fail(ErrorKind::Unavailable, "the owner of a file cannot be read");
  if (::geteuid() == 0 && ::chown(to.c_str(), like.st_uid, like.st_gid) != 0)
    return fail(ErrorKind::Unavailable, "the owner of a file cannot be set");
  if (::chmod(to.c_str(), like.st_mode & 0777) != 0)
    return fail(ErrorKind::Unavailable, "the permissions of a file cannot be set");
  return {};
}

Result<void> put_in_place(const std::string& from, const std::string& to, Existing existing) {
  TRY(sync(from));
  if (!rename(from.c_str(), to.c_str(), existing))
    return errno == EEXIST ? fail(ErrorKind::Conflict, "a file of this name is there already")
                           : fail(ErrorKind::Unavailable, "the file cannot be renamed");
  return sync(folder_of(to));
}

Result<void> append_line(const std::string& path, std::string_view line) {
  Growing file(path);
  if (!file.is_open()) return fail(ErrorKind::Unavailable, "the file cannot be opened");
  const off_t before = file.whole_size();
  if (before < 0 || (file.size() != before && !file.cut_to(before)))
    return fail(ErrorKind::Unavailable, "the file cannot be read");
  if (!file.write(std::string(line) + "\n")) {
    // What cannot be cut off now is cut off before the next line.
    static_cast<void>(file.cut_to(before));
    return fail(ErrorKind::Unavailable, "the file cannot be written");
  }
  if (before == 0) return sync(folder_of(path));
  return {};
}

}  // namespace atrium::runtime
