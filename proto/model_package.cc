// A package may lie in flash and be larger than RAM: its head is read in small pieces by hand,
// its weights are only located.
#include <pb_decode.h>

#include "check.h"
#include "nanopb_stream.h"
#include "skep/wire/codec.h"

namespace skep::wire {
namespace {

enum Field : std::uint32_t {
  kManifest = skep_ModelPackage_manifest_tag,
  kSignature = skep_ModelPackage_signature_tag,
  kWeights = skep_ModelPackage_weights_tag,
};

class Reader {
 public:
  explicit Reader(const ByteSource& source) : source_(source), size_(source.size_bytes()) {}

  [[nodiscard]] std::uint32_t position() const { return position_; }
  [[nodiscard]] std::uint32_t rest() const { return size_ - position_; }

  Status read(MutableBytes out) {
    if (out.size() > rest()) return Status::kMalformed;
    SKEP_TRY(source_.read(position_, out));
    position_ += static_cast<std::uint32_t>(out.size());
    return Status::kOk;
  }

  /// Reads tag and length of the `bytes` field that must come next: its length, which the source
  /// still holds.
  Result<std::uint32_t> read_field_head(Field field) {
    std::array<std::uint8_t, 1> tag;
    SKEP_TRY(read(tag));
    SKEP_TRY(require(tag[0] == (field << 3U | PB_WT_STRING)));
    const std::uint32_t start = position_;
    SKEP_ASSIGN_OR_RETURN(const std::uint32_t length, read_varint());
    SKEP_TRY(require(position_ - start == varint_bytes(length)));
    SKEP_TRY(require(length <= rest()));
    return length;
  }

 private:
  Result<std::uint32_t> read_varint() {
    pb_istream_t stream{};
    stream.callback = [](pb_istream_t* self, pb_byte_t* out, std::size_t count) {
      auto& reader = *static_cast<Reader*>(self->state);
      reader.error_ = reader.read({out, count});
      return reader.error_ == Status::kOk;
    };
    stream.state = this;
    stream.bytes_left = rest();
    std::uint32_t value = 0;
    error_ = Status::kMalformed;  // unless the source fails, what goes wrong is the varint
    if (pb_decode_varint32(&stream, &value)) return value;
    return error_ == Status::kOk ? Status::kMalformed : error_;
  }

  const ByteSource& source_;
  std::uint32_t size_;
  std::uint32_t position_ = 0;
  Status error_ = Status::kOk;
};

}  // namespace

Status read_model_package(const ByteSource& package, PackageHead& out) {
  if (package.size_bytes() > kMaxPackageBytes) return Status::kTooLarge;
  Reader reader(package);

  SKEP_ASSIGN_OR_RETURN(const std::uint32_t manifest_bytes, reader.read_field_head(kManifest));
  SKEP_TRY(require(in_range(manifest_bytes, 1, kMaxManifestBytes)));
  out.manifest_bytes = static_cast<std::uint16_t>(manifest_bytes);
  SKEP_TRY(reader.read(MutableBytes(out.manifest).first(manifest_bytes)));

  SKEP_ASSIGN_OR_RETURN(const std::uint32_t signature_bytes, reader.read_field_head(kSignature));
  SKEP_TRY(require(signature_bytes == kSignatureBytes));
  SKEP_TRY(reader.read(out.signature));

  SKEP_ASSIGN_OR_RETURN(out.weights_bytes, reader.read_field_head(kWeights));
  SKEP_TRY(require(out.weights_bytes >= 1 && out.weights_bytes == reader.rest()));
  out.weights_offset = reader.position();
  return Status::kOk;
}

Result<PackageHead> read_model_package(const ByteSource& package) {
  PackageHead head{};
  SKEP_TRY(read_model_package(package, head));
  return head;
}

Result<std::size_t> encode(const ModelPackage& message, MutableBytes out) {
  if (check(message) != Status::kOk) return Status::kInvalidArgument;
  const std::size_t size = field_head_bytes(message.manifest.size()) + message.manifest.size() +
                           field_head_bytes(kSignatureBytes) + kSignatureBytes +
                           field_head_bytes(message.weights.size()) + message.weights.size();
  if (size > kMaxPackageBytes) return Status::kInvalidArgument;
  skep_ModelPackage raw{};
  bind(raw.manifest, message.manifest);
  bind(raw.signature, message.signature);
  bind(raw.weights, message.weights);
  return encode_message(skep_ModelPackage_fields, &raw, out);
}

}  // namespace skep::wire
