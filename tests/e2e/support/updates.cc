#include "updates.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>

#include "gateway.h"
#include "skep/seal/hpke.h"
#include "skep/wire/resources.h"

namespace skep::e2e {
namespace {

constexpr std::size_t kSampleCount = 40;
constexpr unsigned kSzx512 = 5;
constexpr std::uint32_t kHeaderField = 1;
constexpr std::uint32_t kSignatureField = 4;

template <typename T>
T take(Result<T> result, const char* what) {
  if (!result.ok()) throw std::runtime_error(std::string(what) + ": " + to_string(result.status()));
  return *std::move(result);
}

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
  const Buffer signed_plan = client.get(wire::kRoundPath).payload;
  const auto envelope = take(wire::decode_signed_round_plan(signed_plan), "signed plan");
  const auto plan = take(wire::decode_round_plan(envelope.plan), "plan");
  return demo::make_task(signed_plan, fetch_model(client, plan.base_version));
}

Buffer make_update(const Task& task, const wire::DeviceCredentials& credentials,
                   std::uint32_t seed) {
  return demo::make_update(task, credentials, made_up_digits(kSampleCount, seed), seed);
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
