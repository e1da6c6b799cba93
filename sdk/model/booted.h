// For tests: the parts of a device that has to do with models, switched on over a flash. A reset is
// another Booted on the same flash.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

#include "skep/core_testing/ram_flash.h"
#include "skep/model/model_slots.h"
#include "skep/model/patch_installer.h"
#include "test_package.h"

namespace skep::model::test {

inline constexpr FlashGeometry kGeometry{16 * 512, 512, 8};
inline constexpr std::uint32_t kPackageBytesMax = 2 * 512;
inline constexpr std::size_t kWeightsBytes = 700;

// Smaller than make_layout()'s log, so that moves between banks happen in short tests.
inline StorageLayout layout_of(const FlashGeometry& geometry) {
  return {{0, 512, 2}, {1024, 1024}, {2048, 1024}, {3072, 512}, geometry.size_bytes};
}

struct Booted {
  explicit Booted(core_testing::RamFlash& flash, Federation federation = kFederation,
                  std::uint32_t sdk_version = kSdkVersion)
      : layout(layout_of(flash.geometry())),
        log(flash),
        slots(flash, log, {verifier, policy, federation, sdk_version}) {
    status = log.open(layout.log);
    if (status == Status::kOk) status = slots.open(layout);
  }

  Status make_room(std::size_t package_bytes) {
    SKEP_TRY(slots.begin_install(static_cast<std::uint32_t>(package_bytes)));
    for (bool is_erased = false; !is_erased;) {
      SKEP_ASSIGN_OR_RETURN(is_erased, slots.erase_step());
    }
    return Status::kOk;
  }

  Status install(const Buffer& package, std::size_t piece = 100) {
    SKEP_TRY(make_room(package.size()));
    for (std::size_t at = 0; at < package.size(); at += piece) {
      SKEP_TRY(slots.append(static_cast<std::uint32_t>(at),
                            Bytes(package).subspan(at, std::min(piece, package.size() - at))));
    }
    return slots.finish();
  }

  Status install_patch(const Buffer& patch, std::size_t piece = 128) {
    SKEP_TRY(make_room(kPackageBytesMax));
    PatchInstaller installer(slots);
    Status result = Status::kOk;
    for (std::size_t at = 0; at < patch.size() && result == Status::kOk; at += piece) {
      result = installer.append(Bytes(patch).subspan(at, std::min(piece, patch.size() - at)));
    }
    if (result == Status::kOk) result = installer.finish();
    if (result == Status::kOk) return slots.finish();
    slots.cancel_install();
    return result;
  }

  // 0 without a model; otherwise its weights are compared with those that the version has.
  std::uint32_t checked_version(std::size_t weights_bytes = kWeightsBytes) {
    if (!slots.current().has_value()) return 0;
    const Installed& model = *slots.current();
    Buffer weights(model.weights.size_bytes());
    EXPECT_EQ(model.weights.read(0, weights), Status::kOk);
    EXPECT_EQ(weights, TestPackage(model.version, weights_bytes).weights);
    EXPECT_EQ(model.manifest.model_version, model.version);
    return model.version;
  }

  StorageLayout layout;
  TestVerifier verifier;
  TestPolicy policy;
  RecordLog log;
  ModelSlots slots;
  Status status;
};

}  // namespace skep::model::test
