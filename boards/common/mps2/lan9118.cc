#include "lan9118.h"

#include <algorithm>
#include <cstring>

#include "board_map.h"
#include "registers.h"

namespace skep::board {
namespace {

constexpr std::uint32_t kReceiveData = kEthernet + 0x00;
constexpr std::uint32_t kTransmitData = kEthernet + 0x20;
constexpr std::uint32_t kReceiveStatus = kEthernet + 0x40;
constexpr std::uint32_t kTransmitStatus = kEthernet + 0x48;
constexpr std::uint32_t kByteOrderTest = kEthernet + 0x64;
constexpr std::uint32_t kReceiveConfig = kEthernet + 0x6C;
constexpr std::uint32_t kTransmitConfig = kEthernet + 0x70;
constexpr std::uint32_t kHardwareConfig = kEthernet + 0x74;
constexpr std::uint32_t kReceiveFifo = kEthernet + 0x7C;
constexpr std::uint32_t kTransmitFifo = kEthernet + 0x80;
constexpr std::uint32_t kMacCommand = kEthernet + 0xA4;
constexpr std::uint32_t kMacData = kEthernet + 0xA8;

constexpr std::uint32_t kByteOrder = 0x87654321;
constexpr std::uint32_t kSoftReset = 1U << 0U;
constexpr std::uint32_t kMustBeOne = 1U << 20U;       // of HW_CFG
constexpr std::uint32_t kTransmitFifoKb = 5U << 16U;  // the rest of the 16 KB receives
constexpr std::uint32_t kTransmitOn = 1U << 1U;
constexpr std::uint32_t kMacBusy = 1U << 31U;
constexpr std::uint32_t kMacRead = 1U << 30U;
constexpr std::uint32_t kMacControl = 1;
constexpr std::uint32_t kMacAddressHigh = 2;
constexpr std::uint32_t kMacAddressLow = 3;
constexpr std::uint32_t kMacReceive = 1U << 2U;
constexpr std::uint32_t kMacTransmit = 1U << 3U;
constexpr std::uint32_t kMacFullDuplex = 1U << 20U;
constexpr std::uint32_t kFirstAndLastSegment = 3U << 12U;
constexpr std::uint32_t kReceiveError = 1U << 15U;

constexpr std::uint32_t kChecksumBytes = 4;
constexpr std::uint32_t kWord = 4;
constexpr int kMostPolls = 100'000;  // of a flag that takes microseconds

bool wait_until_clear(std::uint32_t address, std::uint32_t flag) {
  for (int i = 0; i < kMostPolls; ++i) {
    if ((reg(address) & flag) == 0) return true;
  }
  return false;
}

std::uint32_t read_mac(std::uint32_t index) {
  reg(kMacCommand) = kMacBusy | kMacRead | index;
  static_cast<void>(wait_until_clear(kMacCommand, kMacBusy));
  return reg(kMacData);
}

void write_mac(std::uint32_t index, std::uint32_t value) {
  reg(kMacData) = value;
  reg(kMacCommand) = kMacBusy | index;
  static_cast<void>(wait_until_clear(kMacCommand, kMacBusy));
}

// Takes the next word of a FIFO.
void discard(std::uint32_t address) { [[maybe_unused]] const std::uint32_t word = reg(address); }

std::uint32_t words_of(std::uint32_t bytes) { return (bytes + kWord - 1) / kWord; }

}  // namespace

Status Lan9118::start() {
  if (reg(kByteOrderTest) != kByteOrder) return Status::kUnreachable;
  reg(kHardwareConfig) = kSoftReset;
  if (!wait_until_clear(kHardwareConfig, kSoftReset)) return Status::kUnreachable;
  reg(kHardwareConfig) = kMustBeOne | kTransmitFifoKb;
  reg(kReceiveConfig) = 0;  // frames begin at a word, without offset
  reg(kTransmitConfig) = kTransmitOn;
  write_mac(kMacControl, kMacFullDuplex | kMacTransmit | kMacReceive);
  announced_bytes_ = 0;
  return Status::kOk;
}

// The controller loads it from its EEPROM at reset.
port_baremetal::Ethernet::Address Lan9118::address() const {
  const std::uint32_t low = read_mac(kMacAddressLow);
  const std::uint32_t high = read_mac(kMacAddressHigh);
  Address result{};
  std::memcpy(result.data(), &low, 4);
  std::memcpy(result.data() + 4, &high, 2);
  return result;
}

std::size_t Lan9118::next_frame_bytes() {
  constexpr std::uint32_t kLargest = kFrameBytes + kChecksumBytes;
  if (announced_bytes_ != 0) return announced_bytes_ - kChecksumBytes;
  while ((reg(kReceiveFifo) >> 16U & 0xFFU) != 0) {
    const std::uint32_t status = reg(kReceiveStatus);
    announced_bytes_ = status >> 16U & 0x3FFFU;
    const bool is_good = (status & kReceiveError) == 0 && announced_bytes_ > kChecksumBytes &&
                         announced_bytes_ <= kLargest;
    if (is_good) return announced_bytes_ - kChecksumBytes;
    read_frame({});
  }
  return 0;
}

void Lan9118::read_frame(MutableBytes out) {
  std::uint32_t words = words_of(announced_bytes_);
  for (; out.size() >= kWord && words != 0; --words) {
    const std::uint32_t data = reg(kReceiveData);
    std::memcpy(out.data(), &data, kWord);
    out = out.subspan(kWord);
  }
  // The checksum, or all of a frame that nobody wants.
  for (; words != 0; --words) discard(kReceiveData);
  announced_bytes_ = 0;
}

Status Lan9118::write_frame(Bytes frame) {
  constexpr std::uint32_t kCommandBytes = 2 * kWord;
  const std::uint32_t room_bytes = reg(kTransmitFifo) & 0xFFFFU;
  if (room_bytes < words_of(frame.size()) * kWord + kCommandBytes) return Status::kBusy;
  reg(kTransmitData) = kFirstAndLastSegment | frame.size();
  reg(kTransmitData) = frame.size();
  for (std::size_t offset = 0; offset < frame.size(); offset += kWord) {
    std::uint32_t data = 0;
    std::memcpy(&data, frame.data() + offset, std::min<std::size_t>(kWord, frame.size() - offset));
    reg(kTransmitData) = data;
  }
  // Statuses of frames sent before; when nobody takes them the controller stops.
  while ((reg(kTransmitFifo) >> 16U & 0xFFU) != 0) discard(kTransmitStatus);
  return Status::kOk;
}

port_baremetal::Ethernet& ethernet() {
  static Lan9118 controller;
  return controller;
}

}  // namespace skep::board
