// Model packages as devices fetch them, with their ETags.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "skep/coordinator/coordinator.h"
#include "skep/wire/resources.h"

namespace skep::app {

struct ServedModel {
  std::uint32_t version = 0;
  std::shared_ptr<const std::vector<std::uint8_t>> package;
  std::array<std::uint8_t, wire::kModelEtagBytes> etag{};
};

/// A version's content never changes, so the last few are kept: a block-wise download asks for
/// its package once for each block. Not thread-safe.
class ServedModels {
 public:
  explicit ServedModels(coordinator::Coordinator& coordinator) : coordinator_(coordinator) {}

  /// Null if there is no such version, or it was rejected. Valid until the next call.
  /// Errors: StoreError.
  [[nodiscard]] const ServedModel* find(std::uint32_t version);

 private:
  static constexpr std::size_t kKept = 4;

  coordinator::Coordinator& coordinator_;
  std::deque<ServedModel> kept_;
};

}  // namespace skep::app
