#include "runtime/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

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
  const std::string folder = std::filesystem::path(to).parent_path().string();
  return sync(folder.empty() ? "." : folder);
}

}  // namespace atrium::runtime
