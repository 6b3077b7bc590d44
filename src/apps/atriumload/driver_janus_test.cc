// The words between the driver and Janus, as Janus 1.1 writes them (shortened).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "apps/atriumload/driver.h"
#include "base/seeded_secret_source.h"
#include "wire/sdp.h"

namespace atrium::load {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

constexpr const char* kFingerprint =
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:"
    "FF";

class JanusDriverTest : public ::testing::Test {
 protected:
  void make(Person person) {
    person.room = "load-0", person.user = "u0", person.fingerprint = kFingerprint;
    settings_.driver = DriverKind::Janus;
    settings_.publishers = 1;
    driver_ = make_janus_driver(settings_, person, secrets_, now_);
    driver_->on_open(now_);
  }
  void hear(const std::string& message) { driver_->on_message(message, now_); }
  // The latest thing said.
  json::object said() {
    json::object last;
    for (const std::string& message : driver_->take_messages())
      last = json::parse(message).as_object();
    return last;
  }
  static std::string word(const json::object& object, const char* name) {
    const auto* value = object.if_contains(name);
    return value == nullptr     ? ""
           : value->is_string() ? std::string(value->get_string())
                                : json::serialize(*value);
  }
  static std::string transaction(const json::object& object) { return word(object, "transaction"); }
  template <typename T>
  std::vector<T> events() {
    std::vector<T> out;
    for (DriverEvent& event : driver_->take_events())
      if (T* match = std::get_if<T>(&event)) out.push_back(std::move(*match));
    return out;
  }
  // Session and first handle; yields what is said then.
  json::object attach() {
    EXPECT_EQ(word(said(), "janus"), "create");
    hear(R"({"janus":"success","transaction":"1","data":{"id":11}})");
    const json::object attach = said();
    EXPECT_EQ(word(attach, "plugin"), "janus.plugin.videoroom");
    hear(R"({"janus":"success","session_id":11,"transaction":")" + transaction(attach) +
         R"(","data":{"id":22}})");
    return said();
  }
  void hear_plugin(const std::string& data, const std::string& jsep = "") {
    hear(
        R"({"janus":"event","session_id":11,"sender":22,"plugindata":{"plugin":"janus.plugin.videoroom","data":)" +
        data + "}" + (jsep.empty() ? "" : R"(,"jsep":)" + jsep) + "}");
  }
  static std::string jsep(const char* type, const std::string& sdp) {
    return json::serialize(json::object{{"type", type}, {"sdp", sdp}});
  }
  static std::string description(const char* setup, const char* direction) {
    return std::string(
               "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE "
               "0\r\na=ice-lite\r\n"
               "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 127.0.0.1\r\na=mid:0\r\na=") +
           direction +
           "\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na="
           "fingerprint:sha-256 " +
           kFingerprint + "\r\na=setup:" + setup +
           "\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
           "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
           "a=candidate:1 1 udp 2015363327 127.0.0.1 20002 typ host\r\na=end-of-candidates\r\n";
  }

  Now now_{Mono(1s), Wall(1s)};
  SeededSecretSource secrets_{4};
  Settings settings_;
  std::unique_ptr<Driver> driver_;
};

TEST_F(JanusDriverTest, the_first_client_makes_the_room_and_joins) {
  make({.is_first = true});
  json::object create = attach();
  EXPECT_EQ(word(create, "handle_id"), "22");
  EXPECT_EQ(word(create["body"].as_object(), "request"), "create");
  hear(
      R"({"janus":"success","transaction":")" + transaction(create) +
      R"(","plugindata":{"plugin":"janus.plugin.videoroom","data":{"videoroom":"created","room":70000}}})");
  json::object join = said();
  EXPECT_EQ(word(join["body"].as_object(), "request"), "join");
  EXPECT_EQ(word(join["body"].as_object(), "room"), word(create["body"].as_object(), "room"));
}

TEST_F(JanusDriverTest, rooms_of_other_names_are_other_rooms) {
  std::set<std::string> rooms;
  for (const char* room : {"load-0", "load-1", "other-0", "load-10"}) {
    driver_ = make_janus_driver(settings_, {.room = room, .user = "u"}, secrets_, now_);
    driver_->on_open(now_);
    rooms.insert(word(attach()["body"].as_object(), "room"));
  }
  EXPECT_EQ(rooms.size(), 4u);
}

TEST_F(JanusDriverTest, a_room_that_is_there_already_is_joined) {
  make({.is_first = true});
  const json::object create = attach();
  hear(
      R"({"janus":"success","transaction":")" + transaction(create) +
      R"(","plugindata":{"data":{"videoroom":"event","error_code":427,"error":"Room 70000 already exists!"}}})");
  EXPECT_EQ(word(said()["body"].as_object(), "request"), "join");
  EXPECT_TRUE(events<DriverFailed>().empty());
}

TEST_F(JanusDriverTest, others_wait_until_the_room_is_made) {
  make({});
  EXPECT_EQ(word(attach()["body"].as_object(), "request"), "join");
  hear_plugin(R"({"videoroom":"event","error_code":426,"error":"No such room"})");
  EXPECT_TRUE(said().empty());
  EXPECT_GT(driver_->next_deadline(), now_.mono);
  now_.mono = driver_->next_deadline();
  driver_->on_deadline(now_);
  EXPECT_EQ(word(said()["body"].as_object(), "request"), "join");
}

TEST_F(JanusDriverTest, a_publisher_offers_as_the_dtls_client_and_is_granted_its_stream) {
  make({.publishes_video = true});
  attach();
  hear_plugin(R"({"videoroom":"joined","room":70000,"id":1,"publishers":[]})");
  json::object publish = said();
  EXPECT_EQ(events<SignalJoined>().size(), 1u);
  const auto offer = wire::parse_sdp(word(publish["jsep"].as_object(), "sdp"));
  ASSERT_TRUE(offer);
  ASSERT_EQ(offer->sections.size(), 1u);
  EXPECT_EQ(offer->sections[0].transport.setup, wire::SdpSetup::Active);
  hear_plugin(R"({"videoroom":"event","configured":"ok"})",
              jsep("answer", description("passive", "recvonly")));
  const auto all = driver_->take_events();
  ASSERT_EQ(all.size(), 2u);
  const auto& link = std::get<LinkOpened>(all[0]);
  EXPECT_EQ(link.plan.remote.ufrag, "abcd");
  ASSERT_EQ(link.plan.candidates.size(), 1u);
  EXPECT_EQ(link.plan.candidates[0].text(), "127.0.0.1:20002");
  EXPECT_EQ(link.plan.fingerprint.sha256[1], 0x11);
  const auto& granted = std::get<SendGranted>(all[1]);
  EXPECT_EQ(granted.payload_type, 96);
  EXPECT_EQ(granted.ssrc, offer->sections[0].ssrcs.at(0).ssrc);
  EXPECT_EQ(granted.extensions.mid, 1);
}

TEST_F(JanusDriverTest, a_subscriber_answers_what_is_offered_and_asks_for_who_comes_later) {
  make({});
  attach();
  hear_plugin(R"({"videoroom":"joined","room":70000,"id":1,"publishers":[{"id":5}]})");
  const json::object second = said();
  EXPECT_EQ(word(second, "janus"), "attach");
  hear(R"({"janus":"success","session_id":11,"transaction":")" + transaction(second) +
       R"(","data":{"id":33}})");
  json::object subscribe = said();
  EXPECT_EQ(word(subscribe, "handle_id"), "33");
  EXPECT_EQ(word(subscribe["body"].as_object(), "streams"), R"([{"feed":5}])");
  // Two come while the first offer is on its way, one of them told twice.
  hear_plugin(R"({"videoroom":"event","publishers":[{"id":6}]})");
  hear_plugin(R"({"videoroom":"event","publishers":[{"id":6},{"id":7}]})");
  EXPECT_TRUE(said().empty());
  driver_->take_events();
  hear_plugin(R"({"videoroom":"attached"})", jsep("offer", description("actpass", "sendonly")));
  const auto messages = driver_->take_messages();
  ASSERT_EQ(messages.size(), 2u);
  json::object start = json::parse(messages[0]).as_object();
  const auto answer = wire::parse_sdp(word(start["jsep"].as_object(), "sdp"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->sections.at(0).direction, wire::SdpDirection::RecvOnly);
  EXPECT_EQ(answer->sections.at(0).transport.setup, wire::SdpSetup::Active);
  EXPECT_THAT(messages[1], HasSubstr(R"("streams":[{"feed":6},{"feed":7}])"));
  EXPECT_THAT(messages[1], HasSubstr(R"("request":"subscribe")"));
  const auto named = events<PayloadNamed>();
  ASSERT_EQ(named.size(), 2u);
  EXPECT_EQ(named[0].use, PayloadUse::Video);
  EXPECT_EQ(named[1].use, PayloadUse::Repair);
}

TEST_F(JanusDriverTest, the_end_of_the_room_is_told_and_answered) {
  make({.is_first = true});
  attach();
  EXPECT_TRUE(driver_->end_room());
  const json::object destroy = said();
  hear(R"({"janus":"success","transaction":")" + transaction(destroy) +
       R"(","plugindata":{"data":{"videoroom":"destroyed","room":70000}}})");
  EXPECT_EQ(events<RoomEnded>().size(), 1u);
  hear_plugin(R"({"videoroom":"destroyed","room":70000})");
  EXPECT_EQ(events<EndTold>().size(), 1u);
}

TEST_F(JanusDriverTest, a_session_is_kept_alive) {
  make({});
  attach();
  now_.mono += std::chrono::seconds(25);
  driver_->on_deadline(now_);
  EXPECT_EQ(word(said(), "janus"), "keepalive");
}

TEST_F(JanusDriverTest, refusals_and_nonsense_are_failures_with_their_words) {
  make({});
  attach();
  hear_plugin(R"({"videoroom":"event","error_code":433,"error":"Unauthorized"})");
  hear("[1]");
  hear(R"({"janus":"error","error":{"code":458,"reason":"No such session"}})");
  const auto failed = events<DriverFailed>();
  ASSERT_EQ(failed.size(), 3u);
  EXPECT_THAT(failed[0].what, HasSubstr("Unauthorized"));
  EXPECT_THAT(failed[2].what, HasSubstr("No such session"));
}

}  // namespace
}  // namespace atrium::load
