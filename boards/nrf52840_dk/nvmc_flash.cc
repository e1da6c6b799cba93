// The upper half of the chip's flash. While a page is erased (85 ms) or a word written (41 us) the
// core, which runs from the same flash, stands still; what the UART receives meanwhile is lost
// and sent again.
#include <cstdint>
#include <cstring>

#include "board_map.h"
#include "registers.h"
#include "skep/port_baremetal/board.h"

namespace skep::board {
namespace {

constexpr std::uint32_t kReady = kFlashController + 0x400;
constexpr std::uint32_t kConfig = kFlashController + 0x504;
constexpr std::uint32_t kErasePage = kFlashController + 0x508;
constexpr std::uint32_t kReadOnly = 0;
constexpr std::uint32_t kWriteEnabled = 1;
constexpr std::uint32_t kEraseEnabled = 2;
constexpr std::uint32_t kWord = 4;

void wait_until_ready() {
  while (reg(kReady) == 0) {
  }
}

// Writing is allowed for the moment of the call only.
class Unlocked {
 public:
  explicit Unlocked(std::uint32_t mode) { set(mode); }
  ~Unlocked() { set(kReadOnly); }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  static void set(std::uint32_t mode) {
    wait_until_ready();
    reg(kConfig) = mode;
    memory_barrier();
  }
};

class NvmcFlash final : public port_baremetal::RawFlash {
 public:
  [[nodiscard]] FlashGeometry geometry() const override {
    return {.size_bytes = kFlashAreaBytes,
            .erase_unit_bytes = kFlashPageBytes,
            .program_unit_bytes = kWord};
  }

  Status read(std::uint32_t offset, MutableBytes out) override {
    std::memcpy(out.data(), reinterpret_cast<const void*>(kFlashAreaOffset + offset), out.size());
    return Status::kOk;
  }

  Status program(std::uint32_t offset, Bytes data) override {
    const Unlocked unlocked(kWriteEnabled);
    for (std::size_t done = 0; done < data.size(); done += kWord) {
      std::uint32_t word = 0;
      std::memcpy(&word, data.data() + done, kWord);
      reg(kFlashAreaOffset + offset + done) = word;
      wait_until_ready();
    }
    return Status::kOk;
  }

  Status erase_unit(std::uint32_t offset) override {
    const Unlocked unlocked(kEraseEnabled);
    reg(kErasePage) = kFlashAreaOffset + offset;
    wait_until_ready();
    return Status::kOk;
  }
};

}  // namespace

Result<port_baremetal::RawFlash*> flash() {
  static NvmcFlash area;
  return &area;
}

}  // namespace skep::board
