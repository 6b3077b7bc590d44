// Any bytes as an RTCP compound: every view is walked to its end, and the work stays in proportion to the bytes.
#include "wire/rtcp.h"

namespace {

using namespace atrium;

void walk_reports(const wire::RtcpPacketView& packet) {
  if (const auto report = wire::parse_sender_report(packet))
    for (size_t i = 0; i < report->blocks.size(); ++i) static_cast<void>(report->blocks[i]);
  if (const auto report = wire::parse_receiver_report(packet))
    for (size_t i = 0; i < report->blocks.size(); ++i) static_cast<void>(report->blocks[i]);
  if (auto sdes = wire::SdesReader::create(packet))
    while (sdes->next()) {
    }
  if (const auto bye = wire::parse_bye(packet))
    for (size_t i = 0; i < bye->size(); ++i) static_cast<void>(bye->ssrc(i));
}

void walk_feedback(const wire::RtcpPacketView& packet) {
  if (auto nack = wire::NackView::create(packet)) {
    size_t seqs = 0;
    while (nack->next_seq()) CHECK(++seqs <= packet.body.size() / 4 * 17);
  }
  static_cast<void>(wire::parse_pli(packet));
  if (const auto fir = wire::parse_fir(packet))
    for (size_t i = 0; i < fir->size(); ++i) static_cast<void>((*fir)[i]);
  if (const auto remb = wire::parse_remb(packet))
    for (size_t i = 0; i < remb->size(); ++i) static_cast<void>(remb->ssrc(i));
}

void walk_twcc(const wire::RtcpPacketView& packet) {
  auto view = wire::TwccView::create(packet);
  if (!view) return;
  size_t received = 0;
  while (view->next_received()) ++received;
  CHECK(received <= view->status_count && received <= packet.body.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto reader = wire::RtcpReader::create(ByteView(data, size));
  if (!reader) return 0;
  size_t packets = 0;
  while (const auto packet = reader->next()) {
    CHECK(++packets <= size / 4);
    walk_reports(*packet);
    walk_feedback(*packet);
    walk_twcc(*packet);
  }
  return 0;
}
