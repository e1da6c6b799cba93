// The device's events as lines on the console.
#pragma once

#include <cstdint>

#include "skep/port_baremetal/flash_storage.h"
#include "skep/round/events.h"

namespace skep::port_baremetal {

/// One line an event: "event kind=RoundStarted status=Ok round=3 model_version=2 …", names as in
/// round/events.h. After an update was accepted a line "health …" says what memory and flash have
/// been through.
class ConsoleEvents final : public round::EventSink {
 public:
  /// `storage` outlives the object.
  explicit ConsoleEvents(const FlashStorage& storage) : storage_(storage) {}

  void on_event(const round::Event& event) override;

  /// Around each Device::poll(): the core works in between and may sleep outside. Events tell how
  /// long it has worked, in ticks of the board: with QEMU's -icount a count of instructions.
  void begin_work();
  void end_work();

 private:
  void report_health() const;

  const FlashStorage& storage_;
  std::uint64_t busy_ticks_ = 0;  // of all work that has ended
  std::uint64_t begin_ = 0;       // of the work under way
};

}  // namespace skep::port_baremetal
