#include "skep/seal/envelope.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace skep::seal {
namespace {

constexpr std::string_view kInfoPrefix{"skep update v1\0", 15};
constexpr std::size_t kSignatureMemberBytes = 2 + kSignatureBytes;  // tag, length, r ‖ s

static_assert(static_cast<int>(skep_Kem_KEM_DHKEM_P256_HKDF_SHA256) ==
              static_cast<int>(Kem::kP256HkdfSha256));
static_assert(static_cast<int>(skep_Kem_KEM_DHKEM_X25519_HKDF_SHA256) ==
              static_cast<int>(Kem::kX25519HkdfSha256));
static_assert(kSignatureBytes == wire::kSignatureBytes);
static_assert(hpke::kTagBytes == wire::kAeadTagBytes);

/// HPKE's info: binds an update to one federation.
class Info {
 public:
  explicit Info(std::span<const std::uint8_t, wire::kFederationBytes> federation) {
    const auto end = std::copy(kInfoPrefix.begin(), kInfoPrefix.end(), bytes_.begin());
    std::copy(federation.begin(), federation.end(), end);
  }
  [[nodiscard]] Bytes view() const { return bytes_; }

 private:
  std::array<std::uint8_t, kInfoPrefix.size() + wire::kFederationBytes> bytes_{};
};

/// What the device signs: each member after its length, so that no two messages with different
/// members have the same bytes.
class SignedParts {
 public:
  SignedParts(Bytes header, Bytes enc, Bytes ciphertext) {
    const std::array<Bytes, 3> members = {header, enc, ciphertext};
    for (std::size_t i = 0; i < members.size(); ++i) {
      lengths_[i] = big_endian(static_cast<std::uint32_t>(members[i].size()));
      parts_[2 * i] = lengths_[i];
      parts_[2 * i + 1] = members[i];
    }
  }
  SignedParts(const SignedParts&) = delete;
  SignedParts& operator=(const SignedParts&) = delete;

  [[nodiscard]] std::span<const Bytes> view() const { return parts_; }

 private:
  using Length = std::array<std::uint8_t, 4>;

  static Length big_endian(std::uint32_t value) {
    return {static_cast<std::uint8_t>(value >> 24U), static_cast<std::uint8_t>(value >> 16U),
            static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value)};
  }

  std::array<Length, 3> lengths_{};
  std::array<Bytes, 6> parts_;
};

/// Where things stand in the finished message.
struct Layout {
  std::size_t plaintext_offset;
  std::size_t plaintext_bytes;
  std::size_t delta_offset;
  std::size_t total_bytes;

  [[nodiscard]] std::size_t ciphertext_bytes() const { return plaintext_bytes + hpke::kTagBytes; }
};

/// An encoded UpdateHeader.
struct EncodedHeader {
  std::array<std::uint8_t, wire::kMaxUpdateHeaderBytes> bytes;
  std::size_t size_bytes;

  [[nodiscard]] Bytes view() const { return {bytes.data(), size_bytes}; }
};

Result<EncodedHeader> encode_header(const UpdateContext& context) {
  wire::UpdateHeader header{};
  if (context.device.size() >= sizeof(header.device)) return Status::kInvalidArgument;
  header.version = 1;
  std::copy(context.federation.begin(), context.federation.end(), header.federation);
  std::copy(context.device.begin(), context.device.end(), header.device);
  header.round = context.round;
  header.base_version = context.base_version;
  std::copy(context.nonce.begin(), context.nonce.end(), header.nonce);
  header.key_id = context.key_id;
  header.format = wire::kUpdateFormat;
  EncodedHeader encoded{};
  SKEP_ASSIGN_OR_RETURN(encoded.size_bytes, wire::encode(header, encoded.bytes));
  return encoded;
}

wire::Update update_of(const Compressed& compressed, const UpdateContext& context) {
  wire::Update update;
  update.base_digest = context.base_digest;
  update.sample_count = compressed.sample_count();
  update.loss_before_q16 = context.loss_before_q16;
  update.loss_after_q16 = context.loss_after_q16;
  update.delta = compressed.bytes();
  return update;
}

/// Errors: kTooLarge; kNoMemory.
Result<Layout> lay_out(const wire::Update& update, std::size_t header_bytes, std::size_t enc_bytes,
                       std::size_t out_bytes) {
  if (update.delta.size() > kMaxUpdateBytes) return Status::kTooLarge;
  Layout layout{};
  layout.delta_offset = wire::update_delta_offset(update);
  layout.plaintext_bytes = layout.delta_offset + update.delta.size();
  layout.plaintext_offset =
      wire::sealed_ciphertext_offset(header_bytes, enc_bytes, layout.ciphertext_bytes());
  layout.total_bytes = layout.plaintext_offset + layout.ciphertext_bytes() + kSignatureMemberBytes;
  if (layout.total_bytes > kMaxUpdateBytes) return Status::kTooLarge;
  if (layout.total_bytes > out_bytes) return Status::kNoMemory;
  return layout;
}

/// Encodes `update` where its ciphertext will stand. The delta is moved first, and may therefore
/// lie anywhere in `place`'s buffer.
Status write_plaintext(wire::Update update, const Layout& layout, MutableBytes place) {
  const MutableBytes delta = place.subspan(layout.delta_offset, update.delta.size());
  if (!update.delta.empty()) {
    std::memmove(delta.data(), update.delta.data(), update.delta.size());
  }
  update.delta = delta;
  SKEP_ASSIGN_OR_RETURN(const std::size_t length, wire::encode(update, place));
  return length == layout.plaintext_bytes ? Status::kOk : Status::kInternal;
}

/// Encrypts the plaintext that stands in `out`, signs, and writes everything around it.
/// Returns the length.
Result<std::size_t> encrypt_and_sign(const EncodedHeader& header, const UpdateContext& context,
                                     const SealKeys& keys, const Layout& layout, MutableBytes out) {
  const MutableBytes ciphertext = out.subspan(layout.plaintext_offset, layout.ciphertext_bytes());
  hpke::PublicKey enc;
  const Info info(context.federation);
  SKEP_TRY(hpke::seal(keys.kem, keys.aggregation_public_key, info.view(), header.view(),
                      ciphertext.first(layout.plaintext_bytes), enc, ciphertext)
               .status());
  const SignedParts parts(header.view(), enc.view(), ciphertext);
  SKEP_ASSIGN_OR_RETURN(const Signature signature,
                        keys.device_key.sign(Domain::kSealedUpdate, parts.view()));
  return wire::encode(wire::SealedUpdate{header.view(), enc.view(), ciphertext, signature}, out);
}

}  // namespace

Result<Kem> kem_from_wire(skep_Kem kem) {
  if (kem == skep_Kem_KEM_DHKEM_P256_HKDF_SHA256) return Kem::kP256HkdfSha256;
  if (kem == skep_Kem_KEM_DHKEM_X25519_HKDF_SHA256) return Kem::kX25519HkdfSha256;
  return Status::kUnsupported;
}

skep_Kem kem_to_wire(Kem kem) { return static_cast<skep_Kem>(kem); }

Result<Sealed> seal_update(const Compressed& compressed, const UpdateContext& context,
                           const SealKeys& keys, MutableBytes out) {
  const std::size_t enc_bytes = hpke::public_key_bytes(keys.kem);
  if (enc_bytes == 0) return Status::kUnsupported;
  if (keys.aggregation_public_key.size() != enc_bytes) return Status::kInvalidArgument;
  SKEP_ASSIGN_OR_RETURN(const EncodedHeader header, encode_header(context));
  const wire::Update update = update_of(compressed, context);
  SKEP_ASSIGN_OR_RETURN(const Layout layout,
                        lay_out(update, header.view().size(), enc_bytes, out.size()));

  Status status =
      write_plaintext(update, layout, out.subspan(layout.plaintext_offset, layout.plaintext_bytes));
  if (status == Status::kOk) {
    const Result<std::size_t> length = encrypt_and_sign(header, context, keys, layout, out);
    if (length.ok() && *length == layout.total_bytes) return Sealed(out.first(*length));
    status = length.ok() ? Status::kInternal : length.status();
  }
  wipe(out.first(layout.total_bytes));
  return status;
}

Status verify_update_signature(const wire::SealedUpdate& update, const VerifyingKey& key) {
  const SignedParts parts(update.header, update.enc, update.ciphertext);
  return key.verify(Domain::kSealedUpdate, parts.view(), update.signature);
}

Result<wire::Update> open_update(const wire::SealedUpdate& update, const AggregationKey& key,
                                 MutableBytes plaintext) {
  SKEP_ASSIGN_OR_RETURN(const wire::UpdateHeader header, wire::decode_update_header(update.header));
  const Info info(header.federation);
  SKEP_ASSIGN_OR_RETURN(
      const std::size_t length,
      hpke::open(key, update.enc, info.view(), update.header, update.ciphertext, plaintext));
  const Result<wire::Update> decoded = wire::decode_update(plaintext.first(length));
  if (!decoded.ok()) wipe(plaintext.first(length));
  return decoded;
}

}  // namespace skep::seal
