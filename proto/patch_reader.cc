#include "skep/wire/patch_reader.h"

#include <pb.h>

#include <algorithm>

#include "skep/wire/codec.h"

namespace skep::wire {
namespace {

constexpr std::uint8_t kVarintBits = 7;
constexpr std::uint8_t kMoreFollows = 0x80;
constexpr std::uint8_t kLastShift = 28;  // the fifth byte of a 32 bit varint has 4 bits

constexpr std::uint8_t tag_of(std::uint8_t number, std::uint8_t wire_type) {
  return static_cast<std::uint8_t>(number << 3U | wire_type);
}
static_assert(tag_of(skep_ModelPatch_version_tag, PB_WT_VARINT) == kModelPatchFirstByte);
static_assert(tag_of(skep_ModelPackage_manifest_tag, PB_WT_STRING) != kModelPatchFirstByte);

// The package's fields follow each other as the patch's do.
constexpr std::uint8_t kFieldsBeforeManifest =
    skep_ModelPatch_manifest_tag - skep_ModelPackage_manifest_tag;
static_assert(skep_ModelPatch_signature_tag - skep_ModelPackage_signature_tag ==
              kFieldsBeforeManifest);
static_assert(skep_ModelPatch_difference_tag - skep_ModelPackage_weights_tag ==
              kFieldsBeforeManifest);

}  // namespace

Result<PatchReader::Piece> PatchReader::next(Bytes& rest) {
  while (!rest.empty() && place_ != Place::kContent) {
    SKEP_TRY(take_byte(rest[0]));
    rest = rest.subspan(1);
  }
  if (place_ != Place::kContent) return Piece{.is_difference = false, .bytes = {}};
  if (!is_announced_) return Piece{.is_difference = false, .bytes = begin_package_field()};

  const Bytes content = rest.first(std::min<std::size_t>(value_, rest.size()));
  rest = rest.subspan(content.size());
  value_ -= static_cast<std::uint32_t>(content.size());
  const bool is_difference = field_ == kDifference;
  if (!is_difference) head_bytes_ += static_cast<std::uint32_t>(content.size());
  if (value_ == 0) {
    ++field_;
    place_ = Place::kTag;
  }
  return Piece{.is_difference = is_difference, .bytes = content};
}

Status PatchReader::finish() const { return field_ == kEnd ? Status::kOk : Status::kMalformed; }

Status PatchReader::take_byte(std::uint8_t byte) {
  if (place_ == Place::kVarint) return take_varint_byte(byte);
  const std::uint8_t wire_type = has_content() ? PB_WT_STRING : PB_WT_VARINT;
  if (field_ == kEnd || byte != tag_of(field_, wire_type)) return Status::kMalformed;
  place_ = Place::kVarint;
  value_ = 0;
  shift_ = 0;
  return Status::kOk;
}

Status PatchReader::take_varint_byte(std::uint8_t byte) {
  const std::uint32_t bits = byte & (kMoreFollows - 1U);
  const bool overflows = shift_ == kLastShift && byte > 0x0F;
  const bool is_padded = byte == 0 && shift_ != 0;
  if (overflows || is_padded) return Status::kMalformed;
  value_ |= bits << shift_;
  shift_ = static_cast<std::uint8_t>(shift_ + kVarintBits);
  if ((byte & kMoreFollows) != 0) return Status::kOk;
  SKEP_TRY(check_value());
  is_announced_ = false;
  place_ = has_content() ? Place::kContent : Place::kTag;
  if (!has_content()) ++field_;
  return Status::kOk;
}

Status PatchReader::check_value() const {
  const auto require = [](bool condition) { return condition ? Status::kOk : Status::kMalformed; };
  switch (field_) {
    case kVersion:
      return value_ == 1 ? Status::kOk : Status::kUnsupportedVersion;
    case kBaseVersion:
      return value_ == base_version_ ? Status::kOk : Status::kWrongBase;
    case kManifest:
      return require(value_ >= 1 && value_ <= kMaxManifestBytes);
    case kSignature:
      return require(value_ == kSignatureBytes);
    default:
      return require(value_ >= 1 && value_ <= kMaxPackageBytes);
  }
}

Bytes PatchReader::begin_package_field() {
  is_announced_ = true;
  std::size_t size = 0;
  head_[size++] = tag_of(static_cast<std::uint8_t>(field_ - kFieldsBeforeManifest), PB_WT_STRING);
  std::uint32_t length = field_ == kDifference ? weights_bytes_ : value_;
  for (; length >= kMoreFollows; length >>= kVarintBits) {
    head_[size++] = static_cast<std::uint8_t>(length | kMoreFollows);
  }
  head_[size++] = static_cast<std::uint8_t>(length);
  head_bytes_ += static_cast<std::uint32_t>(size);
  return Bytes(head_).first(size);
}

}  // namespace skep::wire
