// bare_forwarder: the least that a media server must do, as a limit to measure servers against: receive, decrypt once,
// encrypt for each receiver, send.  No ICE, DTLS, RTCP, rooms, statistics or replay check.
// Three threads: a source that sends what atriumload's publishers send, the loop (its CPU time alone is counted), a
// sink that receives and decrypts what came for the first receiver.  All on loopback.
// Exit codes: 0; 1: something was lost on the way or did not decrypt, so the figure says nothing; 2: usage.
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "apps/atriumload/frame_sizes.h"
#include "bench/bare_cipher.h"

namespace atrium::bench {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr size_t kBatch = 64, kDatagramMax = 1'500;
constexpr size_t kSegmentsMax = 64, kSegmentBytesMax = 60'000;

struct Options {
  uint32_t publishers = 1,
           receivers =
               10;  // each packet goes to every receiver; of a full mesh, but its own publisher
  bool is_mesh = false, is_audio = false;
  Profile profile = Profile::Gcm;
  double seconds = 10;
};

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

struct Endpoint {
  int descriptor = -1;
  uint16_t port = 0;
};
Endpoint open_endpoint(int receive_bytes) {
  Endpoint out;
  out.descriptor = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (out.descriptor < 0) fail("socket");
  ::setsockopt(out.descriptor, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
  ::setsockopt(out.descriptor, SOL_SOCKET, SO_SNDBUF, &receive_bytes, sizeof receive_bytes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(out.descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    fail("bind");
  socklen_t size = sizeof address;
  ::getsockname(out.descriptor, reinterpret_cast<sockaddr*>(&address), &size);
  out.port = ntohs(address.sin_port);
  return out;
}
sockaddr_in loopback(uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

std::array<uint8_t, kRtpHeader> rtp_header(uint16_t seq, uint32_t ssrc) {
  return {0x80,
          96,
          static_cast<uint8_t>(seq >> 8),
          static_cast<uint8_t>(seq),
          0,
          0,
          0,
          0,
          static_cast<uint8_t>(ssrc >> 24),
          static_cast<uint8_t>(ssrc >> 16),
          static_cast<uint8_t>(ssrc >> 8),
          static_cast<uint8_t>(ssrc)};
}

double thread_cpu_seconds() {
  timespec at{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) / 1e9;
}

// --- the loop: what is measured ----------------------------------------------------------------------------------

class Loop {
 public:
  struct Result {
    uint64_t in = 0, out = 0, refused = 0, undecryptable = 0;
    double cpu_seconds = 0;
  };
  Loop(const Options& options, const std::vector<Endpoint>& publishers,
       const std::vector<Endpoint>& receivers)
      : options_(options), endpoint_(open_endpoint(8 << 20)), publisher_of_(65'536, -1) {
    for (uint32_t i = 0; i < publishers.size(); ++i) {
      publisher_of_[publishers[i].port] = static_cast<int>(i);
      inbound_.emplace_back(options.profile, i, false);
    }
    for (uint32_t i = 0; i < receivers.size(); ++i) {
      outbound_.emplace_back(options.profile, 1'000 + i, true);
      addresses_.push_back(loopback(receivers[i].port));
      sequences_.emplace_back(publishers.size(), 0);
    }
  }
  uint16_t port() const { return endpoint_.port; }

  void run(const std::stop_token& stop) {
    const double before = thread_cpu_seconds();
    while (!stop.stop_requested()) {
      pollfd waiting{endpoint_.descriptor, POLLIN, 0};
      if (::poll(&waiting, 1, 100) <= 0) continue;
      receive();
      for (uint32_t receiver = 0; receiver < outbound_.size(); ++receiver) encrypt_for(receiver);
      send();
    }
    result_.cpu_seconds = thread_cpu_seconds() - before;
  }
  const Result& result() const { return result_; }

 private:
  struct Plain {
    uint32_t publisher = 0;
    std::span<const uint8_t> payload;
  };

  void receive() {
    plain_.clear();
    for (size_t i = 0; i < kBatch; ++i) {
      parts_in_[i] = {buffers_[i].data(), buffers_[i].size()};
      headers_in_[i].msg_hdr = {&names_[i], sizeof names_[i], &parts_in_[i], 1, nullptr, 0, 0};
    }
    const int count =
        ::recvmmsg(endpoint_.descriptor, headers_in_.data(), kBatch, MSG_DONTWAIT, nullptr);
    for (size_t i = 0; i < static_cast<size_t>(std::max(count, 0)); ++i) {
      const int publisher = publisher_of_[ntohs(names_[i].sin_port)];
      const std::span packet(buffers_[i].data(), headers_in_[i].msg_len);
      ++result_.in;
      if (publisher < 0 || !inbound_[static_cast<size_t>(publisher)].unprotect(packet)) {
        ++result_.undecryptable;
        continue;
      }
      plain_.push_back(
          {static_cast<uint32_t>(publisher),
           packet.subspan(kRtpHeader, packet.size() - kRtpHeader - tag_length(options_.profile))});
    }
  }

  // What this turn made for one peer is sent as runs of equal size, of which the last datagram may be shorter.
  void encrypt_for(uint32_t receiver) {
    size_t run = 0;
    for (const Plain& packet : plain_) {
      if (options_.is_mesh && packet.publisher == receiver) continue;
      if (used_ + kDatagramMax > area_.size()) {
        send();
        run = 0;
      }
      const auto header =
          rtp_header(++sequences_[receiver][packet.publisher], 0x10000u + packet.publisher);
      uint8_t* const at = area_.data() + used_;
      const size_t size = outbound_[receiver].protect(header, packet.payload, at);
      used_ += size;
      const bool fits = run > 0 && size <= messages_.back().segment && run < kSegmentsMax &&
                        !messages_.back().is_closed &&
                        messages_.back().part.iov_len + size <= kSegmentBytesMax;
      if (fits) {
        messages_.back().part.iov_len += size;
        messages_.back().is_closed = size < messages_.back().segment;
        ++messages_.back().datagrams;
        ++run;
        continue;
      }
      if (messages_.size() == kBatch) {
        // What was just written stays where it is: sending does not touch the area.
        flush();
      }
      messages_.push_back({{at, size}, receiver, static_cast<uint16_t>(size), 1, false});
      run = 1;
    }
  }

  void send() {
    flush();
    used_ = 0;
  }
  void flush() {
    for (size_t i = 0; i < messages_.size(); ++i) {
      msghdr& header = headers_out_[i].msg_hdr;
      header = {&addresses_[messages_[i].receiver],
                sizeof(sockaddr_in),
                &messages_[i].part,
                1,
                nullptr,
                0,
                0};
      if (messages_[i].datagrams < 2) continue;
      header.msg_control = controls_[i].data();
      header.msg_controllen = CMSG_SPACE(sizeof(uint16_t));
      cmsghdr* const control = CMSG_FIRSTHDR(&header);
      control->cmsg_level = IPPROTO_UDP;
      control->cmsg_type = UDP_SEGMENT;
      control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
      std::memcpy(CMSG_DATA(control), &messages_[i].segment, sizeof(uint16_t));
    }
    for (size_t done = 0; done < messages_.size();) {
      const int count = ::sendmmsg(endpoint_.descriptor, headers_out_.data() + done,
                                   static_cast<unsigned>(messages_.size() - done), 0);
      if (count > 0) {
        for (int i = 0; i < count; ++i) result_.out += messages_[done++].datagrams;
        continue;
      }
      if (errno == EAGAIN) {
        pollfd waiting{endpoint_.descriptor, POLLOUT, 0};
        ::poll(&waiting, 1, 10);
        continue;
      }
      result_.refused += messages_[done++].datagrams;
    }
    messages_.clear();
  }

  struct Message {
    iovec part;
    uint32_t receiver;
    uint16_t segment;
    uint32_t datagrams;
    bool is_closed;  // a shorter datagram ends it
  };
  const Options options_;
  Endpoint endpoint_;
  std::vector<int> publisher_of_;  // by port
  std::vector<BareCipher> inbound_, outbound_;
  std::vector<sockaddr_in> addresses_;
  std::vector<std::vector<uint16_t>> sequences_;  // by receiver, publisher
  std::array<std::array<uint8_t, kDatagramMax>, kBatch> buffers_{};
  std::array<mmsghdr, kBatch> headers_in_{}, headers_out_{};
  std::array<sockaddr_in, kBatch> names_{};
  std::array<iovec, kBatch> parts_in_{};
  alignas(
      cmsghdr) std::array<std::array<uint8_t, CMSG_SPACE(sizeof(uint16_t))>, kBatch> controls_{};
  std::vector<Plain> plain_;
  std::vector<Message> messages_;
  std::vector<uint8_t> area_ = std::vector<uint8_t>(4 << 20);
  size_t used_ = 0;
  Result result_;
};

// --- both ends ---------------------------------------------------------------------------------------------------

class Source {
 public:
  Source(const Options& options, std::vector<Endpoint> endpoints, uint16_t to)
      : options_(options), endpoints_(std::move(endpoints)), to_(loopback(to)) {
    for (uint32_t i = 0; i < endpoints_.size(); ++i) {
      ciphers_.emplace_back(options.profile, i, true);
      sequences_.push_back(0);
    }
  }
  void run(Clock::time_point end) {
    const auto interval = options_.is_audio ? Clock::duration(20ms)
                                            : Clock::duration(std::chrono::nanoseconds(33'333'333));
    const auto began = Clock::now();
    for (uint32_t frame = 0;; ++frame)
      for (uint32_t publisher = 0; publisher < endpoints_.size(); ++publisher) {
        const auto due = began + interval * frame + interval * publisher / endpoints_.size();
        if (due >= end) return;
        std::this_thread::sleep_until(due);
        send_frame(publisher, frame);
      }
  }
  uint64_t sent() const { return sent_; }

 private:
  void send_frame(uint32_t publisher, uint32_t frame) {
    const std::vector<size_t> sizes =
        options_.is_audio
            ? std::vector{load::audio_bytes(frame)}
            : load::split_frame(load::frame_bytes(1'200'000, 30, frame), load::kPayloadBytesMax);
    std::array<std::array<uint8_t, kDatagramMax>, 16> packets;
    std::array<iovec, 16> parts{};
    std::array<mmsghdr, 16> headers{};
    for (size_t i = 0; i < sizes.size(); ++i) {
      const std::vector<uint8_t> payload(sizes[i], static_cast<uint8_t>(frame));
      const size_t size = ciphers_[publisher].protect(
          rtp_header(++sequences_[publisher], publisher), payload, packets[i].data());
      parts[i] = {packets[i].data(), size};
      headers[i].msg_hdr = {&to_, sizeof to_, &parts[i], 1, nullptr, 0, 0};
    }
    const int count = ::sendmmsg(endpoints_[publisher].descriptor, headers.data(),
                                 static_cast<unsigned>(sizes.size()), 0);
    sent_ += static_cast<uint64_t>(std::max(count, 0));
  }

  const Options options_;
  const std::vector<Endpoint> endpoints_;
  sockaddr_in to_;
  std::vector<BareCipher> ciphers_;
  std::vector<uint16_t> sequences_;
  uint64_t sent_ = 0;
};

class Sink {
 public:
  Sink(const Options& options, std::vector<Endpoint> endpoints)
      : endpoints_(std::move(endpoints)),
        first_(options.profile, 1'000, false),
        poller_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (size_t i = 0; i < endpoints_.size(); ++i) {
      epoll_event event{EPOLLIN, {.u64 = i}};
      if (::epoll_ctl(poller_, EPOLL_CTL_ADD, endpoints_[i].descriptor, &event) != 0)
        fail("epoll_ctl");
    }
  }
  void run(const std::stop_token& stop) {
    std::array<epoll_event, 256> events{};
    while (!stop.stop_requested()) {
      const int count = ::epoll_wait(poller_, events.data(), events.size(), 50);
      for (int i = 0; i < count; ++i) receive(events[static_cast<size_t>(i)].data.u64);
    }
  }
  uint64_t received() const { return received_; }
  uint64_t undecryptable() const { return undecryptable_; }

 private:
  void receive(size_t which) {
    std::array<iovec, 32> parts{};
    std::array<mmsghdr, 32> headers{};
    for (size_t i = 0; i < parts.size(); ++i) {
      parts[i] = {buffers_[i].data(), buffers_[i].size()};
      headers[i].msg_hdr = {nullptr, 0, &parts[i], 1, nullptr, 0, 0};
    }
    const int count = ::recvmmsg(endpoints_[which].descriptor, headers.data(), headers.size(),
                                 MSG_DONTWAIT, nullptr);
    if (count <= 0) return;
    received_ += static_cast<uint64_t>(count);
    if (which != 0) return;
    for (size_t i = 0; i < static_cast<size_t>(count); ++i)
      if (!first_.unprotect({buffers_[i].data(), headers[i].msg_len})) ++undecryptable_;
  }

  const std::vector<Endpoint> endpoints_;
  BareCipher first_;
  const int poller_;
  std::array<std::array<uint8_t, kDatagramMax>, 32> buffers_{};
  uint64_t received_ = 0, undecryptable_ = 0;
};

int run(const Options& options) {
  std::vector<Endpoint> receivers, publishers;
  for (uint32_t i = 0; i < options.receivers; ++i) receivers.push_back(open_endpoint(1 << 20));
  for (uint32_t i = 0; i < options.publishers; ++i)
    publishers.push_back(options.is_mesh ? receivers[i] : open_endpoint(1 << 20));
  Loop loop(options, publishers, receivers);
  Source source(options, publishers, loop.port());
  Sink sink(options, receivers);
  std::jthread sinking([&](const std::stop_token& stop) { sink.run(stop); });
  std::jthread looping([&](const std::stop_token& stop) { loop.run(stop); });
  source.run(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double>(options.seconds)));
  std::this_thread::sleep_for(300ms);  // what is on its way arrives
  looping.request_stop();
  looping.join();
  sinking.request_stop();
  sinking.join();
  const Loop::Result& result = loop.result();
  const bool is_sound = result.out > 0 && result.in == source.sent() &&
                        sink.received() == result.out &&
                        result.undecryptable + result.refused + sink.undecryptable() == 0;
  std::printf(
      "{\"packets_in\": %llu, \"packets_out\": %llu, \"packets_received\": %llu, \"cpu_seconds\": "
      "%.6f, "
      "\"cpu_seconds_per_million\": %.4f, \"sound\": %s}\n",
      static_cast<unsigned long long>(result.in), static_cast<unsigned long long>(result.out),
      static_cast<unsigned long long>(sink.received()), result.cpu_seconds,
      result.cpu_seconds * 1e6 / static_cast<double>(std::max<uint64_t>(result.out, 1)),
      is_sound ? "true" : "false");
  return is_sound ? 0 : 1;
}

}  // namespace
}  // namespace atrium::bench

int main(int argc, char** argv) {
  using namespace atrium::bench;
  CLI::App app{
      "bare_forwarder: the CPU time of receiving, decrypting once, encrypting N times and sending"};
  Options options;
  std::string profile = "gcm";
  app.add_option("--publishers", options.publishers, "who sends")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--receivers", options.receivers, "who gets each packet")
      ->check(CLI::Range(1, 2'000))
      ->capture_default_str();
  app.add_flag("--mesh", options.is_mesh,
               "publishers are receivers, too, and do not get their own packets");
  app.add_flag("--audio", options.is_audio,
               "Opus-like packets every 20 ms instead of video of 1.2 Mbit/s");
  app.add_option("--srtp-profile", profile, "AEAD_AES_128_GCM or AES_CM_128_HMAC_SHA1_80")
      ->check(CLI::IsMember({"gcm", "cm"}))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "how long")
      ->check(CLI::Range(1.0, 600.0))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (options.is_mesh && options.publishers != options.receivers) {
    std::fprintf(stderr, "--mesh: --publishers and --receivers must be the same number\n");
    return 2;
  }
  options.profile = profile == "gcm" ? Profile::Gcm : Profile::CmSha1;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  return run(options);
}
