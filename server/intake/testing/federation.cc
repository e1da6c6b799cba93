#include "skep/intake_testing/federation.h"

#include <sqlite3.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <stdexcept>

#include "skep/compress/compressor.h"
#include "skep/core/prng.h"
#include "skep/learn/engine.h"
#include "skep/privacy/clip.h"
#include "skep/privacy/noise.h"
#include "skep/seal/crypto.h"
#include "skep/seal/sha256.h"

namespace skep::intake_testing {
namespace {

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(to_string(result.status()));
  return *std::move(result);
}

void must(Status status) {
  if (status != Status::kOk) throw std::runtime_error(to_string(status));
}

/// An engine and its memory.
struct HeapEngine {
  explicit HeapEngine(const ModelSpec& spec)
      : memory((must(learn::plan_memory(spec)).training_bytes + 7) / 8),
        engine(must(learn::Engine::create(spec, learn::Purpose::kTraining,
                                          std::as_writable_bytes(std::span(memory))))) {}
  std::vector<std::uint64_t> memory;
  learn::Engine engine;
};

std::vector<std::uint8_t> initial_weights(const ModelSpec& spec) {
  HeapEngine model(spec);
  must(model.engine.initialize(1));
  std::vector<std::uint8_t> weights(must(learn::plan_memory(spec)).weights_blob_bytes);
  must(model.engine.store(weights));
  return weights;
}

/// Clusters around one corner a class, so that there is something to learn.
struct Samples {
  explicit Samples(const ModelSpec& spec, std::uint32_t seed)
      : random(seed), features(spec.inputs), classes(spec.outputs()) {}

  std::uint16_t next() {
    const auto label = static_cast<std::uint16_t>(random.next() % classes);
    for (std::size_t i = 0; i < features.size(); ++i) {
      const std::uint32_t noise = random.next() % 2000;
      features[i] = static_cast<std::int16_t>(i % classes == label ? 12000 + noise : noise);
    }
    return label;
  }

  Xorshift32 random;
  std::vector<std::int16_t> features;
  std::uint16_t classes;
};

void train(learn::Engine& engine, const Departures& departures) {
  Samples samples(engine.spec(), departures.seed);
  for (std::uint32_t step = 0; step < departures.sample_count; ++step) {
    const std::uint16_t label = samples.next();
    const int taught = departures.wrong_labels ? (label + 1) % samples.classes : label;
    must(engine.train_step(samples.features, static_cast<std::uint16_t>(taught),
                           {.mantissa = 3277, .shift = 15}));
  }
}

void append_with_length(std::vector<std::uint8_t>& out, Bytes bytes) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(bytes.size() >> shift));
  }
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = std::filesystem::temp_directory_path() / "skep-test-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

ModelSpec Federation::small_model() {
  ModelSpec spec;
  spec.inputs = 4;
  spec.input_exponent = -14;
  spec.layer_count = 3;
  spec.layers[0] = {LayerKind::kDense, 6};
  spec.layers[1] = {LayerKind::kRelu, 6};
  spec.layers[2] = {LayerKind::kDense, 3};
  return spec;
}

ModelSpec Federation::digits_model() {
  ModelSpec spec = small_model();
  spec.inputs = 64;
  spec.layers[0] = {LayerKind::kDense, 32};
  spec.layers[1] = {LayerKind::kRelu, 32};
  spec.layers[2] = {LayerKind::kDense, 10};
  return spec;
}

Federation::Federation(unsigned device_count, const ModelSpec& spec)
    : spec_(spec),
      parameter_count_(must(learn::plan_memory(spec)).trainable_count),
      weights_(initial_weights(spec)),
      aggregation_key_((must(seal::initialize_crypto()),
                        must(seal::AggregationKey::generate(seal::Kem::kP256HkdfSha256)))),
      signing_key_(must(seal::SigningKey::generate())) {
  store::Store store = store::Store::create(database(), id_, "digits");
  store::Transaction transaction(store);
  for (unsigned i = 0; i < device_count; ++i) {
    // Fixed scalars: the same keys in every run.
    std::array<std::uint8_t, seal::kSigningScalarBytes> scalar{};
    scalar[0] = 0x11;
    scalar[30] = static_cast<std::uint8_t>(i >> 8U);
    scalar[31] = static_cast<std::uint8_t>(i);
    device_keys_.push_back(must(seal::SigningKey::from_bytes(scalar)));
    store::Device device;
    device.name = device_name(i);
    device.certificate_der = {0x30, 0x00};
    device.public_key = must(device_keys_.back().public_key());
    device.added_unix_s = 1;
    store.add_device(device);
  }
  transaction.commit();
}

std::string Federation::device_name(unsigned device) { return "device-" + std::to_string(device); }

wire::RoundPlan Federation::make_plan(std::uint32_t round) const {
  wire::RoundPlan plan{};
  plan.version = wire::kRoundPlanVersion;
  std::ranges::copy(id_, plan.federation);
  plan.state = skep_RoundState_ROUND_STATE_OPEN;
  plan.round = round;
  std::fill(std::begin(plan.nonce), std::end(plan.nonce), static_cast<std::uint8_t>(0xA0 + round));
  plan.base_version = 1;
  std::ranges::copy(must(seal::sha256(weights_)), plan.base_digest);
  plan.mode = skep_RoundMode_ROUND_MODE_PLAIN;
  plan.learning_rate_mantissa = 3277;
  plan.learning_rate_shift = 15;
  plan.local_epochs = 1;
  plan.batch_size = 1;
  plan.clip_norm_q16 = 1U << 16U;
  plan.compression = skep_Compression_COMPRESSION_TOP_K;
  plan.keep_permille = 300;
  plan.value_bits = 12;
  plan.key_id = 7;
  plan.kem = skep_Kem_KEM_DHKEM_P256_HKDF_SHA256;
  plan.aggregation_key.size = 65;
  std::ranges::copy(aggregation_key_.public_key(), plan.aggregation_key.bytes);
  return plan;
}

void Federation::set_compression(wire::RoundPlan& plan, CompressionMode mode) {
  plan.compression = static_cast<skep_Compression>(mode);
  plan.keep_permille = has_keep_count(mode) ? 300 : 0;
  plan.value_bits = has_value_bits(mode) ? 12 : 0;
}

std::shared_ptr<const intake::RoundRules> Federation::rules(const wire::RoundPlan& plan) const {
  return std::make_shared<const intake::RoundRules>(
      intake::RoundRules{.plan = plan, .spec = spec_, .parameter_count = parameter_count_});
}

void Federation::open_round(const wire::RoundPlan& plan) const {
  store::Store store = open();
  if (!store.model(1)) store.insert_model({.version = 1, .package = {1}});
  store::Round round;
  round.id = plan.round;
  round.plan.resize(wire::kMaxRoundPlanBytes);
  round.plan.resize(must(wire::encode(plan, round.plan)));
  round.signature.resize(wire::kSignatureBytes);
  round.base_version = plan.base_version;
  store.insert_round(round);
}

std::vector<std::uint8_t> Federation::seal(unsigned device, const wire::RoundPlan& plan,
                                           const Departures& departures, Bytes base) const {
  const SpanSource base_weights(base.empty() ? Bytes(weights_) : base);
  HeapEngine model(spec_);
  must(model.engine.load(base_weights));
  model.engine.seed_rounding(departures.seed);
  train(model.engine, departures);

  std::vector<std::int16_t> values(parameter_count_);
  const Delta delta =
      must(model.engine.difference_from(base_weights, values, departures.sample_count));
  const Norm clip_norm{departures.clip_norm_q16.value_or(plan.clip_norm_q16)};
  const auto noised = privacy::without_noise(must(privacy::clip(delta, clip_norm)));
  const std::string name = device_name(device);
  const compress::Options options = compress::options_for(
      departures.compression.value_or(wire::to_compression(plan)), parameter_count_,
      compress::public_seed(plan.round, plan.base_digest, name.c_str()), clip_norm);
  std::vector<std::uint8_t> compressed(compress::max_compressed_bytes(parameter_count_, options));
  std::vector<std::int16_t> scratch(compress::scratch_elements(parameter_count_, options.mode));
  const Compressed update = must(compress::compress(noised, options, compressed, scratch));

  store::Digest base_digest{};
  std::ranges::copy(plan.base_digest, base_digest.begin());
  if (departures.base_digest) base_digest = *departures.base_digest;
  const seal::UpdateContext context{
      .federation = std::span<const std::uint8_t, 8>(plan.federation),
      .device = name,
      .round = plan.round,
      .base_version = plan.base_version,
      .nonce = std::span<const std::uint8_t, 16>(plan.nonce),
      .key_id = plan.key_id,
      .base_digest = std::span<const std::uint8_t, 32>(base_digest).first<16>(),
      .loss_before_q16 = 70000,
      .loss_after_q16 = 60000};
  const auto& key =
      departures.aggregation_key != nullptr ? *departures.aggregation_key : aggregation_key_;
  const seal::SealKeys keys{.kem = key.kem(),
                            .aggregation_public_key = departures.aggregation_key != nullptr
                                                          ? key.public_key()
                                                          : wire::bytes_of(plan.aggregation_key),
                            .device_key = departures.signing_key != nullptr
                                              ? *departures.signing_key
                                              : device_key(device)};
  std::vector<std::uint8_t> sealed(
      seal::sealed_bytes_bound(static_cast<std::uint32_t>(compressed.size())));
  sealed.resize(must(seal::seal_update(update, context, keys, sealed)).bytes().size());
  return sealed;
}

wire::UpdateHeader Federation::make_header(unsigned device, const wire::RoundPlan& plan) const {
  wire::UpdateHeader header{};
  header.version = 1;
  std::ranges::copy(plan.federation, header.federation);
  std::ranges::copy(device_name(device), header.device);
  header.round = plan.round;
  header.base_version = plan.base_version;
  std::ranges::copy(plan.nonce, header.nonce);
  header.key_id = plan.key_id;
  header.format = wire::kUpdateFormat;
  return header;
}

std::vector<std::uint8_t> Federation::seal_raw(const wire::UpdateHeader& header, Bytes plaintext,
                                               const seal::SigningKey& signer) const {
  std::vector<std::uint8_t> encoded_header(wire::kMaxUpdateHeaderBytes);
  encoded_header.resize(must(wire::encode(header, encoded_header)));
  const std::string_view label("skep update v1\0", 15);
  std::vector<std::uint8_t> info(label.begin(), label.end());
  info.insert(info.end(), std::begin(header.federation), std::end(header.federation));
  seal::hpke::PublicKey enc;
  std::vector<std::uint8_t> ciphertext(plaintext.size() + seal::hpke::kTagBytes);
  must(seal::hpke::seal(aggregation_key_.kem(), aggregation_key_.public_key(), info, encoded_header,
                        plaintext, enc, ciphertext));
  std::vector<std::uint8_t> signed_bytes;
  append_with_length(signed_bytes, encoded_header);
  append_with_length(signed_bytes, enc.view());
  append_with_length(signed_bytes, ciphertext);
  const auto signature = must(signer.sign(seal::Domain::kSealedUpdate, signed_bytes));
  std::vector<std::uint8_t> sealed(ciphertext.size() + 512);
  sealed.resize(must(wire::encode(wire::SealedUpdate{.header = encoded_header,
                                                     .enc = enc.view(),
                                                     .ciphertext = ciphertext,
                                                     .signature = signature},
                                  sealed)));
  return sealed;
}

server::Received Federation::receive(unsigned device, std::vector<std::uint8_t> bytes) const {
  return {.bytes = std::move(bytes),
          .session_device = device_name(device),
          .session_key = must(device_key(device).public_key())};
}

void write_hold_out(const std::filesystem::path& path, const ModelSpec& spec,
                    std::uint32_t sample_count) {
  Samples samples(spec, 99);
  std::ofstream out(path);
  for (std::uint32_t i = 0; i < sample_count; ++i) {
    const std::uint16_t label = samples.next();
    for (const std::int16_t feature : samples.features) out << feature << ',';
    out << label << '\n';
  }
}

std::string dump(const std::filesystem::path& database) {
  sqlite3* connection = nullptr;
  if (sqlite3_open_v2(database.c_str(), &connection, SQLITE_OPEN_READONLY, nullptr) != SQLITE_OK) {
    throw std::runtime_error("cannot open " + database.string());
  }
  std::string text;
  for (const char* table : {"meta", "devices", "revocations", "models", "rounds", "updates"}) {
    sqlite3_stmt* statement = nullptr;
    const std::string sql = std::string("SELECT * FROM ") + table + " ORDER BY 1, 2";
    if (sqlite3_prepare_v2(connection, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sqlite3_errmsg(connection));
    }
    while (sqlite3_step(statement) == SQLITE_ROW) {
      text += table;
      for (int column = 0; column < sqlite3_column_count(statement); ++column) {
        const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
        text += '|';
        text.append(bytes == nullptr ? "" : bytes, bytes == nullptr ? 0 : size);
      }
      text += '\n';
    }
    sqlite3_finalize(statement);
  }
  sqlite3_close(connection);
  return text;
}

}  // namespace skep::intake_testing
