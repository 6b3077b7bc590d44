// Files that are whole or not there, whatever happens: written under another name, synced, renamed.  And files that
// grow by whole lines.
// Any thread; every call blocks on the disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace atrium::runtime {

// Makes an empty file that only its owner may read.  Conflict: something of this name is there.
Result<void> make_private_file(const std::string& path);

// Owner (where the caller may give files away) and permissions of `from`.
Result<void> take_owner_and_mode(const std::string& from, const std::string& to);

enum class Existing : uint8_t { Keep, Replace };
// The whole file at `from` gets the name `to` in the same file system: after a crash there is either what was there
// before or all of it.  Conflict: Existing::Keep and something of this name is there.
Result<void> put_in_place(const std::string& from, const std::string& to, Existing existing);

// Adds `line` and its end to the file at `path`, which is made for its owner alone where there is none and which nobody
// else appends to; on the disk when it returns.  What a crash left of an earlier line is taken off first.  On failure
// the line is taken off again.
Result<void> append_line(const std::string& path, std::string_view line);

}  // namespace atrium::runtime
