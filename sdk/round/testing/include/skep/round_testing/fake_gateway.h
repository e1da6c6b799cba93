// A gateway in memory, behind the interface of a CoAP client: real keys, signatures, encodings and
// sealed updates, and a wire that fails on demand.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "skep/bytes.h"
#include "skep/model_spec.h"
#include "skep/seal/envelope.h"
#include "skep/seal/signature.h"
#include "skep/transport/client.h"
#include "skep/wire/codec.h"
#include "skep/wire/resources.h"

namespace skep::round_testing {

using Buffer = std::vector<std::uint8_t>;

/// Takes the value, or aborts with the status: for what cannot fail in a test.
template <typename T>
T take(Result<T> result);
[[noreturn]] void abort_with(Status status);

template <typename T>
T take(Result<T> result) {
  if (!result.ok()) abort_with(result.status());
  return std::move(*result);
}

/// Every key of a small federation, made once a process.
struct Keys {
  seal::SigningKey signing;  ///< Models and plans.
  seal::SigningKey foreign;  ///< Of some other federation.
  seal::SigningKey device;
  Buffer device_scalar;
  seal::AggregationKey aggregation;

  static const Keys& instance();
};

inline constexpr std::array<std::uint8_t, wire::kFederationBytes> kFederation{1, 2, 3, 4,
                                                                              5, 6, 7, 8};

/// The weights blob of a new model, the digest of anything.
Buffer initial_weights(const ModelSpec& spec, std::uint32_t seed = 1);
Buffer digest_of(Bytes content);

/// An open round's plan for the model with this digest: 2 epochs, half of the values, 8 bits.
wire::RoundPlan make_plan(std::uint32_t round, std::uint32_t base_version, Bytes base_digest);

/// Lets a plan ask for that compression; half of the elements and 8 bits where the mode has them.
void set_compression(wire::RoundPlan& plan, CompressionMode mode);

/// The gateway's judgement of `Update.delta`: kMalformed, kUnsupportedVersion, kNormExceeded or
/// kOk.
Status judge_delta(Bytes delta, std::uint32_t dimension, const wire::RoundPlan& plan,
                   const char* device);

Buffer sign_plan(const wire::RoundPlan& plan, const seal::SigningKey& key);

/// What a device's update said, after the gateway's checks of it.
struct ReceivedUpdate {
  std::uint32_t round;
  std::uint32_t base_version;
  std::uint32_t sample_count;
  std::uint32_t loss_before_q16;
  std::uint32_t loss_after_q16;
  Buffer delta;
};

/// Delivers what is due in poll(), one response each. Outlives Devices as a gateway does: a new
/// Device opens a new session.
class FakeGateway final : public transport::Client {
 public:
  /// Serves version 1 of a model and the plan of round 1, both signed.
  explicit FakeGateway(const ModelSpec& spec);

  [[nodiscard]] wire::DeviceCredentials credentials() const;

  // ---- what the gateway does

  /// Announces `plan` to whoever observes, as it stands.
  void announce();
  /// Opens the next round on the current model and announces it.
  void open_next_round();
  /// Releases the next version with other weights; plan.base_… follow.
  void release_next_model();
  /// Encodes and signs `manifest` with `weights` anew, after a test changed them.
  void repack(const seal::SigningKey& key);

  /// What it answers if a device asks for a patch from this version; none: the package.
  [[nodiscard]] std::optional<Buffer> patch_from(std::uint32_t base_version) const;

  bool serves_patches = false;
  wire::RoundPlan plan{};
  wire::ModelManifest manifest{};
  Buffer weights;
  Buffer package;

  // ---- faults

  struct Faults {
    bool refuses_sessions = false;
    bool is_mute = false;  ///< Takes requests and never answers.
    std::uint32_t block_bytes = 128;
    bool hides_total = false;                      ///< No Size2.
    std::optional<std::uint32_t> breaks_at;        ///< Session lost before that offset, once.
    std::optional<std::uint32_t> changes_etag_at;  ///< From that offset on, once.
    std::optional<std::uint32_t> ends_at;          ///< The body is cut short there.
    std::function<void(Buffer&)> tamper_plan;      ///< The signed message.
    std::deque<std::uint8_t> model_codes;          ///< Error codes for the next model requests.
    std::deque<std::uint8_t> plan_codes;           ///< … for the next observations.
    std::deque<std::pair<std::uint8_t, Status>> upload_answers;  ///< … for the next uploads.
    std::uint32_t max_age_s = 0;  ///< Max-Age of what answers with an error code.
    bool answers_wrong_digest = false;
    bool knows_no_patches = false;              ///< An old one: refuses a query with `from`.
    std::function<void(Buffer&)> tamper_patch;  ///< The whole message.
  };
  Faults faults;

  /// The session breaks now, as the device's transport would notice.
  void drop_session();

  // ---- observation

  [[nodiscard]] const std::vector<ReceivedUpdate>& received() const { return received_; }
  /// Why the last update was refused; kOk if it was not.
  [[nodiscard]] Status refusal() const { return refusal_; }
  std::uint32_t duplicates = 0;
  std::uint32_t sessions = 0;
  std::uint32_t requests = 0;
  std::uint32_t model_requests = 0;
  std::uint32_t patches = 0;      ///< Begun.
  std::uint32_t model_bytes = 0;  ///< Of packages and patches.

  // ---- transport::Client

  Status open(transport::ResponseHandler& handler) override;
  void close() override;
  [[nodiscard]] transport::SessionState state() const override { return state_; }
  Status send(transport::RequestId id, const transport::Request& request) override;
  void cancel(transport::RequestId id) override;
  void poll() override;
  [[nodiscard]] std::uint32_t next_timeout_ms() override;

 private:
  struct Pending {
    transport::RequestId id;
    transport::Request request;
    std::uint32_t offset = 0;  // of the next block of the answer
  };
  struct Body {
    Buffer bytes;
    std::array<std::uint8_t, wire::kModelEtagBytes> etag;
  };

  [[nodiscard]] Body model_body(const char* query);
  void answer_model(Pending pending);
  void answer_plan(const Pending& pending);
  void answer_update(const Pending& pending);
  Status judge(Bytes sealed);
  void respond_problem(transport::RequestId id, std::uint8_t code, Status status);
  void respond(transport::RequestId id, const transport::Response& response);

  transport::ResponseHandler* handler_ = nullptr;
  transport::SessionState state_ = transport::SessionState::kClosed;
  std::deque<Pending> queue_;
  std::optional<transport::RequestId> observer_;
  std::map<std::uint32_t, Buffer> released_;  // version → weights, the present one left out
  std::map<std::uint32_t, Buffer> answered_;  // round → the bytes of its update
  std::vector<ReceivedUpdate> received_;
  Status refusal_ = Status::kOk;
};

}  // namespace skep::round_testing
