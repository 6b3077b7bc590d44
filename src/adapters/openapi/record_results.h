// How what is kept of the past is shown: events, audit records, and the reason object that both carry.  Field names are
// part of the contract (api/openapi.md).  What is not known is left out.
#pragma once

#include "adapters/openapi/json.h"
#include "domain/audit.h"
#include "domain/event.h"

namespace atrium::openapi {

Json reason_json(const domain::Reason& reason);
// Adds Reason, unless there is none.
void add_reason(Json::Object& out, const domain::Reason& reason);
Json event_json(const domain::StoredEvent& stored);
Json audit_json(const domain::StoredAudit& stored);

}  // namespace atrium::openapi
