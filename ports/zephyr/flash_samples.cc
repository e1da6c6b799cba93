#include "skep/port_zephyr/flash_samples.h"

#include <zephyr/sys/byteorder.h>

#include <algorithm>
#include <array>

#include "skep/port_zephyr/provisioned.h"

namespace skep::port_zephyr {
namespace {

constexpr std::uint32_t kHeadBytes = 8;
constexpr std::uint32_t kValueBytes = 2;
constexpr std::uint32_t kFirstSample = kProvisionedHeaderBytes + kHeadBytes;
constexpr std::size_t kChunkValues = 32;

constexpr std::uint32_t sample_bytes(std::uint32_t feature_count) {
  return (feature_count + 1U) * kValueBytes;
}

}  // namespace

Status FlashSamples::open() {
  SKEP_ASSIGN_OR_RETURN(const std::uint32_t length,
                        find_provisioned(partition_, ProvisionedKind::kSamples));
  std::array<std::uint8_t, kHeadBytes> head{};
  if (length < head.size()) return Status::kMalformed;
  SKEP_TRY(partition_.read(kProvisionedHeaderBytes, head));
  const std::uint16_t features = sys_get_le16(&head[0]);
  const std::uint32_t samples = sys_get_le32(&head[4]);
  const std::uint64_t expected = kHeadBytes + std::uint64_t{samples} * sample_bytes(features);
  if (features == 0 || sys_get_le16(&head[2]) != 0 || expected != length) return Status::kMalformed;
  feature_count_ = features;
  count_ = samples;
  return Status::kOk;
}

Status FlashSamples::read(std::uint32_t index, std::span<std::int16_t> features,
                          std::uint16_t& label) {
  if (index >= count_ || features.size() != feature_count_) return Status::kInvalidArgument;
  std::uint32_t offset = kFirstSample + index * sample_bytes(feature_count_);
  std::array<std::uint8_t, kChunkValues * kValueBytes> chunk{};
  while (!features.empty()) {
    const std::size_t take = std::min(features.size(), kChunkValues);
    SKEP_TRY(partition_.read(offset, MutableBytes(chunk).first(take * kValueBytes)));
    for (std::size_t i = 0; i < take; ++i) {
      features[i] = static_cast<std::int16_t>(sys_get_le16(&chunk[i * kValueBytes]));
    }
    features = features.subspan(take);
    offset += static_cast<std::uint32_t>(take) * kValueBytes;
  }
  SKEP_TRY(partition_.read(offset, MutableBytes(chunk).first(kValueBytes)));
  label = sys_get_le16(chunk.data());
  return Status::kOk;
}

}  // namespace skep::port_zephyr
