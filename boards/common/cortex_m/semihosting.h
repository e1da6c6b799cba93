// Services of the debugger or emulator (Arm semihosting 2.0). On a board without one each call is
// a fault: only emulated boards link this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "skep/bytes.h"

namespace skep::board::semihosting {

enum class Mode : std::uint32_t { kRead = 1, kReadWrite = 3, kCreate = 7 };  // rb, r+b, w+b

/// A file of the host. Positions are absolute.
class File {
 public:
  File() = default;
  /// Check is_open() afterwards.
  File(std::string_view path, Mode mode);
  File(File&& other) noexcept : handle_(other.handle_) { other.handle_ = -1; }
  File& operator=(File&& other) noexcept;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { close(); }

  [[nodiscard]] bool is_open() const { return handle_ >= 0; }
  /// −1 if it cannot be told.
  [[nodiscard]] std::int32_t size_bytes() const;

  /// All of it or false. On false some of it may have happened.
  bool seek(std::uint32_t position);
  bool read(MutableBytes out);
  bool write(Bytes data);

 private:
  void close();

  std::int32_t handle_ = -1;
};

/// The value of "name=value" among the emulator's arguments (`-semihosting-config
/// arg=fw,arg=name=value`), zero-terminated in `buffer`; empty if it is absent, has blanks or
/// does not fit.
[[nodiscard]] std::string_view argument(std::string_view name, std::span<char> buffer);

/// Ends the emulator.
[[noreturn]] void exit(int code);

}  // namespace skep::board::semihosting
