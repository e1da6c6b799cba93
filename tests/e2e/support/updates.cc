#include "updates.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

#include "gateway.h"
#include "skep/round/local_round.h"
#include "skep/seal/hpke.h"
#include "skep/wire/resources.h"

namespace skep::e2e {
namespace {

constexpr std::uint16_t kSamplesPerStep = 100;
constexpr std::size_t kSampleCount = 40;
constexpr unsigned kSzx512 = 5;
constexpr std::uint32_t kHeaderField = 1;
constexpr std::uint32_t kSignatureField = 4;

template <typename T>
T take(Result<T> result, const char* what) {
  if (!result.ok()) throw std::runtime_error(std::string(what) + ": " + to_string(result.status()));
  return *std::move(result);
}

class Samples final : public SampleSource {
 public:
  explicit Samples(std::uint32_t seed) : digits_(made_up_digits(kSampleCount, seed)) {}
  std::uint32_t count() override { return static_cast<std::uint32_t>(digits_.size()); }
  Status read(std::uint32_t index, std::span<std::int16_t> features,
              std::uint16_t& label) override {
    if (index >= digits_.size() || features.size() != digits_[index].pixels.size()) {
      return Status::kInvalidArgument;
    }
    std::ranges::copy(digits_[index].pixels, features.begin());
    label = digits_[index].label;
    return Status::kOk;
  }

 private:
  std::vector<demo::Digit> digits_;
};

Buffer fetch_model(TestClient& client, std::uint32_t version) {
  Buffer body;
  for (std::uint32_t block = 0;; ++block) {
    const Answer answer =
        client.request({.path = wire::kModelPath,
                        .query = wire::kModelVersionQuery + std::to_string(version),
                        .options = {number_option(COAP_OPTION_BLOCK2, block << 4U | kSzx512)},
                        .payload = {}});
    if (answer.code != COAP_RESPONSE_CODE_CONTENT) {
      throw std::runtime_error("the model: " + code_text(answer.code));
    }
    body.insert(body.end(), answer.payload.begin(), answer.payload.end());
    if (!answer.more_blocks) return body;
  }
}

std::uint64_t read_varint(Bytes message, std::size_t& position) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (position >= message.size()) throw std::runtime_error("truncated varint");
    const std::uint8_t byte = message[position++];
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return value;
  }
  throw std::runtime_error("endless varint");
}

void write_varint(Buffer& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) out.push_back(static_cast<std::uint8_t>(value | 0x80U));
  out.push_back(static_cast<std::uint8_t>(value));
}

void append_with_length(Buffer& out, Bytes bytes) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(bytes.size() >> shift));
  }
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

Task fetch_task(TestClient& client) {
  Task task;
  const Answer answer = client.get(wire::kRoundPath);
  const auto envelope = take(wire::decode_signed_round_plan(answer.payload), "signed plan");
  task.plan = take(wire::decode_round_plan(envelope.plan), "plan");
  const Buffer package = fetch_model(client, task.plan.base_version);
  const auto head = take(wire::read_model_package(SpanSource(package)), "model package");
  const auto manifest = take(wire::decode_model_manifest(head.manifest_view()), "manifest");
  task.spec = take(wire::to_model_spec(manifest.spec), "model spec");
  const Bytes weights = Bytes(package).subspan(head.weights_offset, head.weights_bytes);
  task.weights.assign(weights.begin(), weights.end());
  return task;
}

Buffer make_update(const Task& task, const wire::DeviceCredentials& credentials,
                   std::uint32_t seed) {
  const std::uint32_t bytes = take(
      round::LocalRound::workspace_bytes(task.spec, task.plan.keep_permille, task.plan.value_bits),
      "workspace");
  std::vector<std::uint64_t> workspace(bytes / sizeof(std::uint64_t) + 1);
  Samples samples(seed);
  const SpanSource weights(task.weights);
  const seal::SigningKey key = signing_key(credentials);
  round::LocalRound local(samples, std::as_writable_bytes(std::span(workspace)));
  const Status begun = local.begin({.plan = task.plan,
                                    .spec = task.spec,
                                    .weights = weights,
                                    .device = credentials.device,
                                    .device_key = key,
                                    .seed = seed});
  if (begun != Status::kOk) throw std::runtime_error(std::string("round: ") + to_string(begun));
  while (!take(local.step(kSamplesPerStep), "round")) {
  }
  const Bytes sealed = local.sealed().bytes();
  return {sealed.begin(), sealed.end()};
}

std::vector<Field> split_fields(Bytes message) {
  std::vector<Field> fields;
  for (std::size_t position = 0; position < message.size();) {
    const std::uint64_t tag = read_varint(message, position);
    Field field;
    field.number = static_cast<std::uint32_t>(tag >> 3U);
    field.is_bytes = (tag & 7U) == 2;
    field.value = read_varint(message, position);
    if (!field.is_bytes && (tag & 7U) != 0) throw std::runtime_error("unexpected wire type");
    if (field.is_bytes) {
      if (field.value > message.size() - position) throw std::runtime_error("truncated field");
      const Bytes content = message.subspan(position, field.value);
      field.bytes.assign(content.begin(), content.end());
      position += content.size();
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

Buffer join_fields(const std::vector<Field>& fields) {
  Buffer message;
  for (const Field& field : fields) {
    write_varint(message, std::uint64_t{field.number} << 3U | (field.is_bytes ? 2U : 0U));
    write_varint(message, field.is_bytes ? field.bytes.size() : field.value);
    message.insert(message.end(), field.bytes.begin(), field.bytes.end());
  }
  return message;
}

Buffer edit_field(Bytes message, std::uint32_t number, const std::function<void(Field&)>& edit) {
  auto fields = split_fields(message);
  const auto found = std::ranges::find(fields, number, &Field::number);
  if (found == fields.end()) throw std::runtime_error("no field " + std::to_string(number));
  edit(*found);
  return join_fields(fields);
}

Buffer sign_again(Bytes sealed_update, const seal::SigningKey& key) {
  auto fields = split_fields(sealed_update);
  Buffer content;
  for (const Field& field : fields) {
    if (field.number != kSignatureField) append_with_length(content, field.bytes);
  }
  const auto signature = take(key.sign(seal::Domain::kSealedUpdate, content), "signature");
  return edit_field(sealed_update, kSignatureField,
                    [&](Field& field) { field.bytes.assign(signature.begin(), signature.end()); });
}

Buffer with_header(Bytes sealed_update, const std::function<void(wire::UpdateHeader&)>& edit,
                   const seal::SigningKey& key) {
  const Buffer changed = edit_field(sealed_update, kHeaderField, [&](Field& field) {
    auto header = take(wire::decode_update_header(field.bytes), "header");
    edit(header);
    field.bytes.resize(wire::kMaxUpdateHeaderBytes);
    field.bytes.resize(take(wire::encode(header, field.bytes), "header"));
  });
  return sign_again(changed, key);
}

seal::SigningKey signing_key(const wire::DeviceCredentials& credentials) {
  return take(seal::SigningKey::from_bytes(credentials.device_private_key), "the device's key");
}

Buffer seal_plaintext(const Task& task, Bytes sealed_update, Bytes plaintext,
                      const seal::SigningKey& key) {
  auto fields = split_fields(sealed_update);
  const std::string_view label("skep update v1\0", 15);
  Buffer info(label.begin(), label.end());
  info.insert(info.end(), std::begin(task.plan.federation), std::end(task.plan.federation));
  seal::hpke::PublicKey enc;
  Buffer ciphertext(plaintext.size() + seal::hpke::kTagBytes);
  (void)take(seal::hpke::seal(seal::Kem::kP256HkdfSha256, wire::bytes_of(task.plan.aggregation_key),
                              info, fields.at(0).bytes, plaintext, enc, ciphertext),
             "sealing");
  fields.at(1).bytes.assign(enc.view().begin(), enc.view().end());
  fields.at(2).bytes = std::move(ciphertext);
  return sign_again(join_fields(fields), key);
}

}  // namespace skep::e2e
