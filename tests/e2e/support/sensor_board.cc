#include "sensor_board.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <functional>
#include <span>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "skep/port_baremetal/sensor_frame.h"

namespace skep::e2e {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 60s;
constexpr std::size_t kFrameBytes = port_baremetal::sensor_frame_bytes(1);
constexpr std::size_t kFramesAtOnce = 256 / kFrameBytes;  // what a board buffers (sensor_line.h)

void wait_until(SensorBoard& board, const std::function<bool()>& done, const char* what) {
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    board.check_alive();
    if (std::chrono::steady_clock::now() > limit) {
      throw std::runtime_error(board.name() + ": no " + what + ":\n" + board.printed());
    }
    std::this_thread::sleep_for(2ms);
  }
}

}  // namespace

std::uint64_t number_in(const std::string& line, const std::string& field) {
  const std::size_t at = line.find(" " + field + "=");
  if (at == std::string::npos) throw std::runtime_error("no " + field + " in: " + line);
  return std::stoull(line.substr(at + field.size() + 2));
}

SensorBoard::SensorBoard(const std::string& board, const std::filesystem::path& folder,
                         const BoardProvision& provision)
    : device_(board, folder, provision, BoardImage::kMonitor) {}

SensorBoard::SensorBoard(SensorBoard&& other) noexcept
    : device_(std::move(other.device_)),
      console_(std::move(other.console_)),
      read_chars_(other.read_chars_),
      line_(std::exchange(other.line_, -1)) {}

SensorBoard::~SensorBoard() { unplug(); }

void SensorBoard::start() {
  console_ = {};
  device_.start();
  wait_until(
      *this, [&] { return !console().boots.empty(); }, "boot");
  plug_in();
}

void SensorBoard::kill() {
  unplug();
  device_.kill();
  // The last line may have no end.
  read_chars_ = printed().size();
}

void SensorBoard::plug_in() {
  line_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = device_.sensor();
  if (path.size() >= sizeof(address.sun_path)) throw std::runtime_error(path + " is too long");
  std::ranges::copy(path, address.sun_path);
  if (line_ < 0 ||
      ::connect(line_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::system_error(errno, std::generic_category(), path);
  }
}

void SensorBoard::unplug() {
  if (line_ >= 0) ::close(line_);
  line_ = -1;
}

void SensorBoard::send(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(line_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) throw std::system_error(errno, std::generic_category(), "sensor's line");
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

void SensorBoard::send_readings(const std::vector<std::int32_t>& readings) {
  std::size_t answered = console().readings.size();
  for (std::span<const std::int32_t> rest(readings); !rest.empty();) {
    const auto next = rest.first(std::min(rest.size(), kFramesAtOnce));
    std::vector<std::uint8_t> bytes(next.size() * kFrameBytes);
    for (std::size_t i = 0; i < next.size(); ++i) {
      if (port_baremetal::encode_sensor_frame(
              next.subspan(i, 1), std::span(bytes).subspan(i * kFrameBytes)) != Status::kOk) {
        throw std::runtime_error("a frame does not encode");
      }
    }
    send(bytes);
    answered += next.size();
    wait_until(
        *this, [&] { return console().readings.size() >= answered; }, "answer");
    rest = rest.subspan(next.size());
  }
}

const MonitorConsole& SensorBoard::console() {
  const std::string text = printed();
  for (std::size_t end = 0; (end = text.find('\n', read_chars_)) != std::string::npos;) {
    const std::string line = text.substr(read_chars_, end - read_chars_);
    read_chars_ = end + 1;
    if (line.starts_with("boot ")) console_.boots.push_back(line);
    if (line.starts_with("reading ")) console_.readings.push_back(line);
    if (line.starts_with("alarm ")) console_.alarms.push_back(line);
    if (line.starts_with("sensor ")) console_.sensors.push_back(line);
  }
  return console_;
}

}  // namespace skep::e2e
