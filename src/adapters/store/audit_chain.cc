#include "adapters/store/audit_chain.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace atrium::store {
namespace {

// One key, three uses: what is signed begins with its use, so that no MAC of one is a MAC of another.
constexpr std::string_view kGenesisLabel = "atrium audit genesis 1";
constexpr std::string_view kRecordLabel = "atrium audit record 1";
constexpr std::string_view kCheckpointLabel = "atrium audit checkpoint 1";

constexpr std::string_view kLineWord = "audit1";
constexpr size_t kLineWords = 6;

void put_number(Bytes& out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(value >> shift));
}

void put_bytes(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void put_text(Bytes& out, std::string_view text) {
  put_number(out, text.size());
  put_bytes(out, as_bytes(text));
}

std::string_view word_of(AuditCheckpoint::Kind kind) {
  return kind == AuditCheckpoint::Kind::Head ? "head" : "base";
}

Sha256 line_mac(const AuditKey& key, std::string_view line) {
  Bytes signed_bytes;
  put_text(signed_bytes, kCheckpointLabel);
  put_text(signed_bytes, line);
  return hmac_sha256(key, signed_bytes);
}

std::string unsigned_line(const AuditCheckpoint& checkpoint) {
  std::string out(kLineWord);
  out.append(" ").append(word_of(checkpoint.kind));
  out.append(" ").append(std::to_string(checkpoint.sequence));
  out.append(" ").append(std::to_string(unix_ms(checkpoint.at)));
  return out.append(" ").append(hex(checkpoint.mac));
}

std::optional<int64_t> number_of(std::string_view text) {
  int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Sha256> mac_of(std::string_view text) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != Sha256().size()) return std::nullopt;
  Sha256 out{};
  std::ranges::copy(*bytes, out.begin());
  return out;
}

}  // namespace

Sha256 audit_genesis(const AuditKey& key) {
  return hmac_sha256(key, as_bytes(kGenesisLabel));
}

Sha256 audit_mac(const HmacSha256& key, const Sha256& before, const AuditRow& row) {
  Bytes signed_bytes;
  signed_bytes.reserve(128 + row.body.size() + row.account.size() + row.action.size());
  put_text(signed_bytes, kRecordLabel);
  put_bytes(signed_bytes, before);
  put_number(signed_bytes, static_cast<uint64_t>(row.sequence));
  put_number(signed_bytes, static_cast<uint64_t>(row.at_us));
  for (const std::string_view text : {row.account, row.app, row.action, row.operation, row.body})
    put_text(signed_bytes, text);
  return key.of(signed_bytes);
}

std::string checkpoint_line(const AuditKey& key, const AuditCheckpoint& checkpoint) {
  std::string line = unsigned_line(checkpoint);
  const Sha256 mac = line_mac(key, line);
  return line.append(" ").append(hex(mac));
}

std::optional<AuditCheckpoint> read_checkpoint_line(const AuditKey& key, std::string_view line) {
  std::array<std::string_view, kLineWords> words;
  std::string_view rest = line;
  for (size_t i = 0; i < kLineWords; ++i) {
    const size_t end = rest.find(' ');
    if ((end == rest.npos) != (i + 1 == kLineWords)) return std::nullopt;
    words[i] = rest.substr(0, end);
    if (end != rest.npos) rest.remove_prefix(end + 1);
  }
  const auto signature = mac_of(words[5]);
  const std::string_view content = line.substr(0, line.size() - words[5].size() - 1);
  if (!signature || !constant_time_equal(*signature, line_mac(key, content))) return std::nullopt;
  const auto sequence = number_of(words[2]), at_ms = number_of(words[3]);
  const auto mac = mac_of(words[4]);
  if (!sequence || !at_ms || !mac) return std::nullopt;
  const auto kind = words[1] == "base" ? AuditCheckpoint::Kind::Base : AuditCheckpoint::Kind::Head;
  return AuditCheckpoint{
      .kind = kind, .sequence = *sequence, .mac = *mac, .at = wall_from_unix_ms(*at_ms)};
}

AuditCheckpoints read_checkpoints(const AuditKey& key, std::string_view text) {
  AuditCheckpoints out;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    if (end == text.npos) break;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.empty()) continue;
    if (const auto checkpoint = read_checkpoint_line(key, line)) {
      out.found.push_back(*checkpoint);
      continue;
    }
    if (out.damaged_count++ == 0) out.first_damaged_line = number;
  }
  return out;
}

}  // namespace atrium::store
