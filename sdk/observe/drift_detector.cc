#include "skep/observe/drift_detector.h"

#include <algorithm>

namespace skep::observe {
namespace {

// A reference of nothing would make anything a drift.
constexpr std::uint32_t kLeastReferenceQ16 = 1U << 8U;

}  // namespace

DriftDetector::DriftDetector(const DriftOptions& options) : options_(options) {}

void DriftDetector::restart() {
  losses_ = 0;
  has_drifted_ = false;
  reference_q16_ = 0;
  sum_q16_ = 0;
}

void DriftDetector::add(std::uint32_t loss_q16) {
  if (has_drifted_) return;
  sum_q16_ += loss_q16;
  if (reference_q16_ == 0) {
    if (++losses_ < options_.reference_losses) return;
    const auto mean = static_cast<std::uint32_t>((sum_q16_ + losses_ / 2U) / losses_);
    reference_q16_ = std::max(mean, kLeastReferenceQ16);
    sum_q16_ = 0;
    return;
  }
  const std::uint64_t accepted =
      reference_q16_ + ((std::uint64_t{reference_q16_} * options_.slack_q8) >> 8U);
  sum_q16_ -= std::min(sum_q16_, accepted);
  has_drifted_ = sum_q16_ > (std::uint64_t{reference_q16_} * options_.limit_q8) >> 8U;
}

}  // namespace skep::observe
