#include "media/dtls_library.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace atrium::media {
namespace {

// What is kept of an operation's algorithms, by the first of their names.  EC and RSA are the keys of WebRTC's
// certificates (RFC 8827 section 6.5, W3C webrtc-pc section 4.9), X25519 and EC the groups.
struct Kept {
  int operation;
  std::array<std::string_view, 4> names;
};
constexpr std::array<Kept, 10> kKept = {{
    {OSSL_OP_DIGEST, {"SHA1", "SHA2-256", "SHA2-384", "SHA2-512"}},
    {OSSL_OP_CIPHER, {"AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305"}},
    {OSSL_OP_MAC, {"HMAC"}},
    {OSSL_OP_KDF, {"TLS1-PRF"}},
    {OSSL_OP_RAND, {"CTR-DRBG"}},
    {OSSL_OP_KEYMGMT, {"EC", "RSA", "X25519"}},
    {OSSL_OP_KEYEXCH, {"ECDH", "X25519"}},
    {OSSL_OP_SIGNATURE, {"ECDSA", "RSA"}},
    {OSSL_OP_DECODER, {"EC", "RSA"}},
    {OSSL_OP_ENCODER, {"EC", "RSA"}},
}};
constexpr std::string_view kPublicKeyStructure =
    "structure=SubjectPublicKeyInfo";  // RFC 5280 section 4.1

bool is_kept(const Kept& kept, const OSSL_ALGORITHM& algorithm) {
  const std::string_view names = algorithm.algorithm_names;  // "EC:id-ecPublicKey:1.2.840.10045.2.1"
  if (std::ranges::find(kept.names, names.substr(0, names.find(':'))) == kept.names.end())
    return false;
  const bool is_decoder = kept.operation == OSSL_OP_DECODER;
  if (!is_decoder && kept.operation != OSSL_OP_ENCODER) return true;
  const std::string_view properties = algorithm.property_definition;
  return properties.contains(kPublicKeyStructure) &&
         (!is_decoder || properties.contains("input=der"));
}

// A provider that shows a part of the default one.  Complete before OpenSSL sees it, then only read.
struct Part {
  OSSL_PROVIDER* whole = nullptr;
  std::array<std::vector<OSSL_ALGORITHM>, kKept.size()> algorithms;  // as kKept
};

Part make_part() {
  Part part;
  part.whole = OSSL_PROVIDER_load(nullptr, "default");
  CHECK(part.whole != nullptr);
  for (size_t i = 0; i < kKept.size(); ++i) {
    int may_not_keep = 0;
    const OSSL_ALGORITHM* all =
        OSSL_PROVIDER_query_operation(part.whole, kKept[i].operation, &may_not_keep);
    CHECK(all != nullptr && may_not_keep == 0);
    for (; all->algorithm_names != nullptr; ++all)
      if (is_kept(kKept[i], *all)) part.algorithms[i].push_back(*all);
    CHECK(!part.algorithms[i].empty());
    part.algorithms[i].push_back({});  // the list's end
  }
  return part;
}
const Part& part() {
  static const Part* const made =
      new Part(make_part());  // for the process's life, as OpenSSL's contexts are
  return *made;
}

const OSSL_ALGORITHM* query(void*, int operation, int* may_not_keep) {
  *may_not_keep = 0;
  const auto at = std::ranges::find(kKept, operation, &Kept::operation);
  if (at == kKept.end()) return nullptr;
  return part().algorithms[static_cast<size_t>(at - kKept.begin())].data();
}

// libssl learns its groups so.
int capabilities(void*, const char* capability, OSSL_CALLBACK* each, void* user) {
  return OSSL_PROVIDER_get_capabilities(part().whole, capability, each, user);
}

template <typename Function>
OSSL_DISPATCH row(int function, Function* implementation) {
  return {function, reinterpret_cast<void (*)()>(implementation)};
}

// The implementations are the default provider's, so they get its context (provider-base(7)).
int start(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** functions,
          void** context) {
  static const std::array<OSSL_DISPATCH, 3> table = {
      row(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
      row(OSSL_FUNC_PROVIDER_GET_CAPABILITIES, capabilities), OSSL_DISPATCH{}};
  *functions = table.data();
  *context = OSSL_PROVIDER_get0_provider_ctx(part().whole);
  return 1;
}

OSSL_LIB_CTX* make_library() {
  OSSL_LIB_CTX* library = OSSL_LIB_CTX_new();
  CHECK(library != nullptr);
  CHECK(OSSL_PROVIDER_add_builtin(library, "atrium-dtls", start) == 1);
  CHECK(OSSL_PROVIDER_load(library, "atrium-dtls") != nullptr);
  return library;
}

}  // namespace

OSSL_LIB_CTX* dtls_library() {
  static OSSL_LIB_CTX* const library = make_library();
  return library;
}

}  // namespace atrium::media
