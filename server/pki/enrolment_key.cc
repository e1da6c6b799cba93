#include "skep/pki/enrolment_key.h"

#include <mbedtls/md.h>

#include <algorithm>
#include <string>

#include "mbedtls_support.h"
#include "skep/pki/files.h"

namespace skep::pki {
namespace {

constexpr std::size_t kKeyBytes = 32;
// With the zero byte at its end, so that no id can continue it.
constexpr char kPurpose[] = "skep enrolment token v1";
constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view kHex = "0123456789abcdef";

void create(const std::filesystem::path& path) {
  SecretBytes key(kKeyBytes);
  random_bytes(key.mutable_bytes());
  try {
    create_file(path, key.bytes(), Access::kSecret);
  } catch (const PkiError&) {
    // skepd and skepctl may both be the first: whoever came later takes the other's.
    if (!std::filesystem::exists(path)) throw;
  }
}

}  // namespace

std::array<char, kTokenIdChars> new_token_id() {
  std::array<std::uint8_t, kTokenIdChars / 2> random{};
  random_bytes(random);
  std::array<char, kTokenIdChars> id{};
  for (std::size_t i = 0; i < random.size(); ++i) {
    id[2 * i] = kHex[random[i] >> 4U];
    id[2 * i + 1] = kHex[random[i] & 15U];
  }
  return id;
}

EnrolmentKey EnrolmentKey::load_or_create(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) create(path);
  SecretBytes key = read_secret_file(path, kKeyBytes);
  if (key.size() != kKeyBytes) {
    throw PkiError(path.string() + " has " + std::to_string(key.size()) + " bytes: expected " +
                   std::to_string(kKeyBytes));
  }
  return EnrolmentKey(std::move(key));
}

SecretBytes EnrolmentKey::secret_of(std::string_view token_id) const {
  std::string message(kPurpose, sizeof kPurpose);
  message += token_id;
  SecretBytes secret(kTokenSecretChars);
  check(mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), key_.bytes().data(),
                        key_.size(), reinterpret_cast<const unsigned char*>(message.data()),
                        message.size(), secret.data()),
        "cannot derive a token's secret");
  for (std::uint8_t& byte : secret.mutable_bytes()) {
    byte = static_cast<std::uint8_t>(kBase32[byte % kBase32.size()]);
  }
  return secret;
}

}  // namespace skep::pki
