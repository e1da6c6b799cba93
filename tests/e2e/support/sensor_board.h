// A board with a sensor: skep-monitor in QEMU, readings going in, console lines coming out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "board_device.h"
#include "skep/bytes.h"

namespace skep::e2e {

/// The board's console lines since it was powered on, by their first word.
struct MonitorConsole {
  std::vector<std::string> boots;     ///< "boot …"
  std::vector<std::string> readings;  ///< "reading …", one for each frame.
  std::vector<std::string> alarms;    ///< "alarm …"
  std::vector<std::string> sensors;   ///< "sensor …": what was lost on the line.
};

/// The number after " <field>=" in a console line. Throws std::runtime_error if there is none.
std::uint64_t number_in(const std::string& line, const std::string& field);

/// Errors are exceptions with what the board printed.
class SensorBoard {
 public:
  SensorBoard(const std::string& board, const std::filesystem::path& folder,
              const BoardProvision& provision);
  ~SensorBoard();
  SensorBoard(SensorBoard&& other) noexcept;
  SensorBoard(const SensorBoard&) = delete;
  SensorBoard& operator=(const SensorBoard&) = delete;
  SensorBoard& operator=(SensorBoard&&) = delete;

  /// Power on; returns when it has booted and its sensor is plugged in.
  void start();

  /// Power off, at once.
  void kill();

  /// Bytes on the sensor's line, as fast as it takes them.
  void send(Bytes bytes);

  /// Frames of one reading each, no more at a time than the board buffers; returns when it has
  /// answered them all.
  void send_readings(const std::vector<std::int32_t>& readings);

  /// What it has printed up to now.
  const MonitorConsole& console();

  void check_alive() { device_.check_alive(); }
  [[nodiscard]] const std::string& name() const { return device_.name(); }
  [[nodiscard]] std::vector<std::string> events(const std::string& kind) const {
    return device_.events(kind);
  }
  [[nodiscard]] std::string printed() const { return device_.printed(); }

 private:
  void plug_in();
  void unplug();

  BoardDevice device_;
  MonitorConsole console_;
  std::size_t read_chars_ = 0;  // of all that was ever printed
  int line_ = -1;
};

}  // namespace skep::e2e
