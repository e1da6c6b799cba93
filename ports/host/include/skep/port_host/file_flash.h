// A file that behaves like a NOR flash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "skep/platform.h"

namespace skep::port_host {

/// Storage in a file: erase sets bytes to 0xFF, program can only clear bits, sync is fdatasync.
/// So what works here works on a flash, and a process killed at any moment finds its state.
///
/// The file is a header page with the geometry, then the flash's bytes. It is created by writing
/// a temporary file beside it and renaming, so a half-made one is never found. One process at a
/// time: the file is locked while open.
class FileFlash final : public Storage {
 public:
  /// Opens `path`, or creates it erased and with mode 0600.
  ///
  /// Throws std::runtime_error, with the path and the reason in its text, if the geometry is not
  /// one that FlashGeometry allows, the file has another geometry, is not one of ours, is in use
  /// by another process, or cannot be opened or created.
  FileFlash(const std::string& path, const FlashGeometry& geometry);
  ~FileFlash();
  FileFlash(const FileFlash&) = delete;
  FileFlash& operator=(const FileFlash&) = delete;

  [[nodiscard]] FlashGeometry geometry() const override { return geometry_; }
  Status read(std::uint32_t offset, MutableBytes out) override;
  Status program(std::uint32_t offset, Bytes data) override;
  Status erase(std::uint32_t offset, std::uint32_t length_bytes) override;
  Status sync() override;

 private:
  [[nodiscard]] bool is_inside(std::uint32_t offset, std::size_t length_bytes,
                               std::uint32_t unit) const;

  FlashGeometry geometry_;
  int file_ = -1;
};

}  // namespace skep::port_host
