// Model packages and patches as devices fetch them, with their ETags.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "skep/coordinator/coordinator.h"
#include "skep/wire/resources.h"

namespace skep::app {

/// Largest number of versions back from which patches are made.
inline constexpr std::uint32_t kMaxPatchDepth = 16;

struct ServedModel {
  std::uint32_t version = 0;
  std::shared_ptr<const std::vector<std::uint8_t>> package;
  std::array<std::uint8_t, wire::kModelEtagBytes> etag{};
};

struct ServedPatch {
  std::uint32_t version = 0;
  std::uint32_t base_version = 0;
  std::vector<std::uint8_t> patch;  ///< Empty: there is none, the package is shorter.
  std::array<std::uint8_t, wire::kModelEtagBytes> etag{};
};

/// A version's content never changes, so the last few are kept: a block-wise download asks for
/// its package or patch once for each block. Not thread-safe.
class ServedModels {
 public:
  /// `patch_depth` ≤ kMaxPatchDepth: from how many versions back patches are made; 0 = none.
  ServedModels(coordinator::Coordinator& coordinator, std::uint32_t patch_depth)
      : coordinator_(coordinator), patch_depth_(patch_depth) {}

  /// Null if there is no such version, or it was rejected. Valid until the next call.
  /// Errors: StoreError.
  [[nodiscard]] const ServedModel* find(std::uint32_t version);

  /// Null if a device with `base_version` is to get the package: the base was never released, is
  /// too old or damaged, or `model` is not the one that is served now (a patch that was begun while
  /// it was can be ended). So a release costs at most patch_depth patches, whatever devices ask
  /// for. Valid until the next call. Errors: StoreError.
  [[nodiscard]] const ServedPatch* find_patch(const ServedModel& model, std::uint32_t base_version);

 private:
  static constexpr std::size_t kKept = 4;
  static constexpr std::size_t kKeptPatches = 2 * kMaxPatchDepth;

  [[nodiscard]] ServedPatch make_patch(const ServedModel& model, std::uint32_t base_version);

  coordinator::Coordinator& coordinator_;
  std::uint32_t patch_depth_;
  std::deque<ServedModel> kept_;
  std::deque<ServedPatch> kept_patches_;
};

}  // namespace skep::app
