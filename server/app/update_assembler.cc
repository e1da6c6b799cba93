#include "update_assembler.h"

#include <algorithm>
#include <utility>

namespace skep::app {

UploadStep UpdateAssembler::add(const UpdateBlock& block, std::int64_t now_s) {
  expire(now_s);
  if (completed_ && completed_->message_id == block.message_id &&
      completed_->number == block.number && !block.more) {
    return UploadStep::kRepeatedLast;
  }
  if (block.announced_bytes > max_bytes_ || block.offset > max_bytes_ ||
      block.data.size() > max_bytes_ - block.offset) {
    return give_up(UploadStep::kTooLarge);
  }
  const bool restarts =
      block.number == 0 && !(active_ && block.more && block.message_id == first_message_id_);
  if (restarts) {
    give_up(UploadStep::kGap);
    active_ = true;
    first_message_id_ = block.message_id;
  }
  if (!active_) return give_up(UploadStep::kGap);
  last_s_ = now_s;
  if (repeats_held(block)) return UploadStep::kContinue;
  if (block.offset != body_.size()) return give_up(UploadStep::kGap);

  body_.insert(body_.end(), block.data.begin(), block.data.end());
  if (block.more) return UploadStep::kContinue;
  completed_ = Completed{block.message_id, block.number, now_s};
  return UploadStep::kComplete;
}

bool UpdateAssembler::repeats_held(const UpdateBlock& block) const {
  return block.more && !block.data.empty() && block.offset + block.data.size() <= body_.size() &&
         std::ranges::equal(block.data, Bytes(body_).subspan(block.offset, block.data.size()));
}

std::vector<std::uint8_t> UpdateAssembler::take_body() {
  active_ = false;
  return std::exchange(body_, {});
}

void UpdateAssembler::expire(std::int64_t now_s) {
  if (active_ && now_s - last_s_ >= kUploadSilenceS) give_up(UploadStep::kGap);
  if (completed_ && now_s - completed_->at_s >= kUploadSilenceS) completed_.reset();
}

UploadStep UpdateAssembler::give_up(UploadStep why) {
  active_ = false;
  std::vector<std::uint8_t>().swap(body_);  // assigning {} would keep the memory
  return why;
}

}  // namespace skep::app
