// The devices' side of the gateway: CoAP over DTLS (docs/reference/wire.md).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "audit_log.h"
#include "est_resources.h"
#include "hello_verifier.h"
#include "registration_limit.h"
#include "request_budget.h"
#include "served_models.h"
#include "service_limits.h"
#include "session_directory.h"
#include "session_limits.h"
#include "skep/bytes.h"
#include "skep/coordinator/coordinator.h"
#include "skep/enrolment/registrar.h"
#include "skep/intake/intake.h"
#include "skep/pki/federation.h"
#include "skep/pki/secret_bytes.h"
#include "time_signer.h"

namespace skep::app {

/// An idle session ends.
inline constexpr unsigned kSessionTimeoutS = 300;
/// A device that restarts leaves sessions behind; beyond this many its oldest one is closed.
inline constexpr std::size_t kMaxSessionsPerDevice = 4;
/// Max-Age of 4.29 and 5.03: when to try again.
inline constexpr unsigned kRetryAfterS = 2;

struct CoapAddress {
  std::string listen;      ///< IPv4 or IPv6 as text.
  std::uint16_t port = 0;  ///< 0 = any free one.
};

/// Numbers that other threads may read.
struct CoapCounters {
  std::atomic<std::uint64_t> sessions = 0;
  std::atomic<std::uint64_t> bytes_down = 0;  ///< Payload of plans and models.
  std::atomic<std::uint64_t> packages = 0;    ///< Whole models sent to their last block.
  std::atomic<std::uint64_t> package_bytes = 0;
  std::atomic<std::uint64_t> patches = 0;  ///< Patches sent to their last block.
  std::atomic<std::uint64_t> patch_bytes = 0;
  std::atomic<std::uint64_t> handshakes = 0;          ///< Under way now.
  std::atomic<std::uint64_t> cookies = 0;             ///< HelloVerifyRequests sent.
  std::atomic<std::uint64_t> handshakes_refused = 0;  ///< By a limit of SessionLimits.
  std::atomic<std::uint64_t> handshakes_timed_out = 0;
  std::atomic<std::uint64_t> registrations_refused = 0;  ///< Requests answered with 4.29 …
  std::atomic<std::uint64_t> requests_refused = 0;       ///< … for either limit.
};

/// What the endpoint is told by skepd.toml, beside its address.
struct CoapSettings {
  std::uint32_t patch_depth = 0;  ///< As in ServedModels.
  Limits limits{};
};

/// One DTLS endpoint with mutual X.509 authentication, or that of an enrolment token for EST alone;
/// there is no other endpoint.
///
/// Belongs to one thread, counters() apart. Bodies of updates go to the intake, and are answered
/// by a separate response (RFC 7252, section 5.2.2) when it has committed them.
class CoapEndpoint {
 public:
  /// Errors: PkiError if key or certificates cannot be read; std::runtime_error naming the
  /// address if it cannot be listened on; StoreError. Without `registrar` nobody is enrolled here.
  CoapEndpoint(const CoapAddress& address, const pki::FederationPaths& paths,
               const std::filesystem::path& database, coordinator::Coordinator& coordinator,
               intake::Intake& intake, AuditLog& audit_log, TimeSigner time_signer,
               enrolment::Registrar* registrar, const CoapSettings& settings);

  /// Closes all sessions.
  ~CoapEndpoint();

  /// Readable when process() has something to do.
  [[nodiscard]] int wait_fd() const;

  /// Handles what has arrived and what is due. Never blocks.
  void process(std::int64_t now_s);

  /// Sends the answers that the intake has.
  void send_answers();

  /// Tells the observers of the round.
  void notify_plan_changed();

  /// From now on updates are refused with 5.03.
  void stop_accepting() { accepting_ = false; }

  [[nodiscard]] bool has_pending_answers() const { return !pending_.empty(); }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// "coaps://127.0.0.1:5684".
  [[nodiscard]] std::string uri() const;
  [[nodiscard]] const CoapCounters& counters() const { return counters_; }

  CoapEndpoint(const CoapEndpoint&) = delete;
  CoapEndpoint& operator=(const CoapEndpoint&) = delete;

 private:
  struct Callbacks;  // libcoap's C callbacks, which need the private members

  struct ContextDeleter {
    void operator()(coap_context_t* context) const { coap_free_context(context); }
  };

  /// What a separate response needs of its request.
  struct PendingAnswer {
    coap_session_t* session = nullptr;  ///< Referenced.
    std::string device;
    std::vector<std::uint8_t> token;
    bool has_block = false;
    std::uint32_t block_option = 0;  ///< NUM, M = 0 and SZX of the last block.
    bool confirmable = true;
  };

  void set_up_dtls(const pki::FederationPaths& paths);
  void open_endpoint(const CoapAddress& address);
  void add_resources();

  void get_round(coap_resource_t* resource, coap_session_t* session, const coap_pdu_t* request,
                 const coap_string_t* query, coap_pdu_t* response);
  void get_model(coap_session_t* session, const coap_pdu_t* request, const coap_string_t* query,
                 coap_pdu_t* response);
  void post_update(coap_session_t* session, const coap_pdu_t* request, coap_pdu_t* response);
  void post_time(coap_session_t* session, const coap_pdu_t* request, coap_pdu_t* response);
  void submit(DeviceSession& sender, coap_session_t* session, const coap_pdu_t* request,
              coap_pdu_t* response);

  /// Null after having answered with the refusal, of a stranger or of a device that asks too often.
  DeviceSession* identify_or_refuse(coap_session_t* session, coap_pdu_t* response);
  bool is_within_limits(DeviceSession& device, coap_session_t* session, coap_pdu_t* response);
  void refuse_for_now(const DeviceSession& device, coap_session_t* session, coap_pdu_t* response,
                      std::uint32_t retry_after_s, const char* detail);
  /// In how many seconds a client of the enrolment may ask again; 0 = now.
  std::uint32_t enrolment_wait(coap_session_t* session, const std::string& client);
  void count_download(std::uint32_t round, std::size_t bytes);
  void answer(const intake::Answer& answer, const PendingAnswer& pending);
  /// Whether a session is made of the ClientHello. `reply_bytes` of `reply` are to be sent.
  bool on_hello(const coap_address_t& remote, Bytes datagram, std::span<std::uint8_t> reply,
                std::size_t& reply_bytes);
  void close_overdue_handshakes();
  void on_event(coap_session_t* session, coap_event_t event);
  void watch_certificates(coap_session_t* session);
  void judge_certificate(coap_session_t* session, Bytes certificate_der, std::uint32_t& flags);
  void close_revoked_sessions();
  void admit(coap_session_t* session);
  void admit_new_sessions();
  /// Outside of libcoap's callbacks, where a session may not be closed.
  void close_later(coap_session_t* session);
  void close_refused_sessions();
  void record_refusal(const AuditEntry& entry);
  void record_limit(const AuditEntry& entry);

  coordinator::Coordinator& coordinator_;
  intake::Intake& intake_;
  AuditLog& audit_log_;
  HelloVerifier hello_verifier_;
  SessionLimits session_limits_;
  RegistrationLimit registrations_;
  RequestBudget budget_;
  SessionDirectory sessions_;
  ServedModels models_;
  std::optional<EstResources> est_;  ///< Outlives the context, whose sessions end with it.
  TimeSigner time_signer_;
  CoapCounters counters_;

  // libcoap keeps pointers to these.
  std::vector<std::uint8_t> ca_pem_;
  std::vector<std::uint8_t> certificate_pem_;
  std::unique_ptr<pki::SecretBytes> key_pem_;

  std::map<std::uint64_t, PendingAnswer> pending_;  ///< By the intake's token.
  std::uint64_t next_token_ = 1;
  std::vector<coap_session_t*> arriving_;  ///< Not established yet; at most Limits::handshakes.
  std::vector<coap_session_t*> refused_;   ///< To be closed outside of callbacks.
  std::int64_t now_s_ = 0;
  bool accepting_ = true;
  std::string listen_;
  std::uint16_t port_ = 0;
  coap_resource_t* round_resource_ = nullptr;  ///< Owned by the context.
  std::unique_ptr<coap_context_t, ContextDeleter> context_;
};

}  // namespace skep::app
