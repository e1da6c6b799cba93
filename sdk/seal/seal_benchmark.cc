// What the primitives alone cost, on one thread: the yardstick for the gateway's throughput in
// docs/benchmarks.md.
#include <benchmark/benchmark.h>

#include "seal_testing.h"
#include "skep/seal/crypto.h"
#include "skep/seal/envelope.h"
#include "skep/seal/sha256.h"

namespace skep::seal {
namespace {

using testing::Buffer;
using testing::compressed_from;
using testing::take;
using testing::to_buffer;

constexpr std::size_t kPayloadBytes = 450;

const Status kStarted = initialize_crypto();

/// A device and a gateway, and one update between them.
struct Parties {
  explicit Parties(Kem kem)
      : device_key(take(SigningKey::generate())),
        device(take(VerifyingKey::from_bytes(take(device_key.public_key())))),
        aggregation_key(take(AggregationKey::generate(kem))),
        out(sealed_bytes_bound(kPayloadBytes)) {}

  Sealed seal() {
    return take(seal_update(compressed_from(payload, 57), testing::update_context(),
                            {aggregation_key.kem(), aggregation_key.public_key(), device_key},
                            out));
  }

  SigningKey device_key;
  VerifyingKey device;
  AggregationKey aggregation_key;
  Buffer payload = Buffer(kPayloadBytes, 0x5A);
  Buffer out;
};

void hpke_seal(benchmark::State& state, Kem kem) {
  Parties parties(kem);
  hpke::PublicKey enc;
  for (auto _ : state) {
    benchmark::DoNotOptimize(take(hpke::seal(kem, parties.aggregation_key.public_key(), {}, {},
                                             parties.payload, enc, parties.out)));
  }
}

void hpke_open(benchmark::State& state, Kem kem) {
  Parties parties(kem);
  hpke::PublicKey enc;
  const std::size_t length = take(hpke::seal(kem, parties.aggregation_key.public_key(), {}, {},
                                             parties.payload, enc, parties.out));
  for (auto _ : state) {
    benchmark::DoNotOptimize(take(hpke::open(parties.aggregation_key, enc.view(), {}, {},
                                             Bytes(parties.out).first(length), parties.payload)));
  }
}

void ecdsa_sign(benchmark::State& state) {
  const Parties parties(Kem::kP256HkdfSha256);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        take(parties.device_key.sign(Domain::kSealedUpdate, Bytes(parties.payload))));
  }
}

void ecdsa_verify(benchmark::State& state) {
  const Parties parties(Kem::kP256HkdfSha256);
  const Bytes message(parties.payload);
  const Signature signature = take(parties.device_key.sign(Domain::kSealedUpdate, message));
  for (auto _ : state) {
    if (parties.device.verify(Domain::kSealedUpdate, message, signature) != Status::kOk) {
      state.SkipWithError("does not verify");
      break;
    }
  }
}

void sha256_of(benchmark::State& state) {
  const Buffer message(static_cast<std::size_t>(state.range(0)), 0x5A);
  for (auto _ : state) benchmark::DoNotOptimize(take(sha256(Bytes(message))));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

/// A device's whole work on one update after compression.
void seal_one_update(benchmark::State& state, Kem kem) {
  Parties parties(kem);
  for (auto _ : state) benchmark::DoNotOptimize(parties.seal().bytes().data());
}

/// What no gateway can avoid per update: one ECDSA verification and one HPKE open of 450 B.
void primitives_per_update(benchmark::State& state, Kem kem) {
  Parties parties(kem);
  const Buffer message = to_buffer(parties.seal().bytes());
  const wire::SealedUpdate update = take(wire::decode_sealed_update(message));
  Buffer plaintext(update.ciphertext.size());
  for (auto _ : state) {
    if (verify_update_signature(update, parties.device) != Status::kOk) {
      state.SkipWithError("does not verify");
      break;
    }
    benchmark::DoNotOptimize(
        take(open_update(update, parties.aggregation_key, plaintext)).sample_count);
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK_CAPTURE(hpke_seal, p256, Kem::kP256HkdfSha256);
BENCHMARK_CAPTURE(hpke_seal, x25519, Kem::kX25519HkdfSha256);
BENCHMARK_CAPTURE(hpke_open, p256, Kem::kP256HkdfSha256);
BENCHMARK_CAPTURE(hpke_open, x25519, Kem::kX25519HkdfSha256);
BENCHMARK(ecdsa_sign);
BENCHMARK(ecdsa_verify);
BENCHMARK(sha256_of)->Arg(64)->Arg(1024)->Arg(65536);
BENCHMARK_CAPTURE(seal_one_update, p256, Kem::kP256HkdfSha256);
BENCHMARK_CAPTURE(primitives_per_update, p256, Kem::kP256HkdfSha256);
BENCHMARK_CAPTURE(primitives_per_update, x25519, Kem::kX25519HkdfSha256);

}  // namespace
}  // namespace skep::seal
