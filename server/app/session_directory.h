// Which device is at the other end of each DTLS session.
#pragma once

#include <coap3/coap.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "skep/bytes.h"
#include "skep/pki/certificate.h"
#include "skep/server_flow/flow.h"
#include "skep/status.h"
#include "skep/store/store.h"
#include "update_assembler.h"

namespace skep::app {

/// A session whose device is enrolled, and what it is doing.
struct DeviceSession {
  std::string device;
  server::PublicKey public_key{};
  std::vector<std::uint8_t> certificate_der;
  std::int64_t checked_revocation = 0;  ///< Store::last_revocation() when it was identified.
  std::int64_t not_after_unix_s = 0;    ///< End of the certificate.
  std::uint64_t order = 0;              ///< Of arrival.
  UpdateAssembler upload{kMaxUpdateBytes};
  bool took_part = false;       ///< In a round, before this session: it is not new.
  bool registered = false;      ///< With RegistrationLimit.
  bool answer_pending = false;  ///< An update of this session is being validated and committed.
};

/// Either a session, or why there is none. `device` is the name that was claimed, if any.
struct Identification {
  DeviceSession* session = nullptr;
  Status status = Status::kOk;
  std::string device;
  const char* detail = "";
};

/// The identity is taken from the verified certificate of the established session; and at every
/// request again, because DTLS lets a peer shake hands anew, as another one, on the same address
/// and port. The store is asked again after every revocation, which holds from its commit on. The
/// first session with a renewed certificate of another key makes that the device's present one.
///
/// Belongs to the thread of the CoAP context.
class SessionDirectory {
 public:
  /// Errors: StoreError.
  explicit SessionDirectory(const std::filesystem::path& database);

  /// Enrolled, neither revoked nor expired, and with the certificate's key being the enrolled one,
  /// or refused: kWrongDevice, kRevoked. The pointer is valid until the next identify() or remove()
  /// of this session.
  ///
  /// Errors: StoreError.
  Identification identify(coap_session_t* session);

  /// What is to be said against a certificate during the handshake, when nothing proves yet that
  /// the peer has its key: that it is revoked or has expired. `session` is null, status kOk if
  /// there is nothing.
  ///
  /// Errors: StoreError.
  Identification judge_certificate(Bytes certificate_der);

  /// Sessions whose certificates were revoked since the last call, and their devices' names.
  ///
  /// Errors: StoreError.
  [[nodiscard]] std::vector<std::pair<coap_session_t*, std::string>> take_revoked();

  void remove(coap_session_t* session);

  /// Null if it was never identified, or is gone.
  [[nodiscard]] DeviceSession* find(coap_session_t* session);

  /// The session that this device has had for the longest time, if it has more than `allowed`.
  [[nodiscard]] coap_session_t* surplus_session(const std::string& device, std::size_t allowed);

  /// Gives up uploads that have been silent for too long.
  void expire_uploads(std::int64_t now_s);

  [[nodiscard]] std::size_t size() const { return sessions_.size(); }

 private:
  /// judge_certificate(), which also gives the certificate if it can be read.
  Identification judge(Bytes certificate_der, pki::Certificate& certificate);
  std::optional<store::Device> enrolled_device(const pki::Certificate& certificate,
                                               const std::string& remote);
  Identification authorise(coap_session_t* session, Bytes certificate_der,
                           std::int64_t last_revocation);

  store::Store store_;
  std::map<coap_session_t*, DeviceSession> sessions_;
  std::uint64_t next_order_ = 0;
  std::int64_t swept_revocation_ = 0;  ///< Store::last_revocation() at the last take_revoked().
};

}  // namespace skep::app
