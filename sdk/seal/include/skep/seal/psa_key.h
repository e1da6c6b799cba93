// Ownership of one volatile key inside PSA Crypto.
#pragma once

#include <cstdint>
#include <utility>

namespace skep::seal {

/// Destroys (PSA wipes) its key when it goes out of scope. Move-only.
///
/// Holds the number that PSA calls psa_key_id_t, so that users of this header need no header of
/// Mbed TLS. Using one key from several threads is safe where MBEDTLS_THREADING_C is on;
/// destroying or moving it while another thread uses it is not.
class PsaKey {
 public:
  PsaKey() = default;
  /// Takes ownership of `id`.
  explicit PsaKey(std::uint32_t id) : id_(id) {}
  PsaKey(PsaKey&& other) noexcept : id_(std::exchange(other.id_, kNone)) {}
  PsaKey& operator=(PsaKey&& other) noexcept {
    if (this != &other) {
      destroy();
      id_ = std::exchange(other.id_, kNone);
    }
    return *this;
  }
  PsaKey(const PsaKey&) = delete;
  PsaKey& operator=(const PsaKey&) = delete;
  ~PsaKey() { destroy(); }

  [[nodiscard]] std::uint32_t id() const { return id_; }

 private:
  static constexpr std::uint32_t kNone = 0;  // PSA_KEY_ID_NULL

  void destroy();

  std::uint32_t id_ = kNone;
};

}  // namespace skep::seal
