// Webhook: where the events of an app are told, and in whose words.  Plain data; the store keeps it, its secret sealed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/event.h"
#include "domain/types.h"

namespace atrium::domain {

enum class WebhookDialect : uint8_t {
  Vendor,   // the vendor's callbacks, signed with a secret of their own
  LiveKit,  // LiveKit's webhooks, signed with an API key of the app
};

struct Webhook {
  WebhookId id;  // "WH_…"
  AppId app;
  std::string business;  // BusinessId of the vendor's callback configuration; empty: none
  WebhookDialect dialect = WebhookDialect::Vendor;
  std::string url;
  std::string
      secret;  // Vendor: SecretKey.  LiveKit: of `api_key`, looked up in the app when it is empty
  std::string api_key;  // LiveKit: `iss`; the AppId when empty
  // Events that are told, by the dialect's names; empty: all that the dialect has (without its extensions).
  std::vector<std::string> events;
  bool enabled = true;
  // Its secret came by the vendor's actions, whose GetCallback shows it; secrets of our own actions stay hidden.
  bool shows_secret = false;
  Wall created_at{}, updated_at{};
  friend bool operator==(const Webhook&, const Webhook&) = default;
};

// One event on its way to one webhook.  Per (webhook, app, room) they go one after the other.
struct Delivery {
  WebhookId webhook;
  uint32_t attempts = 0;  // so far
  // Of them those that failed while others to the same webhook succeeded (DESIGN: dead letters).
  uint32_t failed_beside_others = 0;
  StoredEvent event;
};
// The first deliveries of some rooms, each room's in order.
struct DeliveryRun {
  AppId app;
  RoomId room;
  std::vector<Delivery> deliveries;
};

enum class DeliveryEnd : uint8_t { Delivered, Failed, Dead, NotWanted };
struct DeliveryOutcome {
  WebhookId webhook;
  AppId app;
  RoomId room;
  int64_t cursor = 0;
  DeliveryEnd end = DeliveryEnd::Delivered;
  uint32_t attempts = 0, failed_beside_others = 0;  // of Failed and Dead: as of now
  std::string why = {};                             // of Failed and Dead
  Wall at{};
};

// Events that a webhook never got.
struct DeadLetter {
  WebhookId webhook;
  uint32_t attempts = 0;
  std::string why;
  Wall died_at{};
  StoredEvent event;
};
struct WebhookBacklog {
  WebhookId webhook;
  uint64_t waiting = 0, dead = 0;
  std::optional<Wall> oldest_waiting_at = {};
};

}  // namespace atrium::domain
