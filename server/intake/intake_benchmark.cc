// Updates per second through intake, beside what their cryptography alone takes.
#include <benchmark/benchmark.h>
#include <poll.h>

#include "skep/intake/intake.h"
#include "skep/intake_testing/federation.h"

namespace skep::intake {
namespace {

using intake_testing::Federation;
using intake_testing::FixedGate;

struct Load {
  explicit Load(unsigned devices) : federation(devices, Federation::digits_model()) {
    plan.keep_permille = 100;
    for (unsigned i = 0; i < devices; ++i) updates.push_back(federation.seal(i, plan));
  }
  Federation federation;
  wire::RoundPlan plan = federation.make_plan(1);
  std::vector<std::vector<std::uint8_t>> updates;
};

/// One round of `devices` updates, from the first submit to the last answer, commits included.
void BM_Intake(benchmark::State& state) {
  const auto devices = static_cast<unsigned>(state.range(0));
  const Load load(devices);
  std::uint32_t round = 1;
  wire::RoundPlan plan = load.plan;
  std::vector<std::vector<std::uint8_t>> updates = load.updates;
  for (auto _ : state) {
    state.PauseTiming();
    if (round != 1) {
      plan = load.federation.make_plan(round);
      plan.keep_permille = load.plan.keep_permille;
      for (unsigned i = 0; i < devices; ++i) updates[i] = load.federation.seal(i, plan);
    }
    load.federation.open_round(plan);
    FixedGate gate(load.federation.rules(plan));
    {
      Intake intake(load.federation.database(), {.max_queued_updates = devices, .now_unix_s = {}},
                    load.federation.aggregation_key(), gate);
      state.ResumeTiming();
      for (unsigned i = 0; i < devices; ++i) {
        if (intake.submit(load.federation.receive(i, updates[i]), i) != Status::kOk) {
          state.SkipWithError("busy");
        }
      }
      for (std::size_t answered = 0; answered < devices;) {
        pollfd descriptor{.fd = intake.answers_fd(), .events = POLLIN, .revents = 0};
        ::poll(&descriptor, 1, -1);
        for (const Answer& answer : intake.take_answers()) {
          if (answer.status != Status::kOk) state.SkipWithError(answer.detail.c_str());
          ++answered;
        }
      }
      state.PauseTiming();
    }
    load.federation.open().close_round({.id = round++, .state = store::RoundState::kAbandoned});
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * devices);
}
BENCHMARK(BM_Intake)->Arg(500)->Unit(benchmark::kMillisecond)->UseRealTime();

/// ECDSA verification and HPKE opening of one update, on one core.
void BM_CryptographyAlone(benchmark::State& state) {
  const Load load(1);
  const auto key = seal::VerifyingKey::from_bytes(*load.federation.device_key(0).public_key());
  const auto sealed = wire::decode_sealed_update(load.updates[0]);
  std::vector<std::uint8_t> plaintext(sealed->ciphertext.size());
  for (auto _ : state) {
    if (seal::verify_update_signature(*sealed, *key) != Status::kOk ||
        !seal::open_update(*sealed, load.federation.aggregation_key(), plaintext).ok()) {
      state.SkipWithError("genuine update refused");
    }
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["sealed_bytes"] = static_cast<double>(load.updates[0].size());
}
BENCHMARK(BM_CryptographyAlone)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace skep::intake
