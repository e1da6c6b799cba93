// The registration authority: judges requests for certificates, and issues them with the
// federation's CA key (what EST's /sen and /sren do, RFC 7030, section 4.2; RFC 9148).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "skep/bytes.h"
#include "skep/enrolment/error.h"
#include "skep/pki/certificate.h"
#include "skep/pki/certificate_request.h"
#include "skep/pki/enrolment_key.h"
#include "skep/pki/federation.h"
#include "skep/store/store.h"

namespace skep::enrolment {

/// A device's certificate is renewed with another key, or anew for the same one, only so often.
inline constexpr std::int64_t kMinRenewalIntervalS = 3'600;

/// Not thread-safe. Every change is committed, with its audit record, when a function returns; a
/// crash before that has changed nothing, and one after it is made good by asking again.
class Registrar {
 public:
  /// `certificate_days`: how long a certificate is valid, ≥ 1.
  /// Errors: PkiError if the CA's or the enrolment key cannot be read; StoreError.
  Registrar(const pki::FederationPaths& paths, const std::filesystem::path& database,
            std::uint32_t certificate_days);

  [[nodiscard]] const pki::Certificate& ca() const { return ca_; }

  /// The key of a session that is opened with this token. Also of one that is used up: the device
  /// may not have heard its answer.
  /// Errors: EnrolmentError of kWrongDevice if there is no such token, or kRevoked if it is
  /// revoked, expired or of another enrolment key; StoreError, PkiError.
  [[nodiscard]] pki::SecretBytes session_key(std::string_view token, std::int64_t now_unix_s);

  /// A certificate (DER) for a PKCS#10 request that came over a session of `token`, from `origin`.
  ///
  /// The token is used up only by a key that is new to it: the same request again, or another with
  /// the same key, gets the same certificate again while the token is valid.
  ///
  /// Errors: EnrolmentError of kMalformed for a request that parse_certificate_request() refuses;
  /// of kRevoked if the token is void or used up or the key is revoked; of kWrongDevice if the name
  /// is not the token's, is not free, or the key is another device's. PkiError, StoreError.
  std::vector<std::uint8_t> enrol(std::string_view token, Bytes request, const std::string& origin,
                                  std::int64_t now_unix_s);

  /// The same over a session of the enrolled `device`, with its present or another key. A new key
  /// counts from the first session with its certificate on (Store::use_next_certificate()). The
  /// same key again gets the same certificate again within kMinRenewalIntervalS.
  ///
  /// Errors: as enrol(); kWrongDevice if the request names another device; kBusy if the last
  /// renewal was less than kMinRenewalIntervalS ago.
  std::vector<std::uint8_t> renew(const std::string& device, Bytes request,
                                  const std::string& origin, std::int64_t now_unix_s);

 private:
  store::EnrolmentToken require_token(std::string_view id, std::int64_t now_unix_s);
  std::vector<std::uint8_t> enrolled_before(const store::Enrolment& enrolment,
                                            const pki::CertificateRequest& request);
  void require_free_name(const store::EnrolmentToken& token, const std::string& name);
  void require_free_key(const pki::PublicKey& key, const std::string& name);

  store::Store store_;
  pki::EnrolmentKey key_;
  pki::Certificate ca_;
  pki::PrivateKey ca_key_;
  std::uint32_t certificate_days_;
};

}  // namespace skep::enrolment
