#include "media/streams.h"

#include <algorithm>
#include <utility>

#include "media/feedback.h"

namespace atrium::media {
namespace {

constexpr auto kPliInterval = std::chrono::milliseconds(limits::kPliIntervalMs);

void merge_extensions(ExtensionIds& all, const ExtensionIds& section) {
  const auto take = [](uint8_t& into, uint8_t from) {
    if (from != 0) into = from;
  };
  take(all.mid, section.mid);
  take(all.rid, section.rid);
  take(all.repaired_rid, section.repaired_rid);
  take(all.transport_seq, section.transport_seq);
  take(all.abs_send_time, section.abs_send_time);
  take(all.audio_level, section.audio_level);
}

void set_layers(Track& track) {
  const auto& rids = track.given.rids;
  const size_t count = std::clamp<size_t>(rids.size(), 1, static_cast<size_t>(limits::kLayersMax));
  track.layers.resize(std::max(count, track.layers.size()));
  for (size_t i = 0; i < count && i < rids.size(); ++i) track.layers[i].rid = rids[i];
}

// SSRCs that signalling names now, in the place of what the stream had before; those of simulcast layers are latched
// from packets.  It counts as a change, so that packets still under way do not take the stream back.
void name_ssrcs(Transport& transport, Track& track, const AddUplink& former, Mono now) {
  if (!track.given.rids.empty()) return;
  const auto name = [&](std::optional<uint32_t> ssrc, std::optional<uint32_t> before, bool is_rtx) {
    if (!ssrc || ssrc == before) return;
    const size_t replaced = std::erase_if(transport.uplink_ssrcs, [&](const auto& entry) {
      return entry.second.track == &track && entry.second.is_rtx == is_rtx;
    });
    if (replaced > 0) track.layers[0].relatched_at[is_rtx] = now;
    transport.uplink_ssrcs[*ssrc] = {&track, 0, is_rtx};
  };
  name(track.given.ssrc, former.ssrc, false);
  name(track.given.rtx_ssrc, former.rtx_ssrc, true);
}

Forwarder* find_forwarder(Track& track, const Transport& subscriber) {
  const auto it = std::ranges::find(track.forwarders, &subscriber, [](const Forwarder& forwarder) {
    return &forwarder.subscriber();
  });
  return it == track.forwarders.end() ? nullptr : &*it;
}

// The array stays dense: the last forwarder moves into the hole, and its subscriber learns its new place.
void erase_forwarder(EngineState& engine, Track& track, size_t index) {
  const AddForward& leaving = track.forwarders[index].parameters();
  Transport& subscriber = track.forwarders[index].subscriber();
  subscriber.downlink_ssrcs.erase(leaving.ssrc);
  subscriber.downlink_ssrcs.erase(leaving.rtx_ssrc);
  std::erase(subscriber.subscribed, &track);
  if (index + 1 != track.forwarders.size()) {
    track.forwarders[index] = std::move(track.forwarders.back());
    const Forwarder& moved = track.forwarders[index];
    const auto place = static_cast<uint32_t>(index);
    moved.subscriber().downlink_ssrcs[moved.parameters().ssrc] = {&track, place};
    if (moved.parameters().rtx_ssrc != 0)
      moved.subscriber().downlink_ssrcs[moved.parameters().rtx_ssrc] = {&track, place};
  }
  track.forwarders.pop_back();
  --engine.counters.forwarders;
}

bool has_fresh_ssrcs(const Transport& transport, const AddForward& command) {
  const bool has_rtx = command.rtx_payload_type != 0;
  if (command.ssrc == 0 || transport.used_ssrcs.contains(command.ssrc)) return false;
  if (has_rtx && (command.rtx_ssrc == 0 || command.rtx_ssrc == command.ssrc)) return false;
  if (has_rtx && transport.used_ssrcs.contains(command.rtx_ssrc)) return false;
  if (command.ssrc == transport.rtcp_ssrc) return false;
  return static_cast<int64_t>(transport.used_ssrcs.size()) + 2 <= limits::kDownlinkSsrcsMax;
}

uint32_t known_layers(const Track& track) {
  uint32_t known = 0;
  for (size_t i = 0; i < track.layers.size(); ++i)
    if (track.layers[i].stream) known |= 1u << i;
  return known;
}

}  // namespace

void add_uplink(EngineState& engine, AddUplink command) {
  Transport* transport = engine.find_transport(command.transport);
  if (transport == nullptr || transport->is_closing)
    return engine.drop(DropReason::CommandUnknownTarget);
  if (transport->is_cut) return engine.drop(DropReason::LifeIsCut);
  auto& track = engine.tracks[command.track];
  if (track && track->publisher != transport) return engine.drop(DropReason::CommandUnknownTarget);
  if (!track) {
    track = std::make_unique<Track>();
    track->life = transport->life;
    track->publisher = transport;
    transport->published.push_back(track.get());
    ++engine.counters.tracks;
  }
  if (command.clock_rate == 0) command.clock_rate = command.kind == Kind::Audio ? 48'000 : 90'000;
  const AddUplink former = std::exchange(track->given, std::move(command));
  merge_extensions(transport->uplink_extensions, track->given.extensions);
  if (track->given.transport_cc && !transport->twcc)
    transport->twcc = std::make_unique<TwccCollector>();
  set_layers(*track);
  name_ssrcs(*transport, *track, former, engine.latest);
}

void remove_uplink(EngineState& engine, TrackId id) {
  const auto it = engine.tracks.find(id);
  if (it == engine.tracks.end()) return engine.drop(DropReason::CommandUnknownTarget);
  Track& track = *it->second;
  while (!track.forwarders.empty()) erase_forwarder(engine, track, track.forwarders.size() - 1);
  Transport& publisher = *track.publisher;
  std::erase(publisher.published, &track);
  std::erase_if(publisher.uplink_ssrcs,
                [&](const auto& entry) { return entry.second.track == &track; });
  engine.tracks.erase(it);
  --engine.counters.tracks;
}

void set_uplink_muted(EngineState& engine, SetUplinkMuted command, Now now) {
  Track* track = engine.find_track(command.track);
  if (track == nullptr) return engine.drop(DropReason::CommandUnknownTarget);
  if (track->is_muted == command.muted) return;
  track->is_muted = command.muted;
  if (command.muted) return;
  for (Forwarder& forwarder : track->forwarders) forwarder.restart(Forwarder::Break::Gap);
  for (Forwarder& forwarder : track->forwarders) {
    if (!forwarder.waits_for_key_frame() || forwarder.target_layer() == kNoLayer) continue;
    want_key_frame(engine, *track, static_cast<uint8_t>(forwarder.target_layer()), now);
  }
}

void add_forward(EngineState& engine, AddForward command, Now now) {
  Transport* subscriber = engine.find_transport(command.transport);
  Track* track = engine.find_track(command.track);
  if (subscriber == nullptr || track == nullptr || subscriber->is_closing ||
      track->life != subscriber->life)
    return engine.drop(DropReason::CommandUnknownTarget);
  if (subscriber->is_cut || track->publisher->is_cut) return engine.drop(DropReason::LifeIsCut);
  if (Forwarder* known = find_forwarder(*track, *subscriber)) {
    if (known->parameters().ssrc != command.ssrc) return engine.drop(DropReason::ForwardSsrcReused);
    known->update(command);
    return request_for_subscriber(engine, *track, *subscriber, now);
  }
  if (!has_fresh_ssrcs(*subscriber, command)) return engine.drop(DropReason::ForwardSsrcReused);
  const auto place = static_cast<uint32_t>(track->forwarders.size());
  subscriber->used_ssrcs.insert(command.ssrc);
  subscriber->downlink_ssrcs[command.ssrc] = {track, place};
  if (command.rtx_payload_type != 0) {
    subscriber->used_ssrcs.insert(command.rtx_ssrc);
    subscriber->downlink_ssrcs[command.rtx_ssrc] = {track, place};
  }
  subscriber->subscribed.push_back(track);
  track->forwarders.emplace_back(
      *subscriber, Forwarder::Given{std::move(command), track->given.kind, track->given.clock_rate,
                                    engine.secrets.u64()});
  ++engine.counters.forwarders;
  retarget_forwarders(engine, *track, now);
  request_for_subscriber(engine, *track, *subscriber, now);
}

void remove_forward(EngineState& engine, RemoveForward command) {
  const Transport* subscriber = engine.find_transport(command.transport);
  Track* track = engine.find_track(command.track);
  const Forwarder* forwarder = subscriber && track ? find_forwarder(*track, *subscriber) : nullptr;
  if (forwarder == nullptr) return engine.drop(DropReason::CommandUnknownTarget);
  erase_forwarder(engine, *track, static_cast<size_t>(forwarder - track->forwarders.data()));
}

void pause_forward(EngineState& engine, PauseForward command, Now now) {
  const Transport* subscriber = engine.find_transport(command.transport);
  Track* track = engine.find_track(command.track);
  Forwarder* forwarder = subscriber && track ? find_forwarder(*track, *subscriber) : nullptr;
  if (forwarder == nullptr) return engine.drop(DropReason::CommandUnknownTarget);
  forwarder->set_paused(command.paused);
  forwarder->set_wanted_layer(std::min<uint8_t>(command.layer, limits::kLayersMax - 1));
  retarget_forwarders(engine, *track, now);
  request_for_subscriber(engine, *track, *subscriber, now);
}

void remove_streams_of(EngineState& engine, Transport& transport) {
  while (!transport.published.empty()) remove_uplink(engine, transport.published.back()->id());
  while (!transport.subscribed.empty()) {
    Track& track = *transport.subscribed.back();
    const Forwarder* forwarder = find_forwarder(track, transport);
    erase_forwarder(engine, track, static_cast<size_t>(forwarder - track.forwarders.data()));
  }
}

void want_key_frame(EngineState& engine, Track& track, uint8_t index, Now now) {
  if (index >= track.layers.size() || !track.given.pli || track.is_muted) return;
  Layer& layer = track.layers[index];
  layer.wants_key_frame = true;
  if (!layer.stream || !track.publisher->can_send()) return;
  if (!layer.has_requested || now.mono - layer.requested_at >= kPliInterval)
    send_key_frame_request(engine, track, layer, now);
  engine.deadlines.bring_forward(*track.publisher, layer.requested_at + kPliInterval);
}

void request_for_subscriber(EngineState& engine, Track& track, const Transport& subscriber,
                            Now now) {
  const Forwarder* forwarder = find_forwarder(track, subscriber);
  if (forwarder == nullptr || !forwarder->waits_for_key_frame()) return;
  int layer = forwarder->target_layer();
  // Nothing is alive, or a screen that stands still: the best layer that was ever seen.
  if (layer == kNoLayer) layer = select_layer(known_layers(track), limits::kLayersMax - 1);
  if (layer != kNoLayer) want_key_frame(engine, track, static_cast<uint8_t>(layer), now);
}

void retarget_forwarders(EngineState& engine, Track& track, Now now) {
  for (Forwarder& forwarder : track.forwarders)
    if (forwarder.retarget(track.live_layers) && !forwarder.is_paused())
      want_key_frame(engine, track, static_cast<uint8_t>(forwarder.target_layer()), now);
}

void refresh_live_layers(EngineState& engine, Track& track, Now now) {
  if (track.layers.size() < 2) return;
  uint32_t live = 0;
  for (size_t i = 0; i < track.layers.size(); ++i)
    if (track.layers[i].stream && track.layers[i].stream->is_live(now.mono)) live |= 1u << i;
  if (live == track.live_layers) return;
  track.live_layers = live;
  retarget_forwarders(engine, track, now);
}

void restart_forwarders_to(Transport& subscriber) {
  for (const auto& [ssrc, downlink] : subscriber.downlink_ssrcs)
    downlink.track->forwarders[downlink.forwarder].restart(Forwarder::Break::Gap);
}

}  // namespace atrium::media
