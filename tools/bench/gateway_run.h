// A federation to measure: the real skepd on loopback, and enrolled devices that we play.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "session.h"
#include "skep/demo/federated_data.h"
#include "skep/demo/federation.h"
#include "skep/demo/local_update.h"
#include "skep/process/process.h"
#include "skep/wire/codec.h"

namespace skep::bench {

struct RunOptions {
  std::filesystem::path programs;
  std::filesystem::path data;
  std::uint32_t devices = 200;
  std::uint32_t seed = 1;
};

/// skepd runs from construction to destruction, with one open round that no quorum ends.
class GatewayRun {
 public:
  /// Throws std::exception with what went wrong.
  explicit GatewayRun(const RunOptions& options);

  [[nodiscard]] const std::vector<wire::DeviceCredentials>& credentials() const {
    return credentials_;
  }
  [[nodiscard]] LoopbackPort port() const;
  [[nodiscard]] std::filesystem::path directory() const { return federation_->directory(); }

  /// Peak resident set of skepd so far.
  [[nodiscard]] std::uint64_t peak_rss_bytes() const;

  /// Processor time of skepd so far, all its threads.
  [[nodiscard]] double cpu_seconds() const;

  /// `round status`: how many updates of the open round skepd has stored.
  [[nodiscard]] std::uint64_t received() const;

  /// A real update of device `index`: it has the demo's share of digits of one of 20 devices.
  [[nodiscard]] Buffer update_of(std::size_t index, const demo::Task& task) const;

 private:
  RunOptions options_;
  process::TemporaryDirectory directory_;
  demo::FederatedData digits_;
  std::unique_ptr<demo::Federation> federation_;
  std::vector<wire::DeviceCredentials> credentials_;
};

}  // namespace skep::bench
