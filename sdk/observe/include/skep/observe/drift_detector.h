// Notices that new samples fit the model worse than those before.
#pragma once

#include <cstdint>

namespace skep::observe {

struct DriftOptions {
  std::uint16_t reference_losses = 32;  ///< Losses whose mean is the reference, ≥ 1.
  std::uint16_t slack_q8 = 64;          ///< Losses up to reference * (1 + slack) are no drift.
  std::uint16_t limit_q8 = 16 * 256;    ///< Excess that is one, in references.
};

/// One-sided CUSUM (Page, "Continuous Inspection Schemes", Biometrika 41, 1954) of the losses of
/// new samples, in units of their mean r right after the last training:
///
///   S ← max(0, S + loss − r * (1 + slack)),  drift once S > r * limit.
///
/// Exact in integers: r is the mean rounded to nearest, at least 2^-8; products with slack and
/// limit are rounded down. So there is no drift while no loss is above r * (1 + slack), and if
/// every loss is at least g above that, there is one after at most floor(r * limit / g) + 1 of
/// them. 24 B on 32-bit processors; not thread-safe.
class DriftDetector {
 public:
  explicit DriftDetector(const DriftOptions& options);

  /// Takes the loss of one new sample, Q16.16. The first ones make the reference.
  void add(std::uint32_t loss_q16);

  /// True from the loss that showed it until restart().
  [[nodiscard]] bool has_drifted() const { return has_drifted_; }

  /// 0 while the reference is not known.
  [[nodiscard]] std::uint32_t reference_q16() const { return reference_q16_; }

  /// After training, or with another model: what follows makes a new reference.
  void restart();

 private:
  DriftOptions options_;
  std::uint16_t losses_ = 0;  // in the reference being made
  bool has_drifted_ = false;
  std::uint32_t reference_q16_ = 0;
  std::uint64_t sum_q16_ = 0;  // of those losses; then the excess S
};

}  // namespace skep::observe
