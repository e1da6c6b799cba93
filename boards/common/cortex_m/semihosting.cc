#include "semihosting.h"

#include <array>

namespace skep::board::semihosting {
namespace {

constexpr std::uint32_t kOpen = 0x01;
constexpr std::uint32_t kClose = 0x02;
constexpr std::uint32_t kWrite = 0x05;
constexpr std::uint32_t kRead = 0x06;
constexpr std::uint32_t kSeek = 0x0A;
constexpr std::uint32_t kFileLength = 0x0C;
constexpr std::uint32_t kGetCommandLine = 0x15;
constexpr std::uint32_t kExitExtended = 0x20;
constexpr std::uint32_t kApplicationExit = 0x20026;

constexpr std::size_t kCommandLineBytes = 512;

std::int32_t call(std::uint32_t operation, const void* parameters) {
  register std::uint32_t r0 asm("r0") = operation;
  register const void* r1 asm("r1") = parameters;
  asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return static_cast<std::int32_t>(r0);
}

template <typename... Words>
std::int32_t call_with(std::uint32_t operation, Words... words) {
  const std::array<std::uint32_t, sizeof...(words)> parameters{words...};
  return call(operation, parameters.data());
}

std::uint32_t word(const void* pointer) { return reinterpret_cast<std::uint32_t>(pointer); }

}  // namespace

File::File(std::string_view path, Mode mode)
    : handle_(call_with(kOpen, word(path.data()), static_cast<std::uint32_t>(mode), path.size())) {}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    close();
    handle_ = other.handle_;
    other.handle_ = -1;
  }
  return *this;
}

void File::close() {
  if (is_open()) call_with(kClose, static_cast<std::uint32_t>(handle_));
  handle_ = -1;
}

std::int32_t File::size_bytes() const {
  return call_with(kFileLength, static_cast<std::uint32_t>(handle_));
}

bool File::seek(std::uint32_t position) {
  return call_with(kSeek, static_cast<std::uint32_t>(handle_), position) == 0;
}

// Read and write return how many bytes are missing.
bool File::read(MutableBytes out) {
  return call_with(kRead, static_cast<std::uint32_t>(handle_), word(out.data()), out.size()) == 0;
}

bool File::write(Bytes data) {
  return call_with(kWrite, static_cast<std::uint32_t>(handle_), word(data.data()), data.size()) ==
         0;
}

std::string_view argument(std::string_view name, std::span<char> buffer) {
  std::array<char, kCommandLineBytes> line{};
  // The call overwrites the size with the line's length.
  std::array<std::uint32_t, 2> parameters{word(line.data()), line.size()};
  if (call(kGetCommandLine, parameters.data()) != 0) return {};
  std::string_view rest{line.data()};
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(' '));
    rest.remove_prefix(item.size() < rest.size() ? item.size() + 1 : item.size());
    if (!item.starts_with(name) || item.size() <= name.size() || item[name.size()] != '=') continue;
    const std::string_view value = item.substr(name.size() + 1);
    if (value.size() >= buffer.size()) return {};
    value.copy(buffer.data(), value.size());
    buffer[value.size()] = '\0';
    return {buffer.data(), value.size()};
  }
  return {};
}

void exit(int code) {
  call_with(kExitExtended, kApplicationExit, static_cast<std::uint32_t>(code));
  for (;;) {
  }
}

}  // namespace skep::board::semihosting
