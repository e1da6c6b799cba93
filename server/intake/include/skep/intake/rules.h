// What an update is judged by: the open round, and what the gateway remembers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "skep/model_spec.h"
#include "skep/server_flow/flow.h"
#include "skep/status.h"
#include "skep/wire/codec.h"

namespace skep::intake {

/// The open round. Immutable, shared between threads.
struct RoundRules {
  wire::RoundPlan plan{};
  ModelSpec spec;                     ///< Of the base model.
  std::uint32_t parameter_count = 0;  ///< Dimension of a delta.
};

/// An enrolled device, as far as intake cares.
struct Sender {
  server::PublicKey public_key{};
  bool revoked = false;
};

/// What the gateway remembers. An interface, so that validation is a pure function of its
/// arguments. May throw whatever the memory behind it throws.
class Records {
 public:
  [[nodiscard]] virtual std::optional<Sender> sender(std::string_view device) = 0;
  /// Digest of the sealed update that is stored for this device and round.
  [[nodiscard]] virtual std::optional<server::Digest> stored_digest(std::string_view device,
                                                                    std::uint32_t round) = 0;

 protected:
  ~Records() = default;
};

/// Where the workers learn which round is open, and tell what they did; the coordinator.
/// Called from several threads at once; must not block.
class RoundGate {
 public:
  /// Null while no round is open.
  [[nodiscard]] virtual std::shared_ptr<const RoundRules> open_round() const = 0;
  /// After the commit of `count` new updates of `round`.
  virtual void updates_stored(std::uint32_t round, std::uint32_t count) = 0;
  /// An update was refused while the round of open_round() was open.
  virtual void update_refused() = 0;

 protected:
  ~RoundGate() = default;
};

/// Why an update was not taken.
struct Refusal {
  Status status = Status::kInternal;
  std::string detail;  ///< What, where, what was expected; printable ASCII, fits a Problem.
};

/// The same bytes are stored already: the sender did not hear the answer.
struct Duplicate {
  std::string device;
  std::uint32_t round = 0;
  server::Digest digest{};
};

}  // namespace skep::intake
