// The loop of the web thread: orders are taken while there is room for them, libcurl works on what is on its way, what
// ended is told.  All waiting is in curl_multi_poll, which also looks at our waker's descriptor.
#include "runtime/web_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <optional>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/freed.h"
#include "runtime/event_waker.h"
#include "runtime/sockaddr.h"

namespace atrium::runtime {
namespace {

// How often a ring of replies that was full is tried again.
constexpr int kFullRingMs = 5;
constexpr int kPollMs = 60'000;  // anything: wakes and libcurl's timers end a poll
constexpr auto kAnswerBytesMax = static_cast<size_t>(limits::kWebhookAnswerBytesMax);

using Multi = std::unique_ptr<CURLM, Freed<curl_multi_cleanup>>;
using Easy = std::unique_ptr<CURL, Freed<curl_easy_cleanup>>;
using HeaderList = std::unique_ptr<curl_slist, Freed<curl_slist_free_all>>;

// The rule that holds, and the one that waits for its turn.
struct Rules {
  bool allow(const IpAddress& address) const {
    return current(address) && (!next || next(address));
  }
  node::WebRule current, next;
};

// One request on its way.  libcurl knows where it lies: it does not move.
struct Transfer {
  // given
  node::WebRequest request;
  const Rules& rules;
  bool& has_tried_address;  // of all transfers: see wait()
  // owned
  Easy easy = nullptr;
  HeaderList headers = nullptr;
  std::array<char, CURL_ERROR_SIZE> error{};
  // derived
  size_t answer_bytes = 0;
  bool is_too_long = false;
  int64_t addresses = 0;                            // that were to be connected to
  std::optional<IpAddress> refused = std::nullopt;  // the first of them that the rule refused
  bool was_allowed = false;                         // one of them
};

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
  });
}

bool has_web_scheme(std::string_view url) {
  return std::ranges::any_of(std::array{"http://", "https://"}, [url](std::string_view scheme) {
    return url.size() > scheme.size() &&
           std::ranges::equal(url.substr(0, scheme.size()), scheme, [](char given, char wanted) {
             return (given >= 'A' && given <= 'Z' ? given + 32 : given) == wanted;
           });
  });
}

// What libcurl would cut short, or send as more than one line; empty: nothing.
std::string problem_of(const node::WebRequest& request) {
  if (has_control_character(request.url)) return "malformed address";
  if (!has_web_scheme(request.url)) return "not an http or https address";
  for (const auto& [name, value] : request.headers)
    if (name.empty() || name.find_first_of(":;") != name.npos || has_control_character(name) ||
        has_control_character(value))
      return "malformed header";
  return "";
}

Multi make_multi() {
  Multi multi(curl_multi_init());
  CHECK(multi != nullptr);
  const long idle_max = long{limits::kWebhookInFlightAllMax};
  CHECK(curl_multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, idle_max) == CURLM_OK);
  return multi;
}

// libcurl counts how often it was initialised.
struct Library {
  Library() { CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); }
  ~Library() { curl_global_cleanup(); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
};

// --- what libcurl asks and tells ---------------------------------------------------------------------

// Asked for each address that a name led to, on the way to connecting to it: nothing can come between.
curl_socket_t on_socket(void* of, curlsocktype purpose, curl_sockaddr* to) {
  Transfer& transfer = *static_cast<Transfer*>(of);
  transfer.has_tried_address = true;
  const auto address = from_sockaddr(&to->addr);
  if (purpose != CURLSOCKTYPE_IPCXN || !address ||
      ++transfer.addresses > limits::kWebhookAddressesMax)
    return CURL_SOCKET_BAD;
  if (!transfer.rules.allow(address->ip)) {
    if (!transfer.refused) transfer.refused = address->ip;
    return CURL_SOCKET_BAD;
  }
  transfer.was_allowed = true;
  return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

// Head lines and the body, which nobody reads: they are counted.
size_t on_answer(char*, size_t size, size_t count, void* of) {
  Transfer& transfer = *static_cast<Transfer*>(of);
  transfer.answer_bytes += size * count;
  transfer.is_too_long = transfer.answer_bytes > kAnswerBytesMax;
  return transfer.is_too_long ? 0 : size * count;
}

HeaderList header_list(const node::WebRequest& request) {
  HeaderList list;
  const auto add = [&list](const std::string& line) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    CHECK(longer != nullptr);
    list.release();
    list.reset(longer);
  };
  for (const auto& [name, value] : request.headers)
    add(value.empty() ? name + ";" : name + ": " + value);
  add("Expect:");  // not sent: nobody waits for a 100
  return list;
}

// --- why -------------------------------------------------------------------------------------------

std::string why_not_connected(const Transfer& transfer) {
  if (transfer.refused && !transfer.was_allowed)
    return "address " + transfer.refused->text() + " is not allowed";
  long number = 0;
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_OS_ERRNO, &number);
  if (number == ECONNREFUSED) return "connection refused";
  return number == ENETUNREACH || number == EHOSTUNREACH ? "no route" : "no connection";
}

// libcurl's text about a certificate holds the host's name and what is wrong, nothing of the request.  It may also hold
// a name out of the certificate, which can be anything.
std::string why_not_trusted(const Transfer& transfer) {
  std::string_view text = transfer.error.data();
  for (const std::string_view prefix : {"SSL certificate problem: ", "SSL: "})
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  std::string out(text.empty() ? "not trusted" : text);
  std::ranges::replace_if(
      out, [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return "certificate: " + out;
}

std::string why_failed(const Transfer& transfer, CURLcode code) {
  if (transfer.is_too_long) return "answer too long";
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return "timeout";
    case CURLE_COULDNT_RESOLVE_HOST:
      return "name cannot be resolved";
    case CURLE_COULDNT_CONNECT:
      return why_not_connected(transfer);
    case CURLE_PEER_FAILED_VERIFICATION:
      return why_not_trusted(transfer);
    case CURLE_SSL_CACERT_BADFILE:
      return "certificate: webhook.ca_file cannot be read";
    case CURLE_SSL_CONNECT_ERROR:
      return "no TLS connection";
    case CURLE_URL_MALFORMAT:
      return "malformed address";
    case CURLE_LOGIN_DENIED:
      return "user names in addresses are refused";
    case CURLE_FILESIZE_EXCEEDED:  // Content-Length says so
    case CURLE_OUT_OF_MEMORY:  // of 7.88 for a single head line beyond 100 KB, which on_answer never sees
      return "answer too long";
    case CURLE_UNSUPPORTED_PROTOCOL:  // the address's is http or https: the answer's
    case CURLE_WEIRD_SERVER_REPLY:
      return "answer is not HTTP";
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      return "connection closed before the answer's end";
    default:
      return std::string("failed: ") + curl_easy_strerror(code);  // fixed texts
  }
}

node::WebReply reply_of(const Transfer& transfer, CURLcode code) {
  if (code != CURLE_OK) return {transfer.request.id, 0, why_failed(transfer, code)};
  long status = 0;
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
  node::WebReply reply{transfer.request.id, static_cast<int>(status), ""};
  const std::string number = std::to_string(status);
  if (status >= 300 && status < 400)
    reply.why = "redirect refused (" + number + ")";
  else if (status < 200 || status >= 300)
    reply.why = "answered " + number;
  return reply;
}

}  // namespace

// --- the loop --------------------------------------------------------------------------------------

struct WebClient::State {
  void loop(node::Receiver<node::WebOrder>& orders, node::Sender<node::WebReply>& replies);
  void take(node::Receiver<node::WebOrder>& orders);
  void begin(node::WebRequest request);
  void set_up(Transfer& transfer) const;
  void collect();
  void take_over_rule();
  void deliver(node::Sender<node::WebReply>& replies);
  void wait();
  void abandon();
  bool has_room() const {
    return waiting_replies.empty() && !rules.next && in_flight.size() < options.in_flight_max;
  }

  // given
  WebClientOptions options;
  // owned
  Library library;
  EventWaker waker;
  std::atomic<bool> is_stopping{false};
  std::thread thread;
  // owned, of the web thread
  Rules rules;
  Multi multi = nullptr;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> in_flight;
  std::deque<node::WebReply> waiting_replies;  // at most in_flight_max and one
  bool is_ring_empty = false;
  bool has_tried_address = false;
};

void WebClient::State::loop(node::Receiver<node::WebOrder>& orders,
                            node::Sender<node::WebReply>& replies) {
  ::pthread_setname_np(::pthread_self(), "atrium-web");
  // A write to a connection that the other side closed; CURLOPT_NOSIGNAL leaves it to us.
  sigset_t pipe;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  while (!is_stopping.load(std::memory_order_acquire)) {
    take(orders);
    int running = 0;
    CHECK(curl_multi_perform(multi.get(), &running) == CURLM_OK);
    collect();
    take_over_rule();
    deliver(replies);
    wait();
  }
  abandon();
}

void WebClient::State::take(node::Receiver<node::WebOrder>& orders) {
  is_ring_empty = false;
  while (has_room()) {
    node::WebOrder order;
    if (!orders.try_receive(order)) {
      is_ring_empty = true;
      return;
    }
    if (auto* request = std::get_if<node::WebRequest>(&order)) {
      begin(std::move(*request));
    } else {
      rules.next = std::get<node::WebRule>(std::move(order));
      CHECK(rules.next);
      take_over_rule();
    }
  }
}

void WebClient::State::begin(node::WebRequest request) {
  if (std::string problem = problem_of(request); !problem.empty()) {
    waiting_replies.push_back({request.id, 0, std::move(problem)});
    return;
  }
  auto transfer = std::make_unique<Transfer>(std::move(request), rules, has_tried_address);
  set_up(*transfer);
  CURL* easy = transfer->easy.get();
  CHECK(curl_multi_add_handle(multi.get(), easy) == CURLM_OK);
  in_flight.emplace(easy, std::move(transfer));
}

void WebClient::State::set_up(Transfer& transfer) const {
  transfer.easy.reset(curl_easy_init());
  CHECK(transfer.easy != nullptr);
  transfer.headers = header_list(transfer.request);
  const auto set = [easy = transfer.easy.get()](CURLoption option, auto value) {
    CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
  };
  const node::WebRequest& request = transfer.request;
  // Where to, and with what.
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  set(CURLOPT_POSTFIELDS, request.body.c_str());  // makes it a POST; not copied
  set(CURLOPT_HTTPHEADER, transfer.headers.get());
  // Nothing that the environment, the answer or the address could add.
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOPROXY, "*");
  set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  set(CURLOPT_HTTPAUTH, long{CURLAUTH_NONE});
  set(CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
  // Who is believed to be there.
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  // The system's authorities are found one by one in their folder; reading the whole bundle for each connection would
  // take tens of milliseconds.  That leaves the bundle's place to the operator's own.
  set(CURLOPT_CAINFO, options.ca_file.empty() ? nullptr : options.ca_file.c_str());
  set(CURLOPT_OPENSOCKETFUNCTION, &on_socket);
  set(CURLOPT_OPENSOCKETDATA, &transfer);
  // Bounds.
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(options.answer).count();
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(ms));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(ms));
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(kAnswerBytesMax));
  set(CURLOPT_HEADERFUNCTION, &on_answer);
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_WRITEFUNCTION, &on_answer);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_ERRORBUFFER, transfer.error.data());
  // A look-up that nobody waits for any more is left to its thread, which ends with it; waiting would stop the loop.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
}

void WebClient::State::collect() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;  // the message goes with the handle
    const auto at = in_flight.find(easy);
    CHECK(at != in_flight.end());
    waiting_replies.push_back(reply_of(*at->second, code));
    CHECK(curl_multi_remove_handle(multi.get(), easy) == CURLM_OK);
    in_flight.erase(at);
  }
}

// Connections that were made under the old rule end with their multi handle.
void WebClient::State::take_over_rule() {
  if (!rules.next || !in_flight.empty()) return;
  rules.current = std::exchange(rules.next, nullptr);
  multi = make_multi();
}

void WebClient::State::deliver(node::Sender<node::WebReply>& replies) {
  while (!waiting_replies.empty() && replies.try_send(waiting_replies.front()))
    waiting_replies.pop_front();
}

void WebClient::State::wait() {
  // Behind an address that failed at once libcurl goes on to the next one when it is called, and sets itself no alarm.
  const bool has_more = std::exchange(has_tried_address, false) || (has_room() && !is_ring_empty);
  const int ms = has_more ? 0 : waiting_replies.empty() ? kPollMs : kFullRingMs;
  curl_waitfd woken{waker.descriptor(), CURL_WAIT_POLLIN, 0};
  CHECK(curl_multi_poll(multi.get(), &woken, 1, ms, nullptr) == CURLM_OK);
  // Before the rings and is_stopping are looked at: see WorkerThread.
  if ((woken.revents & CURL_WAIT_POLLIN) != 0) waker.acknowledge();
}

void WebClient::State::abandon() {
  for (const auto& [easy, transfer] : in_flight) curl_multi_remove_handle(multi.get(), easy);
  in_flight.clear();
  multi.reset();
}

// --- the public verbs --------------------------------------------------------------------------------

WebClient::WebClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
WebClient::~WebClient() {
  stop();
}

Result<std::unique_ptr<WebClient>> WebClient::create(WebClientOptions options) {
  CHECK(options.rule && options.in_flight_max >= 1);
  auto state = std::make_unique<State>();
  const curl_version_info_data& version = *curl_version_info(CURLVERSION_NOW);
  if (version.version_num < 0x075700)
    return fail(ErrorKind::Unsupported, "libcurl is older than 7.87");
  if ((version.features & CURL_VERSION_ASYNCHDNS) == 0)
    return fail(ErrorKind::Unsupported, "libcurl looks names up in the caller's thread");
  if ((version.features & CURL_VERSION_SSL) == 0 || version.capath == nullptr)
    return fail(ErrorKind::Unsupported, "libcurl has no TLS, or no folder of authorities");
  state->rules.current = std::exchange(options.rule, nullptr);
  state->options = std::move(options);
  state->multi = make_multi();
  return std::unique_ptr<WebClient>(new WebClient(std::move(state)));
}

node::Waker& WebClient::waker() {
  return state_->waker;
}

void WebClient::start(node::Receiver<node::WebOrder>& orders,
                      node::Sender<node::WebReply>& replies) {
  CHECK(!state_->thread.joinable());
  state_->thread = std::thread([this, &orders, &replies] { state_->loop(orders, replies); });
}

void WebClient::stop() {
  if (!state_->thread.joinable()) return;
  state_->is_stopping.store(true, std::memory_order_release);
  state_->waker.wake();
  state_->thread.join();
}

}  // namespace atrium::runtime
