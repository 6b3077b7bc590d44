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
  // Opens the store, binds every port, makes the certificate; nothing runs yet.  The problem is one line for the
  // operator.
  static std::expected<std::unique_ptr<World>, std::string> create(const Settings& settings);
  ~World();

  // Runs until SIGTERM or SIGINT.
  void run();

  // Control thread: reads the files of tls.certificate and tls.key anew.  Connections that stand are not touched; where
  // a file is broken nothing changes, and the problem is one line for the operator.
  std::expected<void, std::string> reload_tls(const Settings& settings);

  // Control thread: whose PROXY headers are read, from the next connection on.
  void trust_proxies(const Settings& settings);

  std::vector<SocketAddress> http_addresses() const;
  std::vector<SocketAddress> operator_addresses() const;
  std::vector<uint16_t> media_ports() const;

  struct Parts;  // world.cc's own

 private:
  explicit World(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace atrium::atriumd
