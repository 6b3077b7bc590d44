// Outbox: collects the effects of one command and gives them out in the order that DESIGN promises:
// persist → media → signal → event → reply, then what may be forgotten.  Within a phase, in the order of emission.
#pragma once

#include <array>
#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>
#include <variant>

#include "domain/effect.h"

namespace atrium::domain {

enum class EffectPhase : uint8_t { Persist, Media, Signal, Event, Reply, Forget };
inline constexpr size_t kEffectPhases = 6;

template <typename T, typename... Kinds>
inline constexpr bool is_one_of = (std::is_same_v<T, Kinds> || ...);

template <typename T>
constexpr EffectPhase phase_of_type() {
  if constexpr (is_one_of<T, PersistDismissal, PersistBans, PersistApp, PersistSchedules,
                          PersistPolicy, PersistWebhook, PersistBulk, PersistTombstones>) {
    return EffectPhase::Persist;
  } else if constexpr (is_one_of<T, CutRoom, CloseRoom, CutParticipant, CloseParticipant,
                                 StartForward, StopForward, PauseForward, PauseTrack, StopTrack,
                                 AdmitAddress, SetDataPermission>) {
    return EffectPhase::Media;
  } else if constexpr (is_one_of<T, Event, ReleaseEvents>) {
    return EffectPhase::Event;
  } else if constexpr (is_one_of<T, DismissReply, ActionReply>) {
    return EffectPhase::Reply;
  } else if constexpr (is_one_of<T, LifeForgotten, ParticipantForgotten>) {
    return EffectPhase::Forget;
  } else {
    return EffectPhase::Signal;
  }
}

inline EffectPhase phase_of(const Effect& effect) {
  return std::visit([](const auto& one) { return phase_of_type<std::decay_t<decltype(one)>>(); },
                    effect);
}

class Outbox {
 public:
  template <typename T>
  void put(T effect) {
    phases_[static_cast<size_t>(phase_of_type<T>())].emplace_back(std::move(effect));
  }
  // Everything put since the last call.
  Effects take() {
    Effects all = std::exchange(phases_[0], {});
    for (size_t i = 1; i < phases_.size(); ++i) {
      all.insert(all.end(), std::make_move_iterator(phases_[i].begin()),
                 std::make_move_iterator(phases_[i].end()));
      phases_[i].clear();
    }
    return all;
  }

 private:
  std::array<Effects, kEffectPhases> phases_;
};

}  // namespace atrium::domain
