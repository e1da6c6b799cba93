#include "seal_testing.h"

#include <mbedtls/private_access.h>
#include <psa/crypto.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

// Stands in for the stages before this one: their functions are the only friends of Compressed,
// and this program links none of them.
namespace skep::compress {

struct Options {
  std::uint32_t sample_count;
};

Result<Compressed> compress(const Noised& /*update*/, const Options& options, MutableBytes out,
                            std::span<std::int16_t> /*scratch*/) {
  return Compressed(out, options.sample_count);
}

}  // namespace skep::compress

namespace skep::privacy {

Result<Clipped> clip(Delta delta, Norm /*max_norm*/) { return Clipped(delta); }
Noised without_noise(Clipped clipped) { return Noised(clipped.delta()); }

}  // namespace skep::privacy

namespace skep::seal::testing {

Buffer from_hex(const std::string& hex) {
  if (hex.size() % 2 != 0) throw std::invalid_argument(hex);
  Buffer bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    std::size_t used = 0;
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(i, 2), &used, 16)));
    if (used != 2) throw std::invalid_argument(hex);
  }
  return bytes;
}

std::string to_hex(Bytes bytes) {
  std::string hex;
  for (const std::uint8_t byte : bytes) {
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x", static_cast<unsigned>(byte));
    hex += digits.data();
  }
  return hex;
}

Buffer to_buffer(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::size_t live_key_count() {
  mbedtls_psa_stats_t stats{};
  mbedtls_psa_get_stats(&stats);
  return stats.MBEDTLS_PRIVATE(volatile_slots);
}

bool contains(Bytes haystack, Bytes needle) {
  return std::search(haystack.begin(), haystack.end(), needle.begin(), needle.end()) !=
         haystack.end();
}

Compressed compressed_from(Bytes delta, std::uint32_t sample_count) {
  const Noised noised = privacy::without_noise(take(privacy::clip(Delta{}, Norm{1})));
  // The view is only ever read.
  const MutableBytes bytes(const_cast<std::uint8_t*>(delta.data()), delta.size());
  return take(compress::compress(noised, compress::Options{sample_count}, bytes, {}));
}

UpdateContext update_context() {
  static constexpr std::array<std::uint8_t, 8> kFederation = {1, 2, 3, 4, 5, 6, 7, 8};
  static constexpr std::array<std::uint8_t, 16> kNonce = {0xA0, 0xA1, 0xA2, 0xA3};
  static constexpr std::array<std::uint8_t, 16> kBaseDigest = {0xB0, 0xB1, 0xB2};
  return {.federation = kFederation,
          .device = "hive-07",
          .round = 12,
          .base_version = 11,
          .nonce = kNonce,
          .key_id = 3,
          .base_digest = kBaseDigest,
          .loss_before_q16 = 150000,
          .loss_after_q16 = 120000};
}

void abort_with(Status status) {
  std::fprintf(stderr, "unexpected %s\n", to_string(status));
  std::abort();
}

}  // namespace skep::seal::testing
