// How the public listener is reached: TLS, plain HTTP where that is meant, the PROXY protocol.  Its settings and what
// is wrong with them.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "runtime/tls_session.h"
#include "settings.h"

namespace atrium::atriumd {

// tls.certificate, tls.key, http.insecure_http, http.proxy_protocol.
std::vector<SettingKey> listener_keys();
// Reads the certificate's files too: a file that is broken is told before anything starts.
void check_listeners(const Settings& settings, std::vector<std::string>& problems);

// Null without tls.certificate.  The problem is one line for the operator, with nothing of the key in it.
std::expected<std::shared_ptr<const runtime::TlsContext>, std::string> load_tls(
    const Settings& settings);

}  // namespace atrium::atriumd
