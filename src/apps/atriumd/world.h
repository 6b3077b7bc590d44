// World: atriumd's threads and rings, put together.  Owner: main.  The real counterpart of sim's world.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/http_server.h"
#include "settings.h"

namespace atrium::atriumd {

class World {
 public:
  // `line`: where the settings come from, read again at each reload.  Opens the store, binds every port, makes the
  // certificate; nothing runs yet.  The problem is one line for the operator.
  static std::expected<std::unique_ptr<World>, std::string> create(const Settings& settings,
                                                                   const CommandLine& line);
  ~World();

  // Runs until SIGTERM or SIGINT, and then until everybody has left or the drain's deadline; a second signal ends it.
  void run();

  std::vector<SocketAddress> http_addresses() const;
  std::vector<SocketAddress> operator_addresses() const;
  std::vector<uint16_t> media_ports() const;

  struct Parts;  // world.cc's own

 private:
  explicit World(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace atrium::atriumd
