// What sealing and opening do to the heap: nothing of our own, no secret in freed memory, and a
// clean refusal whichever allocation of Mbed TLS fails. A program of its own, because it replaces
// the allocators.
#include <gtest/gtest.h>
#include <mbedtls/platform.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <string>

#include "seal_testing.h"
#include "skep/seal/envelope.h"

namespace {

std::size_t operator_new_count = 0;

}  // namespace

// Not inlined: gcc would then see free() on what it takes for the built-in operator's memory.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++operator_new_count;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}

namespace skep::seal {
namespace {

using testing::Buffer;
using testing::compressed_from;
using testing::contains;
using testing::from_hex;
using testing::take;

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

/// Mbed TLS's allocator while these tests run.
struct Heap {
  static inline std::size_t allocations = 0;
  static inline std::size_t live_blocks = 0;
  static inline std::size_t fail_at = kNever;
  static inline std::array<Bytes, 3> secrets{};
  static inline std::size_t secrets_in_freed_blocks = 0;

  static constexpr std::size_t kHeaderBytes = alignof(std::max_align_t);

  static void* allocate(std::size_t count, std::size_t size) {
    if (allocations++ == fail_at) return nullptr;
    auto* block = static_cast<std::uint8_t*>(std::calloc(1, kHeaderBytes + count * size));
    if (block == nullptr) return nullptr;
    const std::size_t bytes = count * size;
    std::memcpy(block, &bytes, sizeof(bytes));
    ++live_blocks;
    return block + kHeaderBytes;
  }

  static void release(void* memory) {
    if (memory == nullptr) return;
    auto* block = static_cast<std::uint8_t*>(memory) - kHeaderBytes;
    std::size_t bytes = 0;
    std::memcpy(&bytes, block, sizeof(bytes));
    for (const Bytes secret : secrets) {
      if (!secret.empty() && contains({block + kHeaderBytes, bytes}, secret)) {
        ++secrets_in_freed_blocks;
      }
    }
    --live_blocks;
    std::free(block);
  }
};

// Before PSA starts, so that every block is freed by the allocator that it came from.
const int kHeapInstalled = mbedtls_platform_set_calloc_free(Heap::allocate, Heap::release);

constexpr char kScalar[] = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
const std::string kDeltaText = "a delta that nobody else may read";

/// Everything from raw keys to the opened update, in static memory as a device would have it.
struct Exchange {
  Exchange()
      : scalar(from_hex(kScalar)), delta(testing::to_buffer(testing::bytes_of(kDeltaText))) {}

  Status run() {
    SKEP_ASSIGN_OR_RETURN(const SigningKey device_key, SigningKey::from_bytes(scalar));
    SKEP_ASSIGN_OR_RETURN(const VerifyingPoint point, device_key.public_key());
    SKEP_ASSIGN_OR_RETURN(const VerifyingKey device, VerifyingKey::from_bytes(point));
    SKEP_ASSIGN_OR_RETURN(const AggregationKey aggregation_key,
                          AggregationKey::from_bytes(Kem::kP256HkdfSha256, scalar));
    SKEP_ASSIGN_OR_RETURN(
        const Sealed sealed,
        seal_update(compressed, testing::update_context(),
                    {aggregation_key.kem(), aggregation_key.public_key(), device_key}, out));
    SKEP_ASSIGN_OR_RETURN(const wire::SealedUpdate update,
                          wire::decode_sealed_update(sealed.bytes()));
    SKEP_TRY(verify_update_signature(update, device));
    return open_update(update, aggregation_key, plaintext).status();
  }

  Buffer scalar;
  Buffer delta;
  Compressed compressed = compressed_from(delta, 5);
  std::array<std::uint8_t, 512> out{};
  std::array<std::uint8_t, 512> plaintext{};
};

class Memory : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(kHeapInstalled, 0);
    Heap::fail_at = kNever;
    Heap::secrets = {};
    Heap::secrets_in_freed_blocks = 0;
  }
  void TearDown() override { SetUp(); }

  Exchange exchange_;
};

TEST_F(Memory, NoneIsAllocatedByOurCode) {
  const std::size_t before = operator_new_count;
  const Status status = exchange_.run();
  EXPECT_EQ(operator_new_count, before);
  EXPECT_EQ(status, Status::kOk);
}

TEST_F(Memory, TheLibraryDoesNotEvenNameAnAllocator) {
  const std::string command =
      std::string("nm --undefined-only --demangle ") + std::getenv("SKEP_SEAL_LIBRARY");  // NOLINT
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string symbols;
  std::array<char, 512> line{};
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) symbols += line.data();
  ASSERT_EQ(pclose(pipe), 0);
  ASSERT_NE(symbols.find(" psa_import_key\n"), std::string::npos);
  for (const char* const name :
       {" malloc\n", " calloc\n", " realloc\n", " free\n", "mbedtls_calloc", "mbedtls_free",
        "operator new", "operator delete", "__cxa_throw"}) {
    EXPECT_EQ(symbols.find(name), std::string::npos) << name;
  }
}

TEST_F(Memory, FreedBlocksHoldNoSecret) {
  Heap::secrets = {exchange_.scalar, exchange_.delta};
  ASSERT_EQ(exchange_.run(), Status::kOk);
  EXPECT_EQ(Heap::secrets_in_freed_blocks, 0U);
  // The heap does see them go by, or the check would show nothing: this block is not wiped.
  auto* block = static_cast<std::uint8_t*>(mbedtls_calloc(1, 64));
  std::copy(exchange_.scalar.begin(), exchange_.scalar.end(), block);
  mbedtls_free(block);
  EXPECT_EQ(Heap::secrets_in_freed_blocks, 1U);
}

TEST_F(Memory, AnyFailedAllocationIsAnErrorThatLeavesNothing) {
  ASSERT_EQ(exchange_.run(), Status::kOk);  // Fills what Mbed TLS makes once.
  const std::size_t first = Heap::allocations;
  const std::size_t live_before = Heap::live_blocks;
  ASSERT_EQ(exchange_.run(), Status::kOk);
  const std::size_t total = Heap::allocations - first;
  ASSERT_EQ(Heap::live_blocks, live_before);
  const std::size_t keys_before = testing::live_key_count();

  // All of the first and last, and every so many of the thousands that elliptic curves make.
  const std::size_t stride = std::max<std::size_t>(1, total / 300);
  std::size_t refused = 0;
  for (std::size_t n = 0; n < total; n += (n < 100 || n + 100 > total) ? 1 : stride) {
    exchange_.out.fill(0);
    exchange_.plaintext.fill(0);
    Heap::fail_at = Heap::allocations + n;
    const Status status = exchange_.run();
    Heap::fail_at = kNever;
    EXPECT_EQ(Heap::live_blocks, live_before) << n;
    EXPECT_EQ(testing::live_key_count(), keys_before) << n;
    if (status == Status::kOk) continue;  // Blinding is random: this run needed fewer.
    ++refused;
    // A generator without memory is one without randomness to Mbed TLS.
    EXPECT_TRUE(status == Status::kNoMemory || status == Status::kNoEntropy)
        << n << ' ' << to_string(status);
    EXPECT_FALSE(contains(exchange_.out, exchange_.delta)) << n;
    EXPECT_FALSE(contains(exchange_.plaintext, exchange_.delta)) << n;
  }
  EXPECT_GE(refused, 200U);
  EXPECT_EQ(exchange_.run(), Status::kOk);
}

}  // namespace
}  // namespace skep::seal
