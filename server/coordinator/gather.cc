#include "gather.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "skep/aggregate/accumulate.h"
#include "skep/store/store.h"

namespace skep::coordinator {
namespace {

/// Shared by the threads: each takes the next device that nobody has taken.
struct Work {
  const std::filesystem::path& database;
  const intake::Gateway& gateway;
  const intake::RoundRules& rules;
  std::vector<std::string> devices;
  std::atomic<std::size_t> next = 0;
};

/// What one thread has summed.
struct Share {
  aggregate::Accumulator sum;
  std::vector<std::string> contributors;
};

void add(Share& share, store::StoredUpdate row, const Work& work) {
  auto outcome =
      intake::reopen(row.device, row.digest, std::move(row.sealed), work.gateway, work.rules);
  if (const auto* refusal = std::get_if<intake::Refusal>(&outcome)) {
    spdlog::error("round {}: update of {} is left out: {} ({})", row.round, row.device,
                  refusal->detail, to_string(refusal->status));
    return;
  }
  // Cannot fail: validation has checked the dimension.
  if (share.sum.add(std::get<server::Valid>(outcome)) != Status::kOk) {
    spdlog::critical("round {}: update of {} has another dimension", row.round, row.device);
    return;
  }
  share.contributors.push_back(row.device);
}

Share sum_some(Work& work) {
  store::Store store = store::Store::open(work.database);
  Share share{.sum = aggregate::Accumulator(work.rules.parameter_count), .contributors = {}};
  for (std::size_t i = work.next++; i < work.devices.size(); i = work.next++) {
    auto row = store.update(work.devices[i], work.rules.plan.round);
    // Without bytes: its device was revoked after the list was read.
    if (row && !row->sealed.empty()) add(share, *std::move(row), work);
  }
  return share;
}

}  // namespace

Gathered gather(const std::filesystem::path& database, const intake::Gateway& gateway,
                const intake::RoundRules& rules, unsigned workers) {
  Work work{.database = database, .gateway = gateway, .rules = rules, .devices = {}};
  work.devices = store::Store::open(database).update_devices(rules.plan.round);

  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t threads =
      std::clamp<std::size_t>(work.devices.size(), 1, workers == 0 ? cores : workers);
  std::vector<std::future<Share>> others;
  for (std::size_t i = 1; i < threads; ++i) {
    others.push_back(std::async(std::launch::async, [&work] { return sum_some(work); }));
  }
  Share all = sum_some(work);
  for (auto& other : others) {
    Share share = other.get();
    if (all.sum.merge(share.sum.total()) != Status::kOk) {
      spdlog::critical("round {}: partial sums of different dimensions", rules.plan.round);
      continue;
    }
    std::ranges::move(share.contributors, std::back_inserter(all.contributors));
  }
  std::ranges::sort(all.contributors);
  spdlog::info("round {}: the updates of {} devices are summed", rules.plan.round,
               all.contributors.size());
  return {.sum = all.sum.total(),
          .devices = std::move(work.devices),
          .contributors = std::move(all.contributors)};
}

}  // namespace skep::coordinator
