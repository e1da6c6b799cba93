#include "skep/intake/validate.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "skep/compress/compressor.h"
#include "skep/compress/decoder.h"
#include "skep/seal/sha256.h"

namespace skep::intake {
namespace {

bool equal(Bytes a, Bytes b) { return std::ranges::equal(a, b); }

Refusal refuse(Status status, std::string detail) { return {status, std::move(detail)}; }

Refusal refuse_decoding(Status status, const std::string& what) {
  switch (status) {
    case Status::kTooLarge:
      return refuse(status, what + " is too large");
    case Status::kUnsupportedVersion:
      return refuse(status, what + " has a version that is not known");
    default:
      return refuse(status, what + " does not decode");
  }
}

std::string rounds_differ(std::uint32_t got, std::uint32_t open) {
  return "update for round " + std::to_string(got) + ", open is round " + std::to_string(open);
}

std::optional<Refusal> check_plan(const wire::UpdateHeader& header, const wire::RoundPlan& plan) {
  if (!equal(header.nonce, plan.nonce)) {
    return refuse(Status::kWrongNonce, "nonce is not that of the plan");
  }
  if (header.base_version != plan.base_version) {
    return refuse(Status::kWrongBase, "update of model " + std::to_string(header.base_version) +
                                          ", expected " + std::to_string(plan.base_version));
  }
  if (header.key_id != plan.key_id) {
    return refuse(Status::kUndecryptable, "sealed to key " + std::to_string(header.key_id) +
                                              ", expected " + std::to_string(plan.key_id));
  }
  return std::nullopt;
}

std::optional<Refusal> check_sender(const server::Received& update, const std::string& device,
                                    const wire::SealedUpdate& sealed, Records& records) {
  if (device != update.session_device) {
    return refuse(Status::kWrongDevice,
                  "update of " + device + " in a session of " + update.session_device);
  }
  const auto sender = records.sender(device);
  if (!sender || sender->revoked) {
    return refuse(Status::kRevoked, "device " + device + " is not enrolled");
  }
  if (sender->public_key != update.session_key) {
    return refuse(Status::kWrongDevice, "the session's key is not the enrolled one of " + device);
  }
  const auto key = seal::VerifyingKey::from_bytes(sender->public_key);
  if (!key.ok()) return refuse(key.status(), "the enrolled key of " + device + " is unusable");
  if (const Status status = seal::verify_update_signature(sealed, *key); status != Status::kOk) {
    return refuse(status, "signature of " + device + " does not verify");
  }
  return std::nullopt;
}

}  // namespace

/// The one maker of Opened.
class Opener {
 public:
  static OpenOutcome open(server::Received update, const Gateway& gateway, const RoundRules* rules,
                          Records& records) {
    const auto sealed = wire::decode_sealed_update(update.bytes);
    if (!sealed.ok()) return refuse_decoding(sealed.status(), "SealedUpdate");
    const auto header = wire::decode_update_header(sealed->header);
    if (!header.ok()) return refuse_decoding(header.status(), "UpdateHeader");
    if (!equal(header->federation, gateway.federation)) {
      return refuse(Status::kWrongFederation, "update for another federation");
    }
    const std::string device = header->device;
    if (auto refusal = check_sender(update, device, *sealed, records)) return *std::move(refusal);

    const auto digest = seal::sha256(update.bytes);
    if (!digest.ok()) return refuse(digest.status(), "hashing failed");
    const auto stored = records.stored_digest(device, header->round);
    if (stored == *digest) return Duplicate{device, header->round, *digest};
    if (rules == nullptr) return refuse(Status::kWrongRound, "no round is open");
    if (header->round != rules->plan.round) {
      return refuse(Status::kWrongRound, rounds_differ(header->round, rules->plan.round));
    }
    if (stored) {
      return refuse(Status::kAlreadyAnswered,
                    "another update of " + device + " is stored for this round");
    }
    return decrypt(*header, *sealed, *digest, std::move(update.bytes), gateway, *rules);
  }

  static OpenOutcome reopen(const std::string& device, const server::Digest& digest,
                            std::vector<std::uint8_t> bytes, const Gateway& gateway,
                            const RoundRules& rules) {
    const auto actual = seal::sha256(bytes);
    if (!actual.ok()) return refuse(actual.status(), "hashing failed");
    if (*actual != digest) {
      return refuse(Status::kBadDigest, "stored update of " + device + " is damaged");
    }
    const auto sealed = wire::decode_sealed_update(bytes);
    if (!sealed.ok()) return refuse_decoding(sealed.status(), "SealedUpdate");
    const auto header = wire::decode_update_header(sealed->header);
    if (!header.ok()) return refuse_decoding(header.status(), "UpdateHeader");
    if (device != header->device) {
      return refuse(Status::kWrongDevice, "stored as that of " + device);
    }
    if (header->round != rules.plan.round) {
      return refuse(Status::kWrongRound, rounds_differ(header->round, rules.plan.round));
    }
    return decrypt(*header, *sealed, digest, std::move(bytes), gateway, rules);
  }

 private:
  // `sealed` points into `bytes`, whose memory a move does not move.
  static OpenOutcome decrypt(const wire::UpdateHeader& header, const wire::SealedUpdate& sealed,
                             const server::Digest& digest, std::vector<std::uint8_t> bytes,
                             const Gateway& gateway, const RoundRules& rules) {
    if (auto refusal = check_plan(header, rules.plan)) return *std::move(refusal);
    server::Opened opened;
    opened.plaintext_.resize(sealed.ciphertext.size());
    const auto content = seal::open_update(sealed, gateway.key, opened.plaintext_);
    if (content.status() == Status::kUndecryptable) {
      return refuse(Status::kUndecryptable, "update does not decrypt");
    }
    if (!content.ok()) return refuse_decoding(content.status(), "Update");
    opened.content_ = *content;
    opened.device_ = header.device;
    opened.round_ = header.round;
    opened.digest_ = digest;
    opened.sealed_ = std::move(bytes);
    return opened;
  }
};

/// The one maker of Valid.
class Validator {
 public:
  static CheckOutcome check(server::Opened opened, const RoundRules& rules) {
    const wire::Update& content = opened.content();
    if (!equal(content.base_digest,
               Bytes(rules.plan.base_digest).first(content.base_digest.size()))) {
      return refuse(Status::kWrongBase, "base digest is not that of the plan");
    }
    auto delta = decode(content.delta, opened.device(), rules);
    if (const auto* refusal = std::get_if<Refusal>(&delta)) return *refusal;

    server::Valid valid;
    valid.sample_count_ = content.sample_count;
    valid.loss_before_q16_ = content.loss_before_q16;
    valid.loss_after_q16_ = content.loss_after_q16;
    valid.delta_ = std::get<server::SparseDelta>(std::move(delta));
    valid.device_ = std::move(opened.device_);
    valid.round_ = opened.round_;
    valid.digest_ = opened.digest_;
    valid.sealed_ = std::move(opened.sealed_);
    return valid;
  }

 private:
  static std::variant<server::SparseDelta, Refusal> decode(Bytes bytes, const std::string& device,
                                                           const RoundRules& rules) {
    const std::uint32_t dimension = rules.parameter_count;
    const Norm clip_norm{rules.plan.clip_norm_q16};
    const std::uint32_t seed =
        compress::public_seed(rules.plan.round, rules.plan.base_digest, device.c_str());
    const compress::Options options =
        compress::options_for(wire::to_compression(rules.plan), dimension, seed, clip_norm);
    std::vector<std::int32_t> values(compress::decoded_elements(dimension, options.mode));
    const auto decoded = compress::decode(bytes, dimension, options, values);
    if (!decoded.ok()) return refuse_delta(decoded.status(), options);
    if (!norm_at_most(*decoded, clip_norm)) {
      return refuse(Status::kNormExceeded, "the delta's norm is above the clip norm");
    }
    return to_sparse(*decoded, std::span(values).first(dimension));
  }

  static Refusal refuse_delta(Status status, const compress::Options& options) {
    if (status == Status::kUnsupportedVersion) return refuse_decoding(status, "delta");
    std::string expected = name_of(options.mode);
    if (has_keep_count(options.mode)) {
      expected += ", " + std::to_string(options.keep_count) + " elements";
    }
    if (has_value_bits(options.mode)) {
      expected += ", " + std::to_string(options.value_bits) + " bits";
    }
    return refuse(status, "delta is not what the plan asks: " + expected);
  }

  static server::SparseDelta to_sparse(const compress::Decoded& decoded,
                                       std::span<const std::int32_t> values) {
    server::SparseDelta delta{.dimension = static_cast<std::uint32_t>(values.size()),
                              .exponent = decoded.exponent,
                              .scale = decoded.scale,
                              .indices = {},
                              .values = {}};
    for (std::uint32_t i = 0; i < values.size(); ++i) {
      if (values[i] == 0) continue;
      delta.indices.push_back(i);
      delta.values.push_back(values[i]);
    }
    return delta;
  }
};

OpenOutcome open(server::Received update, const Gateway& gateway, const RoundRules* rules,
                 Records& records) {
  return Opener::open(std::move(update), gateway, rules, records);
}

CheckOutcome check(server::Opened update, const RoundRules& rules) {
  return Validator::check(std::move(update), rules);
}

Outcome validate(server::Received update, const Gateway& gateway, const RoundRules* rules,
                 Records& records) {
  auto opened = open(std::move(update), gateway, rules, records);
  if (auto* duplicate = std::get_if<Duplicate>(&opened)) return std::move(*duplicate);
  if (auto* refusal = std::get_if<Refusal>(&opened)) return std::move(*refusal);
  auto checked = check(std::get<server::Opened>(std::move(opened)), *rules);
  if (auto* refusal = std::get_if<Refusal>(&checked)) return std::move(*refusal);
  return std::get<server::Valid>(std::move(checked));
}

CheckOutcome reopen(const std::string& device, const server::Digest& digest,
                    std::vector<std::uint8_t> sealed, const Gateway& gateway,
                    const RoundRules& rules) {
  auto opened = Opener::reopen(device, digest, std::move(sealed), gateway, rules);
  if (auto* refusal = std::get_if<Refusal>(&opened)) return std::move(*refusal);
  return check(std::get<server::Opened>(std::move(opened)), rules);
}

}  // namespace skep::intake
