// WebClient: posts to addresses that customers gave, with libcurl's multi interface (docs/decisions/http-client.md).
// Owner: the app.  Thread: its own, "atrium-web"; orders come in by one ring and replies leave by another.
// The rule is asked for each address at the moment of connecting to it: what a name led to before does not matter.
// Does not: follow redirects, use proxies, cookies, .netrc or passwords, or try again.  Pimpl: hides libcurl.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/limits.h"
#include "base/result.h"
#include "base/time.h"
#include "node/ports.h"

namespace atrium::runtime {

struct WebClientOptions {
  node::WebRule rule;  // until the first WebRule arrives; must not be empty
  std::string ca_file =
      {};  // PEM, trusted besides the system's; empty: none (runtime/tls_ca_file.h)
  // From the begin of a request, its name's look-up included, to the end of its answer; shorter in tests alone.
  Duration answer = std::chrono::milliseconds(limits::kWebhookAnswerMs);
  // Requests on their way at once; the others wait in the ring.  Fewer in tests alone.
  size_t in_flight_max = static_cast<size_t>(limits::kWebhookInFlightAllMax);
};

class WebClient {
 public:
  // Unsupported: this machine's libcurl cannot do what is needed; the literal names it.
  static Result<std::unique_ptr<WebClient>> create(WebClientOptions options);
  ~WebClient();  // stops and joins
  WebClient(const WebClient&) = delete;
  WebClient& operator=(const WebClient&) = delete;

  node::Waker& waker();  // valid before start; for the ring of orders

  // Once.  Both ends must outlive stop().  While `replies` is full nothing more is taken from `orders`.
  // A new rule waits, and what is behind it in the ring with it, until all that is on its way has ended (`answer` at
  // most); then idle connections are closed and it holds.  Connections that are made meanwhile are asked of both rules.
  void start(node::Receiver<node::WebOrder>& orders, node::Sender<node::WebReply>& replies);
  // Ends at once and joins.  What is on its way or in the ring is abandoned without a reply.  Idempotent.
  void stop();

 private:
  struct State;
  explicit WebClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace atrium::runtime
