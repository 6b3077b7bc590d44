#include "runtime/disk_space.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace atrium::runtime {

std::optional<uint64_t> DiskSpace::free_bytes() {
  struct statvfs figures {};
  if (::statvfs(directory_.c_str(), &figures) != 0) return std::nullopt;
  return uint64_t{figures.f_bavail} * figures.f_frsize;
}

// By its length: file systems that compress or share blocks count fewer than were allocated.
uint64_t DiskSpace::reserve_bytes() {
  struct stat file {};
  if (::stat(reserve_path().c_str(), &file) != 0) return 0;
  return static_cast<uint64_t>(file.st_size);
}

bool DiskSpace::allocate_reserve(uint64_t bytes) {
  // Not tried where it cannot succeed: a try that fails half-way fills the disk for a moment.
  const uint64_t held = reserve_bytes();
  if (bytes > held && free_bytes().value_or(0) < bytes - held) {
    release_reserve();
    return false;
  }
  const int file = ::open(reserve_path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const auto size = static_cast<off_t>(bytes);
  struct stat known {};
  bool is_held = ::fstat(file, &known) == 0;
  if (is_held && known.st_size > size)
    is_held = ::ftruncate(file, size) == 0;  // the setting shrank
  // posix_fallocate refuses an empty range.
  if (is_held && size > 0) is_held = ::posix_fallocate(file, 0, size) == 0;
  if (!is_held) static_cast<void>(::ftruncate(file, 0));
  ::close(file);
  return is_held;
}

void DiskSpace::release_reserve() {
  static_cast<void>(::truncate(reserve_path().c_str(), 0));
}

}  // namespace atrium::runtime
