#include "apps/atriumload/settings.h"

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <fstream>
#include <map>
#include <utility>

#include "apps/atriumload/pattern.h"
#include "wire/data_packet.h"

namespace atrium::load {
namespace {

constexpr char kFooter[] =
    "Exit codes: 0 the run showed no fault; 1 it did (joins failed, media corrupted, a dismissal "
    "that did not end "
    "everything); 2 usage; 3 the server cannot be reached.\n"
    "Examples:\n"
    "  atriumload one-to-many --dev --clients 50 --server-pid $(pidof atriumd)\n"
    "  atriumload audio-rooms --dev --rooms 20 --clients 10 -o json\n"
    "  atriumload dismissal --dev --clients 1000 --publishers 1\n"
    "  atriumload one-to-many --driver janus --url ws://127.0.0.1:8188 --clients 50\n";

const std::map<std::string, Scenario> kScenarios{{"join-storm", Scenario::JoinStorm},
                                                 {"one-to-many", Scenario::OneToMany},
                                                 {"many-to-many", Scenario::ManyToMany},
                                                 {"audio-rooms", Scenario::AudioRooms},
                                                 {"data", Scenario::Data},
                                                 {"churn", Scenario::Churn},
                                                 {"dismissal", Scenario::Dismissal}};
const std::map<std::string, DriverKind> kDrivers{{"livekit", DriverKind::LiveKit},
                                                 {"janus", DriverKind::Janus}};
const std::map<std::string, media::SrtpProfile> kProfiles{
    {"aead_aes_128_gcm", media::SrtpProfile::AeadAes128Gcm},
    {"aead_aes_256_gcm", media::SrtpProfile::AeadAes256Gcm},
    {"aes128_cm_sha1_80", media::SrtpProfile::Aes128CmSha1_80}};

// The account and app of `atriumd --dev`: public, so not a secret.
void use_development_keys(Settings& s) {
  s.api_key = "devkey", s.api_secret = "secret";
  s.app_id = "a7e100000000000000000001", s.app_key = "devappkey00000000000000000000001";
  s.access_key = "AKLTdevaccesskey000000000001", s.secret_key = "ZGV2LXNlY3JldC1rZXk=";
}

// What CLI11 fills; then made into Settings.
struct Words {
  Settings s;
  std::string url = "ws://127.0.0.1:7880", token = "jwt", output = "table", media;
  std::string api_secret_file, app_key_file, secret_key_file;
  double duration = 10, warm_up = 1, linger = 3, stay = 3, join_timeout = 15;
  int64_t video_kbps = 1'200;
  int server_pid = 0;
  bool dev = false;
};

CLI::Option* number(CLI::App& app, const char* name, int64_t& value, int64_t least, int64_t most,
                    const char* what) {
  return app.add_option(name, value, what)->check(CLI::Range(least, most))->capture_default_str();
}
CLI::Option* number(CLI::App& app, const char* name, double& value, double least, double most,
                    const char* what) {
  return app.add_option(name, value, what)->check(CLI::Range(least, most))->capture_default_str();
}

void add_load_options(CLI::App& app, Words& w) {
  Settings& s = w.s;
  app.add_option("scenario", s.scenario,
                 "join-storm, one-to-many, many-to-many, audio-rooms, data, churn or dismissal")
      ->required()
      ->transform(CLI::CheckedTransformer(kScenarios).description(""));
  number(app, "--rooms", s.rooms, 1, kRoomsMax, "rooms");
  number(app, "--clients", s.clients, 1, kClientsMax, "clients of each room, publishers included");
  number(app, "--publishers", s.publishers, 0, kClientsMax,
         "of them publish; 0: as the scenario has it");
  app.add_option("--media", w.media, "what publishers send: video, audio, both or none")
      ->check(CLI::IsMember({"video", "audio", "both", "none"}));
  app.add_option("--room-prefix", s.room_prefix, "rooms are called PREFIX-0, PREFIX-1 and so on")
      ->capture_default_str();
  app.add_option("--user-prefix", s.user_prefix, "users are called PREFIX0, PREFIX1 and so on")
      ->capture_default_str();
  app.add_flag("--hidden", s.hidden,
               "who does not publish is invisible to the others (jwt tokens alone)");
  number(app, "--join-rate", s.join_rate, 0, 100'000,
         "joins a second; 0: as fast as --joins-in-flight permits");
  number(app, "--joins-in-flight", s.joins_in_flight, 1, kClientsMax,
         "joins begun and not complete yet");
  number(app, "--join-timeout", w.join_timeout, 1, 120, "seconds until a join has failed");
  number(app, "--warm-up", w.warm_up, 0, 60, "seconds between the last join and the measuring");
  number(app, "--duration", w.duration, 0.1, static_cast<double>(kDurationSMax),
         "seconds that are measured");
  number(app, "--linger", w.linger, 0.5, 60, "seconds that a dismissal is watched");
  number(app, "--stay", w.stay, 0.1, 600, "churn: mean seconds of a client in its room");
  number(app, "--video-kbps", w.video_kbps, 50, 20'000, "of each video");
  number(app, "--fps", s.frames_per_second, 1, 120, "video frames a second");
  number(app, "--data-rate", s.data_rate, 0.1, 10'000, "data: messages a second of each sender");
  number(app, "--data-bytes", s.data_bytes, static_cast<int64_t>(kPatternHeaderBytes), 15'000,
         "data: bytes of a message");
  number(app, "--verify-every", s.verify_every, 1, kClientsMax,
         "every how manieth client decrypts and checks media; the others read RTP headers alone");
  app.add_flag("--gro,!--no-gro", s.gro,
               "take runs of datagrams at once (UDP_GRO); spares this tool's CPU");
  app.add_flag("--full-offer,!--small-offer", s.full_offer,
               "livekit: offer all that the SDKs offer, 14 to 18 kB");
  app.add_flag("--quiet-joins", s.quiet_joins, "media begins once all have joined");
  app.add_option("--srtp-profile", s.srtp_profile,
                 "aead_aes_128_gcm, aead_aes_256_gcm or aes128_cm_sha1_80")
      ->transform(CLI::CheckedTransformer(kProfiles, CLI::ignore_case).description(""));
  number(app, "--threads", s.threads, 1, kThreadsMax, "threads of this tool");
}

void add_world_options(CLI::App& app, Words& w) {
  Settings& s = w.s;
  app.add_option("--driver", s.driver, "livekit (Atrium) or janus (VideoRoom)")
      ->transform(CLI::CheckedTransformer(kDrivers).description(""));
  app.add_option("--url", w.url, "ws://ADDRESS:PORT[/PATH], a literal address")
      ->capture_default_str();
  app.add_flag("--allow-remote", s.allow_remote, "load a server that is not on this machine");
  app.add_flag("--dev", w.dev, "use the public keys and app of a server started with --dev");
  app.add_option("--token", w.token, "jwt (API key and secret) or 001 (AppId and AppKey)")
      ->check(CLI::IsMember({"jwt", "001"}))
      ->capture_default_str();
  app.add_option("--api-key", s.api_key, "signs JWTs")->envname("ATRIUM_API_KEY");
  app.add_option("--api-secret-file", w.api_secret_file,
                 "file of its secret, or ATRIUM_API_SECRET");
  app.add_option("--app", s.app_id, "AppId, of 001 tokens and of the dismissal")
      ->envname("ATRIUM_APP_ID");
  app.add_option("--app-key-file", w.app_key_file, "file of its AppKey, or ATRIUM_APP_KEY");
  app.add_option("--access-key", s.access_key, "signs DismissRoom")->envname("ATRIUM_ACCESS_KEY");
  app.add_option("--secret-key-file", w.secret_key_file,
                 "file of its secret, or ATRIUM_SECRET_KEY");
  app.add_option("--management-url", s.management_url,
                 "where DismissRoom is asked for, if not at --url");
  app.add_option("--server-pid", w.server_pid, "the server's process, whose CPU time is read")
      ->check(CLI::PositiveNumber);
  app.add_option("-o,--output", w.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  app.add_flag("-q,--quiet", s.quiet, "no progress on stderr");
}

std::optional<std::string> parse_url(const std::string& text, Settings& s) {
  std::string_view rest = text;
  for (std::string_view scheme : {"ws://", "http://"})
    if (rest.starts_with(scheme)) rest.remove_prefix(scheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  const size_t colon = authority.rfind(':');
  std::string_view host = authority.substr(0, std::min(colon, authority.size()));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto ip = IpAddress::parse(host);
  uint16_t port = 0;
  if (colon != authority.npos)
    std::from_chars(authority.data() + colon + 1, authority.data() + authority.size(), port);
  if (!ip || port == 0)
    return "--url: must be ws://ADDRESS:PORT with a literal address and a port of 1 to 65535";
  s.server = {*ip, port};
  s.path_prefix = rest.substr(slash);
  while (s.path_prefix.ends_with('/')) s.path_prefix.pop_back();
  return std::nullopt;
}

// A secret of a file, of the environment, or what stands there already.
std::optional<std::string> take_secret(const std::string& file, const char* option,
                                       const char* variable, std::string& secret) {
  if (!file.empty()) {
    std::ifstream in(file);
    if (!in || !std::getline(in, secret) || secret.empty())
      return std::string(option) + ": cannot read a secret from " + file;
    return std::nullopt;
  }
  if (const char* value = std::getenv(variable)) secret = value;
  return std::nullopt;
}

Duration seconds(double value) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
}

void choose_media(const Words& w, Settings& s) {
  const bool is_given = !w.media.empty();
  s.video = is_given ? w.media == "video" || w.media == "both"
                     : s.scenario != Scenario::AudioRooms && s.scenario != Scenario::Data &&
                           s.scenario != Scenario::JoinStorm;
  s.audio = is_given ? w.media == "audio" || w.media == "both" : s.scenario == Scenario::AudioRooms;
  if (s.publishers == 0) {
    const bool is_one = s.scenario == Scenario::OneToMany || s.scenario == Scenario::Churn;
    const bool is_all = s.scenario == Scenario::ManyToMany || s.scenario == Scenario::AudioRooms ||
                        s.scenario == Scenario::Data;
    s.publishers = is_one ? 1 : is_all ? s.clients : 0;
  }
}

std::optional<std::string> check(const Settings& s) {
  if (s.all_clients() > kClientsMax)
    return "--rooms times --clients: " + std::to_string(s.all_clients()) + " clients, at most " +
           std::to_string(kClientsMax);
  if (s.publishers > s.clients)
    return "--publishers: at most as many as --clients, 0 to " + std::to_string(s.clients);
  if (s.video_bps / 8 / s.frames_per_second < 200)
    return "--video-kbps, --fps: a frame must have 200 bytes or more, so at least " +
           std::to_string(s.frames_per_second * 1'600 / 1'000 + 1) + " kbit/s at " +
           std::to_string(s.frames_per_second) + " frames a second";
  if (s.hidden && (s.driver == DriverKind::Janus || s.token_kind != TokenKind::Jwt))
    return "--hidden: for --driver livekit with --token jwt alone";
  if (s.scenario == Scenario::Data && s.driver == DriverKind::Janus)
    return "--driver: the scenario data is for livekit alone";
  if (s.driver == DriverKind::Janus) return std::nullopt;
  if (s.token_kind == TokenKind::Jwt && (s.api_key.empty() || s.api_secret.empty()))
    return "--api-key, --api-secret-file: needed to sign JWTs; --dev where the server runs with "
           "--dev";
  if (s.token_kind == TokenKind::Vendor && (s.app_id.size() != 24 || s.app_key.empty()))
    return "--app, --app-key-file: an AppId of 24 characters and its AppKey are needed to sign 001 "
           "tokens";
  if (s.scenario == Scenario::Dismissal &&
      (s.app_id.empty() || s.access_key.empty() || s.secret_key.empty()))
    return "--app, --access-key, --secret-key-file: needed to ask for DismissRoom; --dev where the "
           "server runs with --dev";
  return std::nullopt;
}

std::optional<std::string> finish(Words& w) {
  Settings& s = w.s;
  if (w.dev) use_development_keys(s);
  for (const auto& problem :
       {parse_url(w.url, s),
        take_secret(w.api_secret_file, "--api-secret-file", "ATRIUM_API_SECRET", s.api_secret),
        take_secret(w.app_key_file, "--app-key-file", "ATRIUM_APP_KEY", s.app_key),
        take_secret(w.secret_key_file, "--secret-key-file", "ATRIUM_SECRET_KEY", s.secret_key)})
    if (problem) return problem;
  s.token_kind = w.token == "001" ? TokenKind::Vendor : TokenKind::Jwt;
  s.duration = seconds(w.duration), s.warm_up = seconds(w.warm_up), s.linger = seconds(w.linger);
  s.stay = seconds(w.stay), s.join_timeout = seconds(w.join_timeout);
  s.video_bps = w.video_kbps * 1'000;
  s.json = w.output == "json";
  if (w.server_pid > 0) s.server_pid = w.server_pid;
  if (s.management_url.empty()) s.management_url = "http://" + s.server.text();
  choose_media(w, s);
  return check(s);
}

}  // namespace

std::expected<Settings, NoRun> read_command_line(int argc, const char* const* argv) {
  CLI::App app{
      "Loads an Atrium (or Janus VideoRoom) server with real clients: ICE, DTLS, SRTP, SCTP; no "
      "browser.",
      "atriumload"};
  app.footer(kFooter);
  Words words;
  add_load_options(app, words);
  add_world_options(app, words);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return std::unexpected(NoRun{0, app.help()});
  } catch (const CLI::ParseError& error) {
    return std::unexpected(
        NoRun{2, std::string(error.what()) + "\nRun with --help for more information.\n"});
  }
  if (const auto problem = finish(words)) return std::unexpected(NoRun{2, *problem + "\n"});
  return words.s;
}

const char* name_of(Scenario scenario) {
  for (const auto& [name, value] : kScenarios)
    if (value == scenario) return name.c_str();
  return "";
}

const char* name_of(media::SrtpProfile profile) {
  for (const auto& [name, value] : kProfiles)
    if (value == profile) return name.c_str();
  return "";
}

}  // namespace atrium::load
