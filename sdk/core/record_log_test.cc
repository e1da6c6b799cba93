#include "skep/core/record_log.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "skep/core_testing/ram_flash.h"

namespace skep {
namespace {

using core_testing::kAllTears;
using core_testing::PowerCut;
using core_testing::RamFlash;
using core_testing::Tear;

using Value = std::vector<std::uint8_t>;
using Contents = std::map<std::uint8_t, Value>;

struct Edit {
  std::uint8_t key;
  std::optional<Value> value;  // empty: remove
};

struct Site {
  FlashGeometry geometry;
  LogRegion region;
};

// The region begins behind one unit that the log must not touch.
Site make_site(std::uint32_t program_unit, std::uint32_t banks, std::uint32_t bank_bytes = 512,
               std::uint32_t erase_unit = 512) {
  return {{erase_unit + banks * bank_bytes, erase_unit, program_unit},
          {erase_unit, bank_bytes, banks}};
}

Value make_value(std::size_t length, unsigned seed) {
  Value value(length);
  for (std::size_t i = 0; i < length; ++i) value[i] = static_cast<std::uint8_t>(seed * 31 + i * 7);
  return value;
}

void enact(Contents& contents, const Edit& edit) {
  if (edit.value.has_value()) {
    contents[edit.key] = *edit.value;
  } else {
    contents.erase(edit.key);
  }
}

Status perform(RecordLog& log, const Edit& edit) {
  return edit.value.has_value() ? log.put(edit.key, *edit.value) : log.remove(edit.key);
}

// Everything that the log holds; a key that fails to read is kept as an impossible value.
Contents read_all(RecordLog& log) {
  Contents contents;
  for (std::uint8_t key = 0; key < RecordLog::kKeyCount; ++key) {
    Value value(RecordLog::kMaxPayloadBytes);
    const auto length = log.get(key, value);
    if (length.status() == Status::kNotFound) continue;
    value.resize(length.ok() ? *length : RecordLog::kMaxPayloadBytes + 1);
    contents[key] = value;
  }
  return contents;
}

// ---- What it does while the power stays on

class RecordLogOnEveryFlash : public testing::TestWithParam<Site> {};

TEST_P(RecordLogOnEveryFlash, KeepsTheNewestOfEachKeyThroughManyBanks) {
  RamFlash flash(GetParam().geometry);
  Contents expected;
  RecordLog log(flash);
  ASSERT_EQ(log.open(GetParam().region), Status::kOk);
  for (unsigned i = 0; i < 300; ++i) {
    const Edit edit{static_cast<std::uint8_t>(i * 5 % 3),
                    i % 11 == 3 ? std::nullopt : std::optional(make_value(i % 40, i))};
    ASSERT_EQ(perform(log, edit), Status::kOk) << i;
    enact(expected, edit);
    ASSERT_EQ(read_all(log), expected) << i;
    if (i % 17 == 0) {
      RecordLog again(flash);
      ASSERT_EQ(again.open(GetParam().region), Status::kOk);
      ASSERT_EQ(read_all(again), expected) << i;
    }
  }
  EXPECT_EQ(flash.violation(), "");
}

TEST_P(RecordLogOnEveryFlash, TouchesNothingOutsideOfItsRegion) {
  RamFlash flash(GetParam().geometry);
  RecordLog log(flash);
  ASSERT_EQ(log.open(GetParam().region), Status::kOk);
  for (unsigned i = 0; i < 100; ++i) ASSERT_EQ(log.put(1, make_value(30, i)), Status::kOk);
  for (const std::uint8_t cell : flash.cells().first(GetParam().region.offset)) {
    ASSERT_EQ(cell, 0xFF);
  }
}

INSTANTIATE_TEST_SUITE_P(Flashes, RecordLogOnEveryFlash,
                         testing::Values(make_site(1, 2), make_site(2, 3), make_site(4, 2),
                                         make_site(8, 5), make_site(16, 2), make_site(32, 2),
                                         make_site(32, 3, 2048, 2048), make_site(8, 2, 1024, 128)));

TEST(RecordLog, HoldsTheLargestValueAndTheEmptyOne) {
  const Site site = make_site(32, 2, 1024);
  RamFlash flash(site.geometry);
  RecordLog log(flash);
  ASSERT_EQ(log.open(site.region), Status::kOk);
  const Contents expected{{0, make_value(256, 1)}, {15, {}}};
  ASSERT_EQ(log.put(0, expected.at(0)), Status::kOk);
  ASSERT_EQ(log.put(15, {}), Status::kOk);
  EXPECT_EQ(read_all(log), expected);
}

TEST(RecordLog, RefusesBadArgumentsAndChangesNothing) {
  const Site site = make_site(4, 2);
  RamFlash flash(site.geometry);
  RecordLog log(flash);
  Value out(256);
  EXPECT_EQ(log.put(0, make_value(1, 1)), Status::kInvalidArgument) << "before open()";
  EXPECT_EQ(log.get(0, out).status(), Status::kInvalidArgument) << "before open()";
  EXPECT_EQ(log.remove(0), Status::kInvalidArgument) << "before open()";
  ASSERT_EQ(log.open(site.region), Status::kOk);
  ASSERT_EQ(log.put(3, make_value(9, 9)), Status::kOk);
  const auto operations = flash.operation_count();

  EXPECT_EQ(log.put(16, make_value(1, 1)), Status::kInvalidArgument);
  EXPECT_EQ(log.put(255, make_value(1, 1)), Status::kInvalidArgument);
  EXPECT_EQ(log.remove(16), Status::kInvalidArgument);
  EXPECT_EQ(log.get(16, out).status(), Status::kInvalidArgument);
  EXPECT_EQ(log.put(3, make_value(257, 1)), Status::kTooLarge);
  EXPECT_EQ(log.get(4, out).status(), Status::kNotFound);
  EXPECT_EQ(log.remove(4), Status::kOk);
  Value small(8, 0xEE);
  EXPECT_EQ(log.get(3, small).status(), Status::kNoMemory);
  EXPECT_EQ(small, Value(8, 0xEE));

  EXPECT_EQ(flash.operation_count(), operations);
  EXPECT_EQ(read_all(log), (Contents{{3, make_value(9, 9)}}));
}

TEST(RecordLog, RefusesRegionsThatDoNotFit) {
  RamFlash flash({4096, 512, 8});
  RecordLog log(flash);
  EXPECT_EQ(log.open({0, 512, 1}), Status::kInvalidArgument) << "one bank";
  EXPECT_EQ(log.open({0, 512, 9}), Status::kInvalidArgument) << "too long";
  EXPECT_EQ(log.open({256, 512, 2}), Status::kInvalidArgument) << "unaligned start";
  EXPECT_EQ(log.open({0, 768, 2}), Status::kInvalidArgument) << "unaligned bank";
  EXPECT_EQ(log.open({3584, 512, 2}), Status::kInvalidArgument) << "past the end";
  EXPECT_EQ(log.open({0, 512, 0xFFFFFFFF}), Status::kInvalidArgument);
  EXPECT_EQ(log.open({4096, 512, 2}), Status::kInvalidArgument);
  RamFlash tiny({4096, 256, 8});
  RecordLog tiny_log(tiny);
  EXPECT_EQ(tiny_log.open({0, 256, 2}), Status::kInvalidArgument) << "bank too small";
  EXPECT_EQ(tiny_log.open({0, 512, 2}), Status::kOk);
}

TEST(RecordLog, SaysWhenItIsFullAndKeepsWhatItHas) {
  const Site site = make_site(4, 2);
  RamFlash flash(site.geometry);
  RecordLog log(flash);
  ASSERT_EQ(log.open(site.region), Status::kOk);
  const Contents expected{{0, make_value(200, 1)}, {1, make_value(150, 2)}};
  ASSERT_EQ(log.put(0, expected.at(0)), Status::kOk);
  ASSERT_EQ(log.put(1, expected.at(1)), Status::kOk);
  const auto operations = flash.operation_count();
  EXPECT_EQ(log.put(2, make_value(100, 3)), Status::kStorageFailed);
  EXPECT_EQ(flash.operation_count(), operations);
  EXPECT_EQ(read_all(log), expected);
  EXPECT_EQ(log.put(1, make_value(150, 4)), Status::kOk) << "a value that fits still changes";
  EXPECT_EQ(log.remove(0), Status::kOk) << "removing frees";
  EXPECT_EQ(log.put(2, make_value(100, 3)), Status::kOk);
}

TEST(RecordLog, OpeningAnUndisturbedLogWritesNothing) {
  const Site site = make_site(8, 2);
  RamFlash flash(site.geometry);
  {
    RecordLog log(flash);
    ASSERT_EQ(log.open(site.region), Status::kOk);
    for (unsigned i = 0; i < 9; ++i) ASSERT_EQ(log.put(0, make_value(20, i)), Status::kOk);
  }
  flash.power_on();
  for (int boot = 0; boot < 5; ++boot) {
    RecordLog log(flash);
    ASSERT_EQ(log.open(site.region), Status::kOk);
  }
  EXPECT_EQ(flash.operation_count(), 0U) << "a device that keeps resetting wears out its flash";
}

TEST(RecordLog, BanksWearEvenly) {
  const Site site = make_site(8, 4);
  RamFlash flash(site.geometry);
  RecordLog log(flash);
  ASSERT_EQ(log.open(site.region), Status::kOk);
  for (unsigned i = 0; i < 400; ++i) ASSERT_EQ(log.put(0, make_value(20, i)), Status::kOk);
  // A frame takes 48 of the 416 bytes of a bank: 8 puts for each erase.
  EXPECT_EQ(flash.erase_count(), 50U);
}

TEST(RecordLog, RefusesALogOfALaterVersion) {
  const Site site = make_site(8, 2);
  RamFlash flash(site.geometry);
  {
    RecordLog log(flash);
    ASSERT_EQ(log.open(site.region), Status::kOk);
    ASSERT_EQ(log.put(0, make_value(20, 1)), Status::kOk);
  }
  // The same cells, on a flash whose driver now programs other units.
  const FlashGeometry other{site.geometry.size_bytes, site.geometry.erase_unit_bytes, 16};
  RamFlash changed(other);
  std::vector<std::uint8_t> cells(flash.cells().begin(), flash.cells().end());
  ASSERT_EQ(changed.program(0, cells), Status::kOk);
  RecordLog log(changed);
  EXPECT_EQ(log.open(site.region), Status::kUnsupportedVersion);
}

TEST(RecordLog, ReportsAFailingFlashAndRecoversWithIt) {
  const Site site = make_site(8, 2);
  for (std::uint64_t first = 1; first < 40; ++first) {
    RamFlash flash(site.geometry);
    RecordLog log(flash);
    ASSERT_EQ(log.open(site.region), Status::kOk);
    Contents expected;
    flash.fail_from(first);
    unsigned i = 0;
    for (;; ++i) {
      const Edit edit{static_cast<std::uint8_t>(i % 3), make_value(30, i)};
      if (perform(log, edit) != Status::kOk) break;
      enact(expected, edit);
    }
    ASSERT_EQ(read_all(log), expected) << first;
    flash.stop_failing();
    for (unsigned more = 0; more < 20; ++more) {
      const Edit edit{static_cast<std::uint8_t>(more % 4), make_value(25, more)};
      ASSERT_EQ(perform(log, edit), Status::kOk);
      enact(expected, edit);
      RamFlash fork = flash;
      RecordLog on_fork(fork);
      ASSERT_EQ(on_fork.open(site.region), Status::kOk);
      ASSERT_EQ(read_all(on_fork), expected) << first << " " << more;
    }
    ASSERT_EQ(flash.violation(), "") << first;
  }
}

TEST(RecordLog, AFlippedBitNeverChangesAValue) {
  const Site site = make_site(4, 2);
  RamFlash flash(site.geometry);
  std::vector<Contents> history{{}};
  {
    RecordLog log(flash);
    ASSERT_EQ(log.open(site.region), Status::kOk);
    for (unsigned i = 0; i < 12; ++i) {
      const Edit edit{static_cast<std::uint8_t>(i % 2), make_value(24, i)};
      ASSERT_EQ(perform(log, edit), Status::kOk);
      history.push_back(history.back());
      enact(history.back(), edit);
    }
  }
  for (std::uint32_t bit = site.region.offset * 8; bit < site.geometry.size_bytes * 8; ++bit) {
    RamFlash damaged = flash;
    damaged.flip_bit(bit / 8, bit % 8);
    RecordLog log(damaged);
    ASSERT_EQ(log.open(site.region), Status::kOk) << bit;
    for (const auto& [key, value] : read_all(log)) {
      bool was_put = false;
      for (const Contents& then : history) {
        was_put = was_put || (then.contains(key) && then.at(key) == value);
      }
      ASSERT_TRUE(was_put) << "bit " << bit << ", key " << int{key};
    }
  }
}

RC_GTEST_PROP(RecordLogProperty, BehavesAsAMap, ()) {
  // Banks that hold all 16 keys: 16 frames of at most 96 bytes.
  const Site site = make_site(*rc::gen::element(1U, 4U, 8U, 32U), *rc::gen::inRange(2U, 5U), 2048);
  RamFlash flash(site.geometry);
  std::optional<RecordLog> log(std::in_place, flash);
  RC_ASSERT(log->open(site.region) == Status::kOk);
  Contents expected;
  const auto steps = *rc::gen::inRange(0, 200);
  for (int step = 0; step < steps; ++step) {
    const auto choice = *rc::gen::inRange(0, 10);
    const auto key = *rc::gen::inRange<std::uint8_t>(0, 16);
    if (choice == 0) {
      log.emplace(flash);
      RC_ASSERT(log->open(site.region) == Status::kOk);
    } else {
      const Edit edit{key, choice < 3
                               ? std::nullopt
                               : std::optional(*rc::gen::resize(30, rc::gen::arbitrary<Value>()))};
      RC_ASSERT(perform(*log, edit) == Status::kOk);
      enact(expected, edit);
    }
    RC_ASSERT(read_all(*log) == expected);
  }
  RC_ASSERT(flash.violation().empty());
}

// ---- What survives a loss of power

std::vector<Edit> script() {
  std::vector<Edit> edits;
  for (unsigned i = 0; i < 24; ++i) {
    const auto key = static_cast<std::uint8_t>(i * 7 % 4);
    edits.push_back({key, i % 6 == 4 ? std::nullopt : std::optional(make_value(5 + i % 50, i))});
  }
  return edits;
}

// The world at a power cut: what was acknowledged, and which edit was under way.
struct Interrupted {
  RamFlash flash;
  Contents acknowledged;
  std::size_t next_edit = 0;

  [[nodiscard]] Contents with_next(const std::vector<Edit>& edits) const {
    Contents contents = acknowledged;
    if (next_edit < edits.size()) enact(contents, edits[next_edit]);
    return contents;
  }
};

Interrupted run(const Site& site, const std::vector<Edit>& edits, const PowerCut& cut) {
  Interrupted world{RamFlash(site.geometry), {}, 0};
  world.flash.schedule(cut);
  RecordLog log(world.flash);
  if (log.open(site.region) != Status::kOk) return world;
  while (world.next_edit < edits.size() && perform(log, edits[world.next_edit]) == Status::kOk) {
    enact(world.acknowledged, edits[world.next_edit++]);
  }
  return world;
}

// Opens three times, with whims and weak bits reading as they like, then finishes the script.
// Returns what is wrong.
std::string check_recovery(Interrupted world, const Site& site, const std::vector<Edit>& edits,
                           std::uint32_t seed) {
  const Contents done = world.with_next(edits);
  bool must_be_done = false;
  for (std::uint32_t boot = 0; boot < 3; ++boot) {
    world.flash.power_on(seed * 3 + boot);
    RecordLog log(world.flash);
    if (log.open(site.region) != Status::kOk) return "open() failed";
    const Contents found = read_all(log);
    if (found != done && (must_be_done || found != world.acknowledged)) {
      return must_be_done ? "a change that was seen is gone" : "an acknowledged change is gone";
    }
    must_be_done = found == done;
  }
  RecordLog log(world.flash);
  if (log.open(site.region) != Status::kOk) return "open() failed";
  Contents expected = world.acknowledged;
  for (std::size_t i = world.next_edit; i < edits.size(); ++i) {
    if (perform(log, edits[i]) != Status::kOk) return "a later change failed";
    enact(expected, edits[i]);
  }
  if (read_all(log) != expected) return "later changes do not read back";
  return world.flash.violation();
}

// Cuts again at every operation of the recovery, `depth` times within each other.
std::string check_cut_recoveries(const Interrupted& world, const Site& site,
                                 const std::vector<Edit>& edits, std::uint32_t seed, int depth,
                                 std::uint64_t& cases) {
  ++cases;
  if (std::string wrong = check_recovery(world, site, edits, seed); !wrong.empty()) return wrong;
  if (depth == 0) return "";
  for (const Tear tear : kAllTears) {
    for (std::uint64_t at = 1;; ++at) {
      Interrupted next = world;
      next.flash.power_on(seed);
      next.flash.schedule({at, tear, at % 2 == 0, seed + static_cast<std::uint32_t>(at)});
      RecordLog log(next.flash);
      // open() may succeed with its very last operation cut: a mark that is only a hint.
      static_cast<void>(log.open(site.region));
      if (next.flash.is_powered()) break;
      std::string wrong = check_cut_recoveries(next, site, edits, seed * 7 + 1, depth - 1, cases);
      if (!wrong.empty()) {
        return wrong + ", cut again at " + std::to_string(at) + ", tear " +
               std::to_string(static_cast<int>(tear));
      }
    }
  }
  return "";
}

void cut_everywhere(const Site& site, int depth, std::uint32_t seeds) {
  const std::vector<Edit> edits = script();
  const Interrupted whole = run(site, edits, {0, Tear::kNothing});
  ASSERT_EQ(whole.next_edit, edits.size());
  ASSERT_GT(whole.flash.erase_count(), 2U) << "the script must move between banks";
  std::uint64_t cases = 0;
  for (std::uint64_t at = 1; at <= whole.flash.operation_count(); ++at) {
    for (const Tear tear : kAllTears) {
      for (const bool loses_unsynced : {false, true}) {
        for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
          const Interrupted world = run(site, edits, {at, tear, loses_unsynced, seed * 1000 + 7});
          ASSERT_EQ(check_cut_recoveries(world, site, edits, seed, depth, cases), "")
              << "cut at " << at << ", tear " << static_cast<int>(tear) << ", loses "
              << loses_unsynced << ", seed " << seed;
        }
      }
    }
  }
  testing::Test::RecordProperty("cases", std::to_string(cases));
  std::printf("%llu power cuts\n", static_cast<unsigned long long>(cases));
}

TEST(RecordLogPower, EveryCutAndEveryCutOfItsRecovery) { cut_everywhere(make_site(4, 2), 1, 1); }

TEST(RecordLogPower, EveryCutOnThreeBanks) { cut_everywhere(make_site(8, 3), 1, 1); }

TEST(RecordLogPower, EveryCutWithManyOutcomes) { cut_everywhere(make_site(1, 2), 0, 8); }

TEST(RecordLogPower, EveryCutWithLargeProgramUnits) {
  cut_everywhere(make_site(32, 2, 1024, 512), 0, 4);
}

// A device that loses power again and again, at random, for a long time.
TEST(RecordLogPower, ManyCutsInOneLife) {
  std::minstd_rand random(20240607);
  const auto draw = [&random] { return static_cast<std::uint32_t>(random()); };
  const auto edit_number = [](unsigned i) {
    return Edit{static_cast<std::uint8_t>(i % 3), make_value(i % 60, i)};
  };
  const Site site = make_site(4, 3);
  RamFlash flash(site.geometry);
  std::set<Contents> possible{{}};  // what the next boot may find
  std::vector<Edit> interrupted;    // since the last acknowledged edit
  const auto with = [](Contents contents, const Edit& edit) {
    enact(contents, edit);
    return contents;
  };
  unsigned edits = 0;
  for (unsigned boot = 0; boot < 8000; ++boot) {
    flash.power_on(draw());
    flash.schedule(
        {1 + draw() % 12, kAllTears[draw() % std::size(kAllTears)], draw() % 2 == 0, draw()});
    RecordLog log(flash);
    if (log.open(site.region) != Status::kOk) {
      ASSERT_FALSE(flash.is_powered());
      continue;
    }
    if (flash.is_powered()) {
      const Contents found = read_all(log);
      ASSERT_TRUE(possible.contains(found)) << boot;
      possible = {found};
      for (const Edit& edit : interrupted) possible.insert(with(found, edit));
    }
    for (;;) {
      const Edit edit = edit_number(++edits);
      const Contents before = read_all(log);
      if (perform(log, edit) == Status::kOk) {
        possible = {with(before, edit)};
        interrupted.clear();
        continue;
      }
      ASSERT_FALSE(flash.is_powered()) << "only a cut may fail";
      for (const Contents& contents : std::set(possible)) possible.insert(with(contents, edit));
      interrupted.push_back(edit);
      break;
    }
  }
  EXPECT_EQ(flash.violation(), "");
}

}  // namespace
}  // namespace skep
