// A federation in a temporary folder for tests: a database, keys, and devices that train, compress
// and seal with the real SDK.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "skep/intake/rules.h"
#include "skep/seal/envelope.h"
#include "skep/seal/signature.h"
#include "skep/server_flow/flow.h"
#include "skep/store/store.h"

namespace skep::intake_testing {

/// A new folder below the system's temporary one, removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Where a device departs from what the plan asks. Unset: it does as told.
struct Departures {
  std::optional<std::uint32_t> clip_norm_q16 = std::nullopt;
  std::optional<Compression> compression = std::nullopt;
  std::optional<store::Digest> base_digest = std::nullopt;
  const seal::SigningKey* signing_key = nullptr;
  const seal::AggregationKey* aggregation_key = nullptr;
  std::uint32_t sample_count = 8;
  std::uint32_t seed = 1;     ///< Of its data.
  bool wrong_labels = false;  ///< It teaches nonsense.
};

class Federation {
 public:
  /// Devices "device-0" … are enrolled. No model, no round.
  explicit Federation(unsigned device_count, const ModelSpec& spec = small_model());

  static ModelSpec small_model();   ///< 4-6-3, d = 51.
  static ModelSpec digits_model();  ///< 64-32-10, d = 2,410.

  [[nodiscard]] store::Store open() const { return store::Store::open(database()); }
  [[nodiscard]] std::filesystem::path database() const { return folder_.path() / "skep.db"; }
  [[nodiscard]] std::filesystem::path folder() const { return folder_.path(); }
  [[nodiscard]] const store::FederationId& id() const { return id_; }
  [[nodiscard]] const ModelSpec& spec() const { return spec_; }
  [[nodiscard]] const std::vector<std::uint8_t>& weights() const { return weights_; }
  [[nodiscard]] std::uint32_t parameter_count() const { return parameter_count_; }
  [[nodiscard]] const seal::AggregationKey& aggregation_key() const { return aggregation_key_; }
  [[nodiscard]] const seal::SigningKey& signing_key() const { return signing_key_; }

  [[nodiscard]] static std::string device_name(unsigned device);
  [[nodiscard]] const seal::SigningKey& device_key(unsigned device) const {
    return device_keys_.at(device);
  }

  /// A plan for round `round` on model version 1, which is weights().
  [[nodiscard]] wire::RoundPlan make_plan(std::uint32_t round) const;
  [[nodiscard]] std::shared_ptr<const intake::RoundRules> rules(const wire::RoundPlan& plan) const;
  /// Lets a plan ask for that compression; 300 of 1000 elements and 12 bits where the mode has
  /// them, as in make_plan().
  static void set_compression(wire::RoundPlan& plan, CompressionMode mode);
  /// Inserts the plan's round, and model version 1 if there is none, into the database.
  void open_round(const wire::RoundPlan& plan) const;

  /// A SealedUpdate: trained from `base` (weights() if empty), clipped, compressed, sealed.
  [[nodiscard]] std::vector<std::uint8_t> seal(unsigned device, const wire::RoundPlan& plan,
                                               const Departures& departures = {},
                                               Bytes base = {}) const;
  /// Seals any plaintext under any header, with the signature of `signer`.
  [[nodiscard]] std::vector<std::uint8_t> seal_raw(const wire::UpdateHeader& header,
                                                   Bytes plaintext,
                                                   const seal::SigningKey& signer) const;
  [[nodiscard]] wire::UpdateHeader make_header(unsigned device, const wire::RoundPlan& plan) const;

  /// As it comes out of the device's DTLS session.
  [[nodiscard]] server::Received receive(unsigned device, std::vector<std::uint8_t> bytes) const;

 private:
  TemporaryFolder folder_;
  store::FederationId id_{0x5B, 0xE3, 0x01, 0x7A, 0x42, 0x90, 0xC4, 0x11};
  ModelSpec spec_;
  std::uint32_t parameter_count_ = 0;
  std::vector<std::uint8_t> weights_;
  seal::AggregationKey aggregation_key_;
  seal::SigningKey signing_key_;
  std::vector<seal::SigningKey> device_keys_;
};

/// A gate that always has the same round open, and counts.
class FixedGate final : public intake::RoundGate {
 public:
  explicit FixedGate(std::shared_ptr<const intake::RoundRules> rules) : rules_(std::move(rules)) {}
  [[nodiscard]] std::shared_ptr<const intake::RoundRules> open_round() const override {
    return rules_;
  }
  void updates_stored(std::uint32_t, std::uint32_t count) override { stored += count; }
  void update_refused() override { ++refused; }

  std::atomic<std::uint32_t> stored = 0;
  std::atomic<std::uint32_t> refused = 0;

 private:
  std::shared_ptr<const intake::RoundRules> rules_;
};

/// Samples of the same kind as the devices', as a CSV file for release::load_hold_out().
void write_hold_out(const std::filesystem::path& path, const ModelSpec& spec,
                    std::uint32_t sample_count);

/// All content of the database but the counted refusals and the audit log as text, to see that
/// nothing changed.
[[nodiscard]] std::string dump(const std::filesystem::path& database);

}  // namespace skep::intake_testing
