// Puts together the one update that a session may upload at a time, block by block (RFC 7959).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "skep/bytes.h"

namespace skep::app {

/// After so many seconds without a block an upload is given up.
inline constexpr std::int64_t kUploadSilenceS = 120;

/// One request of an upload. A request without Block1 is block 0 that is the last one.
struct UpdateBlock {
  std::uint32_t number = 0;  ///< Block1 NUM.
  bool more = false;         ///< Block1 M.
  std::size_t offset = 0;    ///< NUM times the block's size.
  Bytes data;
  std::size_t announced_bytes = 0;  ///< Size1, 0 if absent.
  std::uint16_t message_id = 0;     ///< Tells a retransmission from a new request.
};

enum class UploadStep : std::uint8_t {
  kContinue,      ///< Taken, or taken before: 2.31.
  kComplete,      ///< The body is whole: take_body().
  kRepeatedLast,  ///< The last block of a body that was taken already: acknowledge, do nothing.
  kGap,           ///< Not the block that was expected; the upload is given up: 4.08.
  kTooLarge,      ///< Above the bound, announced or real; the upload is given up: 4.13.
};

/// Memory: the blocks received so far, at most max_bytes; none between uploads. What a peer
/// announces is compared, never allocated. Not thread-safe.
class UpdateAssembler {
 public:
  explicit UpdateAssembler(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  /// A block 0 begins anew, unless it is a retransmission.
  UploadStep add(const UpdateBlock& block, std::int64_t now_s);

  /// The body, after kComplete; the assembler is empty then.
  [[nodiscard]] std::vector<std::uint8_t> take_body();

  /// The last complete body will not be answered later, so its last block is no longer
  /// acknowledged as a repetition.
  void forget_completed() { completed_.reset(); }

  /// Frees an upload that has been silent for kUploadSilenceS.
  void expire(std::int64_t now_s);

  [[nodiscard]] std::size_t held_bytes() const { return body_.capacity(); }

 private:
  struct Completed {
    std::uint16_t message_id;
    std::uint32_t number;
    std::int64_t at_s;
  };

  UploadStep give_up(UploadStep why);
  [[nodiscard]] bool repeats_held(const UpdateBlock& block) const;

  std::size_t max_bytes_;
  std::vector<std::uint8_t> body_;
  bool active_ = false;
  std::uint16_t first_message_id_ = 0;
  std::int64_t last_s_ = 0;
  std::optional<Completed> completed_;
};

}  // namespace skep::app
