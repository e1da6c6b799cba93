// A federated-learning device: the one object that a firmware engineer needs.
//
//   skep::Device device(config, platform, client, workspace, events);
//   if (device.start() != skep::Status::kOk) { ... }
//   for (;;) sleep_at_most(device.poll());
//
// The device observes the gateway's rounds. For each open one it fetches and verifies the base
// model, trains on the platform's samples, clips, compresses, seals, signs and sends the update,
// and keeps every finished step in storage: a reset at any instant resumes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "skep/core/record_log.h"
#include "skep/model/model_slots.h"
#include "skep/model/patch_installer.h"
#include "skep/model/pending_update.h"
#include "skep/observe/observer.h"
#include "skep/platform.h"
#include "skep/round/backoff.h"
#include "skep/round/events.h"
#include "skep/round/local_round.h"
#include "skep/round/trust.h"
#include "skep/seal/signature.h"
#include "skep/seal/verifiers.h"
#include "skep/status.h"
#include "skep/transport/client.h"
#include "skep/wire/codec.h"
#include "skep/wire/resources.h"

namespace skep {

struct DeviceConfig {
  /// Who the device is and whom it trusts. Read by start() only; the certificates in it are the
  /// transport's business.
  const wire::DeviceCredentials& credentials;

  /// Sizes of the regions in storage; start() refuses a storage that is too small.
  std::uint32_t max_package_bytes = 16 * 1024;
  std::uint32_t max_update_bytes = 4 * 1024;

  /// Fixes the order of samples and the stochastic rounding, so that a federation can be run
  /// again bit by bit, whatever the compression (its own random choices are those of round, base
  /// model and name: compress::public_seed()); 0 draws a new seed from the entropy source in each
  /// round.
  std::uint32_t training_seed = 0;

  /// Samples that one poll() trains on or evaluates, ≥ 1: how long a poll may take.
  std::uint16_t samples_per_poll = 1;

  /// After this long without a word from the gateway the observation is renewed, which also finds
  /// out whether the session still lives (a gateway that restarted has forgotten it).
  std::uint32_t refresh_ms = 60'000;

  /// A transfer that has not moved for this long is given up with its session: the gateway took
  /// the request and then forgot it, which no retransmission notices. Longer than what those take
  /// (RFC 7252 section 4.8.2: EXCHANGE_LIFETIME is 247 s, MAX_TRANSMIT_WAIT 93 s).
  std::uint32_t answer_timeout_ms = 120'000;

  round::BackoffLimits backoff{};

  /// What Device::observe() feeds, and what decides in which rounds to take part; its buffer is
  /// the Platform's SampleSource. Outlives the device. None: the device takes part in every round,
  /// on whatever samples the platform has.
  observe::Observer* observer = nullptr;
};

/// What the device is doing.
enum class DeviceState : std::uint8_t {
  kStopped,     ///< start() was not called, or failed.
  kWaiting,     ///< Backing off.
  kConnecting,  ///< DTLS handshake under way.
  kObserving,   ///< Connected; nothing to do until the gateway announces something.
  kErasing,     ///< Making room for a model.
  kFetching,    ///< Receiving a model block-wise, as a whole or as a patch.
  kInstalling,  ///< Verifying and switching to a model.
  kTraining,    ///< In a LocalRound.
  kUploading,   ///< Waiting for the gateway's receipt.
};

/// Memory is `sizeof(Device)` and the workspace; no heap, no global state of its own (Mbed TLS and
/// libcoap have theirs, see skep/transport/client.h). Not thread-safe: one thread calls it.
class Device final : private transport::ResponseHandler {
 public:
  using EventKind = round::EventKind;

  /// All references outlive the device. `workspace` is aligned to 8 bytes and its size decides
  /// which models and plans fit: see
  /// round::LocalRound::workspace_bytes(). `events` may be null.
  Device(const DeviceConfig& config, const Platform& platform, transport::Client& client,
         std::span<std::byte> workspace, round::EventSink* events);
  ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  /// Recovers the state in storage; the first poll() connects.
  ///
  /// Errors: kNoEntropy if the entropy source fails (nothing is done without it);
  /// kInvalidArgument if the credentials hold no usable key, the workspace is not aligned or
  /// samples_per_poll is 0; kStorageFailed;
  /// kTooLarge if the storage cannot hold the configured sizes, or the observer's state is larger
  /// than RecordLog::kMaxPayloadBytes (more than 15 channels).
  Status start();

  /// Does one bounded piece of work. Returns the milliseconds after which the next call is useful
  /// if nothing arrives from the network before; 0 means at once.
  [[nodiscard]] std::uint32_t poll();

  /// The class that the installed model predicts for one sample of int16 features.
  ///
  /// Errors: kNotFound before the first model; kBusy while the workspace is used for training or
  /// an upload; kInvalidArgument if the number of features is not the model's.
  [[nodiscard]] Result<std::uint16_t> predict(std::span<const std::int16_t> features);

  /// Takes one reading for each of the sensor's channels: what it completes is standardised,
  /// scored by the installed model, and offered to the buffer with its label (an autoencoder's is
  /// 0). See observe::Observer for the stages; docs/guides/observe.md for the whole.
  ///
  /// There is no score before the first model, and while the workspace is used for training or an
  /// upload; while training the buffer stays as it is. When the scaler has just become ready, or
  /// the threshold known, both are stored: then this takes as long as a write to flash.
  ///
  /// Errors: kUnsupported without an observer; kInvalidArgument before start(), for readings or a
  /// label that the observer does not take (nothing is changed), or if its samples are not the
  /// model's (the sample is lost); kNoMemory as Observer::take(); kStorageFailed (the sample is
  /// taken, and storing tried again with the next).
  [[nodiscard]] Result<observe::Observation> observe(std::span<const std::int32_t> readings,
                                                     std::uint16_t label);

  /// The anomaly score of a whole sample (with a window: all its frames, oldest first) by the
  /// installed autoencoder and the threshold of this device. Learns nothing from it.
  ///
  /// Errors: kUnsupported without an observer, or if the model is not an autoencoder; kNotFound
  /// before the first model or while the scaler still learns; kBusy while the workspace is used
  /// for training or an upload; kInvalidArgument for a sample of the wrong length or range.
  [[nodiscard]] Result<observe::Score> score(std::span<const std::int32_t> sample);

  [[nodiscard]] DeviceState state() const { return state_; }

  /// Version of the installed model, 0 before the first.
  [[nodiscard]] std::uint32_t model_version() const;

 private:
  // What start() takes from the credentials.
  struct Identity {
    std::array<std::uint8_t, wire::kFederationBytes> federation;
    std::array<char, wire::kMaxNameChars + 1> name;
    seal::SigningKey signing_key;
    seal::VerifyingKey gateway_key;
  };

  // transport::ResponseHandler. Sessions are opened and closed by poll() only.
  void on_response(transport::RequestId id, const transport::Response& response) override;
  void on_failure(transport::RequestId id, Status status) override;
  void on_plan_block(const transport::Response& response);
  void on_plan(Bytes message);
  void on_model_block(const transport::Response& response);
  Status take_model_block(const transport::Response& response);
  Status begin_model(const transport::Response& first_block);
  void on_receipt(const transport::Response& response);

  void work(std::uint64_t now_ms);
  [[nodiscard]] std::uint32_t idle_ms(std::uint64_t now_ms);
  void connect();
  void on_connected();
  [[nodiscard]] Status session_problem(std::uint64_t now_ms) const;
  [[nodiscard]] bool has_plan_to_follow() const;
  void lose_session(Status reason);
  void back_off();
  void rest();
  void observe_rounds();

  [[nodiscard]] bool claim_workspace();
  [[nodiscard]] Result<std::uint32_t> loss_of(observe::Features features, const ModelSpec& spec,
                                              std::uint16_t label);
  Status restore_observer();
  Status store_observer();

  Status load_identity();
  Status open_storage();
  void follow_plan();
  Status check_plan(const wire::RoundPlan& plan) const;
  void begin_fetch();
  void continue_fetch();
  void finish_fetch();
  void write_model_query();
  void refuse_model(Status reason);
  void put_off_model(Status reason);
  void fetch_whole_model(Status reason);
  void begin_round();
  void continue_round();
  Status finish_round();
  void refuse_round(Status reason);
  void begin_upload();
  [[nodiscard]] Status load_upload();
  Status check_receipt(Bytes body) const;
  void end_upload(EventKind outcome, Status status);
  Status remember_answered(std::uint32_t round_id);
  Result<std::uint32_t> new_training_seed(std::uint32_t round_id);
  void report(EventKind kind, Status status = Status::kOk);

  DeviceConfig config_;
  Platform platform_;
  transport::Client& client_;
  std::span<std::byte> workspace_;
  round::EventSink* events_;

  std::optional<Identity> identity_;
  RecordLog log_;
  round::PackageTrust package_trust_;
  round::WorkspacePolicy workspace_policy_;
  std::optional<model::ModelSlots> slots_;
  std::optional<model::PendingUpdate> pending_;
  round::LocalRound local_round_;
  round::Backoff backoff_;

  DeviceState state_ = DeviceState::kStopped;
  Status lost_ = Status::kOk;         // why the session is to be given up; kOk: it is not
  std::uint64_t resume_at_ms_ = 0;    // end of kWaiting
  std::uint64_t last_heard_ms_ = 0;   // of the gateway, in any way
  bool awaits_plan_ = false;          // asked to observe, and no answer yet
  std::uint64_t last_moved_ms_ = 0;   // of the transfer under way
  std::uint32_t answered_round_ = 0;  // last round that is over for this device
  std::optional<seal::VerifiedPlan> plan_;
  bool plan_is_new_ = false;
  ModelSpec spec_{};  // of the round that local_round_ works on
  std::array<std::uint8_t, wire::kMaxSignedRoundPlanBytes> plan_buffer_{};
  std::uint32_t plan_bytes_ = 0;
  std::array<std::uint8_t, wire::kModelEtagBytes> model_etag_{};  // of what is being fetched
  std::array<char, wire::kMaxModelQueryChars + 1> model_query_{};
  std::optional<model::PatchInstaller> patch_;  // while it is a patch
  bool asks_for_patch_ = false;                 // in the request under way
  bool wants_whole_model_ = false;              // since a patch did not do, until one is installed
  Bytes upload_{};                              // the stored update's bytes, in the workspace
  std::uint32_t upload_round_ = 0;
};

}  // namespace skep
