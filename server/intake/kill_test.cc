// kill -9 at any moment: what was acknowledged is stored, and nothing is stored twice.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <random>
#include <set>
#include <thread>

#include "skep/intake/intake.h"
#include "skep/intake_testing/federation.h"

namespace skep::intake {
namespace {

using intake_testing::Federation;
using intake_testing::FixedGate;

constexpr unsigned kDevices = 150;
constexpr int kKills = 25;

/// In the child: sends every update and writes the device of each acknowledgement to the pipe.
[[noreturn]] void serve(const Federation& federation, const wire::RoundPlan& plan,
                        const std::vector<std::vector<std::uint8_t>>& updates, int pipe) {
  FixedGate gate(federation.rules(plan));
  Intake intake(federation.database(),
                {.workers = 2, .max_updates_per_commit = 3, .now_unix_s = {}},
                federation.aggregation_key(), gate);
  for (unsigned i = 0; i < kDevices; ++i) {
    if (intake.submit(federation.receive(i, updates[i]), i) != Status::kOk) ::_exit(2);
  }
  for (unsigned answered = 0; answered < kDevices;) {
    pollfd descriptor{.fd = intake.answers_fd(), .events = POLLIN, .revents = 0};
    ::poll(&descriptor, 1, -1);
    for (const Answer& answer : intake.take_answers()) {
      ++answered;
      if (answer.status != Status::kOk) ::_exit(3);
      const auto device = static_cast<std::uint8_t>(answer.token);
      if (::write(pipe, &device, 1) != 1) ::_exit(4);
    }
  }
  ::_exit(0);
}

/// Waits for `most` acknowledgements, or for the end of the pipe.
void read_acknowledgements(int pipe, std::size_t most, std::set<unsigned>& acknowledged) {
  std::uint8_t device = 0;
  for (std::size_t i = 0; i < most && ::read(pipe, &device, 1) == 1; ++i) {
    acknowledged.insert(device);
  }
}

TEST(KillTest, NoAcknowledgedUpdateIsLostAndNoneIsStoredTwice) {
  const Federation federation(kDevices);
  std::mt19937 random(20240501);
  std::uint32_t round = 0;
  std::size_t acknowledged_in_all = 0;
  int killed = 0;
  std::vector<std::vector<std::uint8_t>> updates;
  wire::RoundPlan plan{};
  std::set<unsigned> acknowledged;
  for (int attempt = 0; attempt < kKills; ++attempt) {
    if (attempt % 5 == 0) {  // A new round now and then: five kills share one.
      if (round != 0) {
        store::Store store = federation.open();
        store.close_round({.id = round, .state = store::RoundState::kAbandoned});
      }
      plan = federation.make_plan(++round);
      federation.open_round(plan);
      acknowledged.clear();
      updates.clear();
      for (unsigned i = 0; i < kDevices; ++i) updates.push_back(federation.seal(i, plan));
    }
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      serve(federation, plan, updates, ends[1]);
    }
    ::close(ends[1]);
    // The moment is chosen by the child's progress and then by the clock, so that a slow machine
    // and a sanitizer's build are hit everywhere, too.
    std::set<unsigned> now_acknowledged;
    read_acknowledgements(ends[0], random() % kDevices, now_acknowledged);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 5'000));
    ::kill(child, SIGKILL);
    read_acknowledgements(ends[0], kDevices, now_acknowledged);
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << WEXITSTATUS(status);
    if (WIFSIGNALED(status)) ++killed;

    acknowledged.insert(now_acknowledged.begin(), now_acknowledged.end());
    acknowledged_in_all += now_acknowledged.size();
    store::Store store = federation.open();
    const auto devices = store.update_devices(round);
    EXPECT_EQ(std::set(devices.begin(), devices.end()).size(), devices.size());
    for (const unsigned device : acknowledged) {
      const auto stored = store.update(Federation::device_name(device), round);
      ASSERT_TRUE(stored) << device;
      EXPECT_EQ(stored->sealed, updates[device]) << device;
    }
  }
  // Otherwise the moments were badly chosen, and nothing was shown.
  EXPECT_GT(killed, 0);
  EXPECT_GT(acknowledged_in_all, 0U);
}

}  // namespace
}  // namespace skep::intake
