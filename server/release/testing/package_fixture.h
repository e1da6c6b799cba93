// A small signed model for the tests of this folder.
#pragma once

#include <cstdint>
#include <vector>

#include "skep/release/initial_model.h"
#include "skep/release/package.h"
#include "skep/seal/crypto.h"

namespace skep::release_testing {

/// Errors: std::runtime_error.
inline seal::SigningKey new_signing_key() {
  if (seal::initialize_crypto() != Status::kOk) throw std::runtime_error("no cryptography");
  Result<seal::SigningKey> key = seal::SigningKey::generate();
  if (!key.ok()) throw std::runtime_error("no key");
  return std::move(*key);
}

inline seal::VerifyingKey verifying_key_of(const seal::SigningKey& key) {
  const Result<seal::VerifyingPoint> point = key.public_key();
  if (!point.ok()) throw std::runtime_error("no public key");
  const Result<seal::VerifyingKey> verifying = seal::VerifyingKey::from_bytes(*point);
  if (!verifying.ok()) throw std::runtime_error("no public key");
  return *verifying;
}

inline ModelSpec small_spec() {
  ModelSpec spec;
  spec.inputs = 5;
  spec.input_exponent = -4;
  spec.layer_count = 3;
  spec.layers[0] = {LayerKind::kDense, 4};
  spec.layers[1] = {LayerKind::kRelu, 4};
  spec.layers[2] = {LayerKind::kDense, 3};
  return spec;
}

inline release::ManifestFields small_fields() {
  release::ManifestFields fields;
  fields.federation = {1, 2, 3, 4, 5, 6, 7, 8};
  fields.model_name = "small";
  fields.model_version = 9;
  fields.rolls_back_to = 4;
  fields.round = 12;
  fields.spec = small_spec();
  fields.contributor_count = 20;
  fields.evaluation = {.sample_count = 100, .correct_count = 90, .mean_loss_q16 = 12345};
  fields.created_unix_s = 1700000000;
  return fields;
}

/// Key, weights and package, made once for a test case.
struct SignedModel {
  seal::SigningKey key = new_signing_key();
  seal::VerifyingKey verifying = verifying_key_of(key);
  std::vector<std::uint8_t> weights = release::initial_weights(small_spec(), 7);
  std::vector<std::uint8_t> package = release::build_package(small_fields(), weights, key);
};

}  // namespace skep::release_testing
