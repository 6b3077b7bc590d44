// CallbackConsumer: a customer's server that is sent the vendor's callbacks.  It knows the vendor's contract alone
// (vendor-contract section 6: envelope, signature, the fields of joins, leaves and RoomDestroy; EventId to tell
// duplicates), and keeps a table of which rooms there are and who is in them.  What its table cannot take is a
// violation.  Owner: Rounds.  Does not: read what we add to the envelope, sort, wait for what is missing.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace atrium::sim {

class CallbackConsumer {
 public:
  using Table = std::map<std::string, std::set<std::string>>;  // users by room

  CallbackConsumer(std::string app, std::string secret)
      : app_(std::move(app)), secret_(std::move(secret)) {}

  // The body of a POST.  Yields the status of its answer.
  int on_callback(std::string_view body);

  const Table& table() const { return table_; }
  // EventIds as they came, each once, by room.
  const std::map<std::string, std::vector<std::string>>& received() const { return received_; }
  uint64_t events() const { return known_.size(); }
  uint64_t duplicates() const { return duplicates_; }
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  using Fields = std::map<std::string, std::string, std::less<>>;
  bool is_signed(const Fields& envelope) const;
  void take(const Fields& envelope, const Fields& data);
  void change(std::string_view type, const std::string& room, const std::string& user);
  void fail(const std::string& what);

  // given
  const std::string app_, secret_;
  // owned
  Table table_;
  std::map<std::string, std::string> known_;  // EventId → what it said
  std::map<std::string, std::vector<std::string>> received_;
  std::map<std::string, std::string> latest_;  // EventTime by room
  uint64_t duplicates_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace atrium::sim
