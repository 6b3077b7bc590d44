// Admission: whether media and user data may flow between a transport and the address that its peer is at.  Control is
// asked each time that the address changes (TransportUp, PathChanged) and answers with AdmitPath, or with a cut: a rule
// about addresses lets not one packet through.  Control's own words (notices) always may.  Thread: the shard's.
#pragma once

#include "media/engine_state.h"

namespace atrium::media {

// A pair was selected, the first or another one.
void note_selected_path(Transport& transport);
void admit_path(EngineState& engine, const AdmitPath& command, Now now);

// True: the message waits, or is dropped and counted where too many do.
bool hold_until_admitted(EngineState& engine, Transport& sender, SctpMessage& message);
bool hold_until_admitted(EngineState& engine, Transport& recipient, SctpSend& message);

}  // namespace atrium::media
