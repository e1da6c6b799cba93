// The real skepd with a federation of its own, watched from outside.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "skep/demo/federated_data.h"
#include "skep/demo/federation.h"
#include "skep/process/process.h"
#include "skep/seal/sha256.h"
#include "skep/wire/codec.h"

namespace skep::e2e {

/// Images of ten classes that can be told apart; which ones depends on `seed`.
std::vector<learn_testing::Sample> made_up_digits(std::size_t count, std::uint32_t seed);

/// A federation in a temporary directory whose rounds end only by `skepctl round aggregate`.
/// Errors are exceptions with the text of what failed.
class Gateway {
 public:
  explicit Gateway(double clip_norm = 8.0);

  /// Enrols a device with skepctl, and answers what is in its file.
  wire::DeviceCredentials enrol(const std::string& device);

  /// Of skepd.toml, for the next start().
  void configure(const std::string& key, const std::string& value) {
    federation_.configure(key, value);
  }

  void start() { federation_.start_gateway(); }
  void stop() { federation_.stop_gateway(); }
  void kill() { federation_.kill_gateway(); }
  [[nodiscard]] pid_t pid() const { return federation_.gateway_pid(); }
  /// Throws with the end of its log if it has ended.
  void check_alive() { federation_.check_alive(); }

  /// Closes the round and opens the next one, whatever came in.
  void finish_round() { (void)federation_.operate({"round", "aggregate", "--force"}); }
  void revoke(const std::string& device);
  void roll_back(std::uint32_t to_version);
  /// What `skepctl --format json` answers.
  [[nodiscard]] nlohmann::json operate(const process::Command& arguments) const {
    return federation_.operate(arguments);
  }

  /// The same for what may fail.
  [[nodiscard]] process::Output try_operate(const process::Command& arguments) const {
    return federation_.try_operate(arguments);
  }

  /// SHA-256 over every row of every table, read through a read-only connection. Left out are
  /// rounds.refused and rounds.bytes_down, where skepd counts its traffic from time to time, and
  /// refusals and the audit log, where it counts and records what it refuses.
  [[nodiscard]] seal::Sha256Digest database_digest() const;

  /// The digest of each device's update for the round.
  [[nodiscard]] std::map<std::string, seal::Sha256Digest> stored_updates(std::uint32_t round) const;

  /// VmRSS of skepd.
  [[nodiscard]] std::size_t resident_bytes() const;

  [[nodiscard]] const std::filesystem::path& directory() const { return federation_.directory(); }
  [[nodiscard]] std::string log() const { return process::read_text(directory() / "skepd.log"); }

  [[nodiscard]] std::filesystem::path database() const { return directory() / "skep.db"; }

 private:
  process::TemporaryDirectory folder_;
  demo::Federation federation_;
};

}  // namespace skep::e2e
