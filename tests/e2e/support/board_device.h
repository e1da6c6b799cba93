// The firmware of a board as one device of a federation: its image in QEMU, its flash in a file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "skep/process/process.h"

namespace skep::e2e {

/// What the board's flash is made of (skep-provision).
struct BoardProvision {
  std::filesystem::path credentials;  ///< File of `skepctl device add`.
  std::filesystem::path samples{};    ///< CSV, the label last. Empty: none.
  std::uint16_t gateway_port = 0;     ///< On this machine's loopback.
  std::uint32_t training_seed = 0;
  std::uint32_t refresh_ms = 15'000;
};

/// Which application runs on the board.
enum class BoardImage : std::uint8_t {
  kDevice,   ///< skep-device: learns from samples in its flash.
  kMonitor,  ///< skep-monitor: learns from a sensor's readings.
};

/// QEMU's name of a board, which also is a name that devices may have: "mps2-an386".
std::string machine_name(std::string board);

/// One of the boards in boards/ that QEMU has. Errors are exceptions with what the board printed.
class BoardDevice {
 public:
  /// `board` is the folder's name, e.g. "mps2_an386". Makes the flash; throws if the image of
  /// ./run firmware or QEMU is missing.
  BoardDevice(const std::string& board, std::filesystem::path folder,
              const BoardProvision& provision, BoardImage image = BoardImage::kDevice);

  /// Power on: whatever the flash holds. `argument` is one more of the emulator's (semihosting.h).
  void start(const std::string& argument = {});

  /// Power off, at once.
  void kill() { emulator_.reset(); }

  /// Throws if the board is powered and has stopped.
  void check_alive();

  /// The image's exit code; −1 if it has not ended after `limit_s` seconds.
  int wait_for_exit(int limit_s);

  [[nodiscard]] const std::string& name() const { return board_; }

  /// The console's lines over all starts that begin with "event kind=<kind> ".
  [[nodiscard]] std::vector<std::string> events(const std::string& kind) const;

  /// All that it printed, over all starts.
  [[nodiscard]] std::string printed() const { return process::read_text(console()); }

  /// kMonitor: the Unix socket that the sensor's line is while the board is powered.
  [[nodiscard]] std::filesystem::path sensor() const { return folder_ / (board_ + ".sensor"); }

 private:
  [[nodiscard]] std::filesystem::path image_file() const;
  [[nodiscard]] std::filesystem::path console() const { return folder_ / (board_ + ".console"); }
  [[nodiscard]] std::filesystem::path flash() const { return folder_ / (board_ + ".flash"); }

  std::string board_;
  std::filesystem::path folder_;
  BoardImage image_;
  std::optional<process::Process> emulator_;
};

}  // namespace skep::e2e
