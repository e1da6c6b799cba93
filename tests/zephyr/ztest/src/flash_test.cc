// FlashMapStorage and what is provisioned, on the board's (simulated) flash.
#include <zephyr/storage/flash_map.h>
#include <zephyr/sys/byteorder.h>
#include <zephyr/sys/crc.h>
#include <zephyr/ztest.h>

#include <algorithm>
#include <array>

#include "skep/core/record_log.h"
#include "skep/port_zephyr/flash_map_storage.h"
#include "skep/port_zephyr/flash_samples.h"
#include "skep/port_zephyr/provisioned.h"

namespace skep::port_zephyr {
namespace {

constexpr std::uint32_t kUnit = 4096;

struct Partition {
  FlashMapStorage storage;

  explicit Partition(std::uint8_t id) {
    zassert_equal(storage.open(id), Status::kOk);
    zassert_equal(storage.erase(0, storage.geometry().size_bytes), Status::kOk);
  }
};

bool is_erased(Storage& storage, std::uint32_t offset, std::uint32_t length) {
  std::array<std::uint8_t, 64> bytes{};
  for (std::uint32_t done = 0; done < length; done += bytes.size()) {
    zassert_equal(storage.read(offset + done, bytes), Status::kOk);
    if (!std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0xFF; })) return false;
  }
  return true;
}

ZTEST(flash, test_geometry_is_the_devicetrees) {
  const Partition partition(FIXED_PARTITION_ID(skep_storage));
  const FlashGeometry geometry = partition.storage.geometry();
  zassert_equal(geometry.size_bytes, FIXED_PARTITION_SIZE(skep_storage));
  zassert_equal(geometry.erase_unit_bytes, kUnit);
  zassert_true(geometry.program_unit_bytes == 1 || geometry.program_unit_bytes == 8);
}

ZTEST(flash, test_programs_reads_and_erases_what_it_is_told) {
  Partition partition(FIXED_PARTITION_ID(skep_storage));
  FlashMapStorage& storage = partition.storage;
  constexpr std::array<std::uint8_t, 16> kData{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  zassert_equal(storage.program(kUnit, kData), Status::kOk);
  zassert_equal(storage.program(2 * kUnit, kData), Status::kOk);
  std::array<std::uint8_t, 16> read{};
  zassert_equal(storage.read(kUnit, read), Status::kOk);
  zassert_true(read == kData);
  zassert_true(is_erased(storage, 0, kUnit), "not its neighbour");
  zassert_equal(storage.erase(kUnit, kUnit), Status::kOk);
  zassert_true(is_erased(storage, kUnit, kUnit));
  zassert_equal(storage.read(2 * kUnit, read), Status::kOk);
  zassert_true(read == kData, "not its neighbour");
}

ZTEST(flash, test_partition_is_not_left) {
  Partition partition(FIXED_PARTITION_ID(skep_storage));
  FlashMapStorage& storage = partition.storage;
  const std::uint32_t size = storage.geometry().size_bytes;
  std::array<std::uint8_t, 16> bytes{};
  zassert_equal(storage.read(size - 15, bytes), Status::kInvalidArgument);
  zassert_equal(storage.read(0xFFFFFFF8U, bytes), Status::kInvalidArgument);
  zassert_equal(storage.program(size - 8, bytes), Status::kInvalidArgument);
  zassert_equal(storage.erase(size, kUnit), Status::kInvalidArgument);
  zassert_equal(storage.erase(512, kUnit), Status::kInvalidArgument);
  zassert_equal(storage.erase(0, 100), Status::kInvalidArgument);
  zassert_true(is_erased(storage, 0, size));
  FlashMapStorage unopened;
  zassert_equal(unopened.read(0, bytes), Status::kInvalidArgument);
  zassert_equal(unopened.open(200), Status::kNotFound, "no such partition");
}

ZTEST(flash, test_record_log_keeps_its_values_over_a_restart) {
  Partition partition(FIXED_PARTITION_ID(skep_storage));
  const LogRegion region{.offset = 0, .bank_bytes = kUnit, .bank_count = 2};
  for (std::uint8_t life = 0; life < 100; ++life) {
    RecordLog log(partition.storage);
    zassert_equal(log.open(region), Status::kOk);
    std::array<std::uint8_t, 100> value{};
    if (life > 0) {
      zassert_equal(*log.get(3, value), value.size());
      zassert_equal(value[99], life - 1);
    }
    value.fill(life);
    zassert_equal(log.put(3, value), Status::kOk);
  }
}

// A partition's content with a right header.
template <std::size_t N>
std::array<std::uint8_t, kProvisionedHeaderBytes + N> with_header(
    ProvisionedKind kind, const std::array<std::uint8_t, N>& content) {
  std::array<std::uint8_t, kProvisionedHeaderBytes + N> bytes{'S', 'K', 'P', 'B'};
  sys_put_le16(static_cast<std::uint16_t>(kind), &bytes[4]);
  sys_put_le16(1, &bytes[6]);
  sys_put_le32(N, &bytes[8]);
  sys_put_le32(crc32_ieee(content.data(), content.size()), &bytes[12]);
  std::ranges::copy(content, bytes.begin() + kProvisionedHeaderBytes);
  return bytes;
}

constexpr std::array<std::uint8_t, 8> kContent{10, 20, 30, 40, 50, 60, 70, 80};

// What find_provisioned() says after one byte of it was changed.
Status status_with(std::size_t position, std::uint8_t value) {
  Partition partition(FIXED_PARTITION_ID(skep_credentials));
  auto bytes = with_header(ProvisionedKind::kCredentials, kContent);
  bytes[position] = value;
  zassert_equal(partition.storage.program(0, bytes), Status::kOk);
  return find_provisioned(partition.storage, ProvisionedKind::kCredentials).status();
}

ZTEST(flash, test_provisioned_content_is_found_only_whole) {
  Partition partition(FIXED_PARTITION_ID(skep_credentials));
  FlashMapStorage& storage = partition.storage;
  std::array<std::uint8_t, 8> out{};
  zassert_equal(read_provisioned(storage, ProvisionedKind::kCredentials, out).status(),
                Status::kNotFound);
  zassert_equal(storage.program(0, with_header(ProvisionedKind::kCredentials, kContent)),
                Status::kOk);
  zassert_equal(*read_provisioned(storage, ProvisionedKind::kCredentials, out), 8);
  zassert_true(out == kContent);
  zassert_equal(find_provisioned(storage, ProvisionedKind::kSamples).status(),
                Status::kInvalidArgument);
  zassert_equal(
      read_provisioned(storage, ProvisionedKind::kCredentials, MutableBytes(out).first(7)).status(),
      Status::kNoMemory);

  zassert_equal(status_with(0, 'X'), Status::kNotFound);
  zassert_equal(status_with(6, 2), Status::kUnsupportedVersion);
  zassert_equal(status_with(8, 0), Status::kMalformed);
  zassert_equal(status_with(10, 1), Status::kMalformed, "65,544 bytes do not fit");
  zassert_equal(status_with(12, 0), Status::kBadDigest);
  zassert_equal(status_with(23, 81), Status::kBadDigest);
}

// Two samples of three features.
constexpr std::array<std::uint8_t, 24> kSamples{3,    0,    0, 0,    2, 0, 0,    0,  //
                                                0xFB, 0xFF, 1, 0,    2, 0, 7,    0,  //
                                                0xFF, 0x7F, 0, 0x80, 9, 0, 0x34, 0x12};

ZTEST(flash, test_samples_are_read_as_they_were_written) {
  Partition partition(FIXED_PARTITION_ID(skep_samples));
  zassert_equal(partition.storage.program(0, with_header(ProvisionedKind::kSamples, kSamples)),
                Status::kOk);
  FlashSamples samples(partition.storage);
  zassert_equal(samples.count(), 0, "before open()");
  zassert_equal(samples.open(), Status::kOk);
  zassert_equal(samples.count(), 2);
  zassert_equal(samples.feature_count(), 3);
  std::array<std::int16_t, 3> features{};
  std::uint16_t label = 0;
  zassert_equal(samples.read(0, features, label), Status::kOk);
  zassert_true((features == std::array<std::int16_t, 3>{-5, 1, 2}) && label == 7);
  zassert_equal(samples.read(1, features, label), Status::kOk);
  zassert_true((features == std::array<std::int16_t, 3>{32767, -32768, 9}) && label == 0x1234);
  zassert_equal(samples.read(2, features, label), Status::kInvalidArgument);
  zassert_equal(samples.read(0, std::span(features).first(2), label), Status::kInvalidArgument);
}

ZTEST(flash, test_samples_whose_numbers_do_not_fit_are_refused) {
  for (const auto& [position, value] : {std::pair{0, 4}, {0, 0}, {2, 1}, {4, 3}, {7, 0x80}}) {
    Partition partition(FIXED_PARTITION_ID(skep_samples));
    auto content = kSamples;
    content[static_cast<std::size_t>(position)] = static_cast<std::uint8_t>(value);
    zassert_equal(partition.storage.program(0, with_header(ProvisionedKind::kSamples, content)),
                  Status::kOk);
    FlashSamples samples(partition.storage);
    zassert_equal(samples.open(), Status::kMalformed);
    zassert_equal(samples.count(), 0);
  }
}

}  // namespace

ZTEST_SUITE(flash, nullptr, nullptr, nullptr, nullptr, nullptr);

}  // namespace skep::port_zephyr
