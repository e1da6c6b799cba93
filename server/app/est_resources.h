// EST over secure CoAP (RFC 9148): what an enrolment token and a certificate's last days are for.
#pragma once

#include <coap3/coap.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "log.h"
#include "session_directory.h"
#include "skep/enrolment/registrar.h"
#include "skep/pki/certificate_request.h"
#include "skep/pki/secret_bytes.h"
#include "update_assembler.h"

namespace skep::app {

/// The resources /.well-known/est/{crts,sen,sren} of a context, and the key of sessions that a
/// token opens (PSK, RFC 4279: the token's id is the identity). Such a session reaches crts and
/// sen; a session by certificate crts and sren. Nothing else here or there is for both.
///
/// What is refused gets a diagnostic payload (RFC 7252, section 5.5.2), not a Problem: tools that
/// know EST and not Skep must be able to show it.
///
/// Belongs to the thread of the CoAP context.
class EstResources {
 public:
  /// To be recorded, and the session to be closed if it may not be here at all.
  using Refuse = std::function<void(coap_session_t*, const AuditEntry&, bool close)>;

  /// In how many seconds this client, "token ID" or a device, may ask again; 0 = it may now.
  using Wait = std::function<std::uint32_t(coap_session_t*, const std::string& client)>;

  /// All of them outlive this, and this outlives every session of the context.
  /// Errors: std::runtime_error if libcoap cannot.
  EstResources(coap_context_t* context, enrolment::Registrar& registrar, SessionDirectory& sessions,
               Refuse refuse, Wait wait);

  /// The session is one by PSK: it has no certificate and is no device's.
  [[nodiscard]] static bool is_by_token(coap_session_t* session);

  void forget(coap_session_t* session) { uploads_.erase(session); }
  void expire_uploads(std::int64_t now_s);

  EstResources(const EstResources&) = delete;
  EstResources& operator=(const EstResources&) = delete;

 private:
  struct Callbacks;  // libcoap's C callbacks, which need the private members

  /// Who asks: a token's session or a device's.
  struct Client {
    std::string token;   ///< Empty: it is a device.
    std::string device;  ///< Empty: it is a token.

    [[nodiscard]] std::string name() const { return token.empty() ? device : "token " + token; }
  };

  struct Request {
    coap_resource_t* resource;
    coap_session_t* session;
    const coap_pdu_t* pdu;
    const coap_string_t* query;
    coap_pdu_t* response;
  };

  void get_ca(const Request& request);
  void enrol(const Request& request);
  void renew(const Request& request);

  const coap_bin_const_t* session_key(coap_session_t* session, const coap_bin_const_t* identity);
  std::optional<Client> identify_or_refuse(const Request& request);
  std::optional<Client> within_limits(const Request& request, Client client);
  std::optional<std::vector<std::uint8_t>> receive(const Request& request);
  template <typename Issue>
  void answer_with(const Request& request, const Client& client, Issue issue);

  enrolment::Registrar& registrar_;
  SessionDirectory& sessions_;
  Refuse refuse_;
  Wait wait_;
  std::map<coap_session_t*, UpdateAssembler> uploads_;
  std::optional<pki::SecretBytes> key_;  ///< What libcoap copies when session_key() returns.
  coap_bin_const_t key_view_{};
  std::int64_t now_s_ = 0;  ///< Monotonic, for uploads.
};

}  // namespace skep::app
