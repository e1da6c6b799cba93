// Softmax and cross-entropy in integers: 2^x by a cubic in Q15 (algorithms.md, section 1).
#pragma once

#include <cstdint>
#include <span>

namespace skep::learn {

/// Exponent of a probability or of a softmax gradient.
inline constexpr int kProbabilityExponent = -15;

/// Largest of `logits`, which is not empty.
std::int16_t largest(std::span<const std::int16_t> logits);

/// e^(below * 2^exponent) in Q30, relative error below 1.6e-4 or absolute below 2^-30.
/// −65535 ≤ below ≤ 0.
std::uint32_t exponential_q30(std::int32_t below, int exponent);

/// Σ e^(logit − largest) in Q30; the terms go to `terms`, of the same length, unless null.
std::uint64_t sum_exponentials(std::span<const std::int16_t> logits, int exponent,
                               std::int64_t* terms);

/// ln(value) in Q16 for a value ≥ 1 in Q30, to within 3e-5.
std::int64_t natural_log_q16(std::uint64_t value_q30);

/// −ln softmax(logits)[label] in nats, Q16.16, saturating; `sum` from sum_exponentials.
std::uint32_t cross_entropy_q16(std::span<const std::int16_t> logits, int exponent,
                                std::uint64_t sum, std::uint16_t label);

/// softmax − onehot(label) in Q15 from the terms and their sum; +1 becomes 32767.
void softmax_gradient(std::span<const std::int64_t> terms, std::uint64_t sum, std::uint16_t label,
                      std::int16_t* gradient);

}  // namespace skep::learn
