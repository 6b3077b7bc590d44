#include "wire/rtcp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <vector>

#include "base/crypto.h"

namespace atrium::wire {
namespace {

using testing::ElementsAre;

Bytes bytes_of(const char* text) {
  return from_hex(text).value();
}

// Views outlive the expression that they are made in: what is kept here lives until the process ends.
ByteView kept(Bytes bytes) {
  static std::deque<Bytes> all;
  return all.emplace_back(std::move(bytes));
}
ByteView view_of(const char* text) {
  return kept(bytes_of(text));
}

Bytes written(const std::function<void(ByteWriter&)>& write) {
  Bytes bytes(1500);
  ByteWriter out(bytes);
  write(out);
  EXPECT_TRUE(out.ok());
  bytes.resize(out.position());
  return bytes;
}

RtcpPacketView only_packet(ByteView compound) {
  auto reader = RtcpReader::create(compound);
  EXPECT_TRUE(reader);
  const auto packet = reader->next();
  EXPECT_TRUE(packet);
  EXPECT_FALSE(reader->next());
  return *packet;
}

const ReportBlock kBlock{.ssrc = 0x11,
                         .fraction_lost = 25,
                         .cumulative_lost = -3,
                         .highest_ext_seq = 0x1'0005,
                         .jitter = 90,
                         .last_sr = 0xaabbccdd,
                         .delay_since_last_sr = 65536};

Bytes a_compound() {
  return written([](ByteWriter& out) {
    const std::array blocks = {kBlock};
    write_sender_report(out, {1, 2, 3, 4, 5}, blocks);
    write_sdes_cname(out, 1, "cn");
    write_pli(out, 1, 2);
    write_bye(out, 1);
  });
}

TEST(Rtcp, compound_is_walked_packet_by_packet) {
  const Bytes compound = a_compound();
  auto reader = RtcpReader::create(compound);
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->next()->type, RtcpType::SenderReport);
  EXPECT_EQ(reader->next()->type, RtcpType::SourceDescription);
  EXPECT_TRUE(reader->next()->is_payload_feedback(kFormatPli));
  EXPECT_EQ(reader->next()->type, RtcpType::Bye);
  EXPECT_FALSE(reader->next());
}

TEST(Rtcp, compound_with_a_bad_tail_is_refused_whole) {
  Bytes compound = a_compound();
  compound.push_back(0x80);
  EXPECT_FALSE(RtcpReader::create(compound));
  EXPECT_FALSE(RtcpReader::create({}));
  EXPECT_FALSE(RtcpReader::create(bytes_of("40c90000")));  // version 1
}

TEST(Rtcp, truncation_inside_a_packet_is_refused) {
  const Bytes whole = a_compound();
  const std::vector<size_t> boundaries = {52, 68, 80};
  for (size_t length = 0; length < whole.size(); ++length) {
    const Bytes prefix(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length));
    const bool at_boundary = std::ranges::find(boundaries, length) != boundaries.end();
    EXPECT_EQ(RtcpReader::create(prefix).has_value(), at_boundary) << length;
  }
}

TEST(Rtcp, padding_is_taken_off_and_impossible_padding_refused) {
  EXPECT_EQ(only_packet(view_of("a0c900020000000100000004")).body.size(), 4u);
  EXPECT_FALSE(RtcpReader::create(bytes_of("a0c900020000000100000009")));
  EXPECT_FALSE(RtcpReader::create(bytes_of("a0c900020000000100000000")));
  EXPECT_FALSE(RtcpReader::create(bytes_of("a0c90000")));
}

TEST(Rtcp, sender_report_comes_back_as_written) {
  const Bytes bytes = written([](ByteWriter& out) {
    const std::array blocks = {kBlock, kBlock};
    write_sender_report(out, {7, 0x1122334455667788, 9, 10, 11}, blocks);
  });
  const auto report = parse_sender_report(only_packet(bytes));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->sender.ssrc, 7u);
  EXPECT_EQ(report->sender.ntp_time, 0x1122334455667788u);
  EXPECT_EQ(report->sender.rtp_timestamp, 9u);
  EXPECT_EQ(report->sender.packet_count, 10u);
  EXPECT_EQ(report->sender.octet_count, 11u);
  ASSERT_EQ(report->blocks.size(), 2u);
  const ReportBlock block = report->blocks[1];
  EXPECT_EQ(block.ssrc, kBlock.ssrc);
  EXPECT_EQ(block.fraction_lost, 25);
  EXPECT_EQ(block.cumulative_lost, -3);
  EXPECT_EQ(block.highest_ext_seq, 0x1'0005u);
  EXPECT_EQ(block.jitter, 90u);
  EXPECT_EQ(block.last_sr, 0xaabbccddu);
  EXPECT_EQ(block.delay_since_last_sr, 65536u);
}

TEST(Rtcp, receiver_report_without_blocks_is_sound) {
  const Bytes bytes = written([](ByteWriter& out) { write_receiver_report(out, 5, {}); });
  EXPECT_EQ(hex(bytes), "80c9000100000005");
  const auto report = parse_receiver_report(only_packet(bytes));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->ssrc, 5u);
  EXPECT_EQ(report->blocks.size(), 0u);
}

TEST(Rtcp, lost_count_is_clamped_to_its_24_bits) {
  const Bytes bytes = written([](ByteWriter& out) {
    const std::array blocks = {ReportBlock{.cumulative_lost = 0x7fff'ffff}};
    write_receiver_report(out, 5, blocks);
  });
  EXPECT_EQ(parse_receiver_report(only_packet(bytes))->blocks[0].cumulative_lost, 0x7f'ffff);
}

TEST(Rtcp, report_with_fewer_blocks_than_counted_is_refused) {
  EXPECT_FALSE(parse_receiver_report(only_packet(view_of("81c9000100000005"))));
  EXPECT_FALSE(parse_sender_report(only_packet(view_of("80c8000100000005"))));
}

TEST(Rtcp, packet_of_another_type_is_unsupported) {
  const Bytes bytes = written([](ByteWriter& out) { write_bye(out, 5); });
  EXPECT_EQ(parse_sender_report(only_packet(bytes)).error().kind, ErrorKind::Unsupported);
  EXPECT_EQ(parse_pli(only_packet(bytes)).error().kind, ErrorKind::Unsupported);
  EXPECT_EQ(TwccView::create(only_packet(bytes)).error().kind, ErrorKind::Unsupported);
}

TEST(Rtcp, ntp_time_counts_from_1900) {
  EXPECT_EQ(ntp_from_unix_us(0), 2'208'988'800ull << 32);
  EXPECT_EQ(ntp_from_unix_us(500'000), (2'208'988'800ull << 32) | 0x8000'0000u);
  EXPECT_EQ(middle_ntp(0x1122'3344'5566'7788), 0x3344'5566u);
}

TEST(Rtcp, cname_comes_back_for_every_length_of_padding) {
  for (const char* cname : {"a", "ab", "abc", "abcd", ""}) {
    const Bytes bytes = written([&](ByteWriter& out) { write_sdes_cname(out, 9, cname); });
    auto reader = SdesReader::create(only_packet(bytes));
    ASSERT_TRUE(reader) << cname;
    const auto item = reader->next();
    ASSERT_TRUE(item) << cname;
    EXPECT_EQ(item->ssrc, 9u);
    EXPECT_EQ(item->cname, cname);
    EXPECT_FALSE(reader->next());
  }
}

TEST(Rtcp, chunks_without_cname_are_passed_over) {
  // A chunk with a NAME item, then one with a CNAME.
  auto reader =
      SdesReader::create(only_packet(view_of("82ca0006"
                                             "00000001"
                                             "02026e6e00000000"
                                             "00000002"
                                             "0102636e00000000")));
  ASSERT_TRUE(reader);
  const auto item = reader->next();
  ASSERT_TRUE(item);
  EXPECT_EQ(item->ssrc, 2u);
  EXPECT_EQ(item->cname, "cn");
}

TEST(Rtcp, sdes_item_beyond_its_packet_is_refused) {
  EXPECT_FALSE(
      SdesReader::create(only_packet(view_of("81ca0002"
                                             "00000001"
                                             "01ff6161"))));
  EXPECT_FALSE(
      SdesReader::create(only_packet(view_of("81ca0002"
                                             "00000001"
                                             "01026161"))));  // no end
}

TEST(Rtcp, bye_names_sources_and_reason) {
  const auto bye =
      parse_bye(only_packet(view_of("82cb0003"
                                    "00000001"
                                    "00000002"
                                    "03627965")));
  ASSERT_TRUE(bye);
  ASSERT_EQ(bye->size(), 2u);
  EXPECT_EQ(bye->ssrc(1), 2u);
  EXPECT_EQ(bye->reason, "bye");
  EXPECT_FALSE(
      parse_bye(only_packet(view_of("82cb0001"
                                    "00000001"))));
}

std::vector<uint16_t> nacked(ByteView bytes) {
  std::vector<uint16_t> seqs;
  auto nack = NackView::create(only_packet(bytes));
  EXPECT_TRUE(nack);
  while (const auto seq = nack->next_seq()) seqs.push_back(*seq);
  return seqs;
}

TEST(Rtcp, nack_masks_expand_to_sequence_numbers) {
  EXPECT_THAT(nacked(view_of("81cd0003"
                             "00000001"
                             "00000002"
                             "000a8001")),
              ElementsAre(10, 11, 26));
}

TEST(Rtcp, nack_comes_back_as_written_across_the_wrap) {
  const std::array<uint16_t, 5> seqs = {65530, 65535, 3, 10, 40};
  const Bytes bytes = written([&](ByteWriter& out) { EXPECT_EQ(write_nack(out, 1, 2, seqs), 5u); });
  EXPECT_EQ(bytes.size(), 12u + 2 * 4);  // 65530 and the 16 after it, then 40
  EXPECT_THAT(nacked(bytes), ElementsAre(65530, 65535, 3, 10, 40));
}

TEST(Rtcp, nack_says_how_much_fitted) {
  const std::array<uint16_t, 3> seqs = {1, 100, 200};
  Bytes bytes(20);
  ByteWriter out(bytes);
  EXPECT_EQ(write_nack(out, 1, 2, seqs), 2u);
  EXPECT_TRUE(out.ok());
  EXPECT_THAT(nacked(out.written()), ElementsAre(1, 100));
  Bytes tiny(15);
  ByteWriter none(tiny);
  EXPECT_EQ(write_nack(none, 1, 2, seqs), 0u);
  EXPECT_EQ(none.position(), 0u);
}

TEST(Rtcp, expand_nack_stops_at_the_callers_bound) {
  const ByteView bytes = view_of(
      "81cd0003"
      "00000001"
      "00000002"
      "000affff");
  std::array<uint16_t, 4> out{};
  EXPECT_EQ(expand_nack(*NackView::create(only_packet(bytes)), out), 4u);
  EXPECT_THAT(out, ElementsAre(10, 11, 12, 13));
}

TEST(Rtcp, nack_without_items_is_refused) {
  EXPECT_FALSE(
      NackView::create(only_packet(view_of("81cd0002"
                                           "00000001"
                                           "00000002"))));
}

TEST(Rtcp, pli_and_fir_come_back_as_written) {
  const Bytes pli = written([](ByteWriter& out) { write_pli(out, 1, 2); });
  EXPECT_EQ(parse_pli(only_packet(pli))->media_ssrc, 2u);
  const Bytes fir = written([](ByteWriter& out) { write_fir(out, 1, {5, 200}); });
  const auto view = parse_fir(only_packet(fir));
  ASSERT_TRUE(view);
  ASSERT_EQ(view->size(), 1u);
  EXPECT_EQ((*view)[0].ssrc, 5u);
  EXPECT_EQ((*view)[0].command_seq, 200);
}

TEST(Rtcp, remb_comes_back_rounded_to_its_mantissa) {
  const std::array<uint32_t, 2> ssrcs = {8, 9};
  const Bytes bytes = written([&](ByteWriter& out) { write_remb(out, 1, 5'000'001, ssrcs); });
  const auto remb = parse_remb(only_packet(bytes));
  ASSERT_TRUE(remb);
  EXPECT_LE(remb->bitrate_bps, 5'000'001u);
  EXPECT_GT(remb->bitrate_bps, 4'999'900u);
  ASSERT_EQ(remb->size(), 2u);
  EXPECT_EQ(remb->ssrc(1), 9u);
}

TEST(Rtcp, remb_with_an_absurd_exponent_saturates) {
  const auto remb =
      parse_remb(only_packet(view_of("8fce0004"
                                     "00000001"
                                     "00000000"
                                     "52454d42"
                                     "00ffffff")));
  ASSERT_TRUE(remb);
  EXPECT_EQ(remb->bitrate_bps, 0x7fff'ffff'ffff'ffffu);
}

TEST(Rtcp, application_feedback_of_another_name_is_unsupported) {
  const auto remb =
      parse_remb(only_packet(view_of("8fce0004"
                                     "00000001"
                                     "00000000"
                                     "41424344"
                                     "00ffffff")));
  EXPECT_EQ(remb.error().kind, ErrorKind::Unsupported);
}

TEST(Rtcp, writers_turn_bad_where_room_is_short) {
  const std::vector<std::function<void(ByteWriter&)>> writers = {
      [](ByteWriter& out) { write_sender_report(out, {}, std::array{kBlock}); },
      [](ByteWriter& out) { write_receiver_report(out, 1, std::array{kBlock}); },
      [](ByteWriter& out) { write_sdes_cname(out, 1, "name"); },
      [](ByteWriter& out) { write_bye(out, 1); },
      [](ByteWriter& out) { write_pli(out, 1, 2); },
      [](ByteWriter& out) { write_fir(out, 1, {}); },
      [](ByteWriter& out) { write_remb(out, 1, 2, std::array<uint32_t, 1>{3}); },
  };
  for (const auto& write : writers) {
    const size_t needed = written(write).size();
    for (size_t room = 0; room < needed; ++room) {
      Bytes bytes(room);
      ByteWriter out(bytes);
      write(out);
      EXPECT_FALSE(out.ok());
    }
  }
}

}  // namespace
}  // namespace atrium::wire
