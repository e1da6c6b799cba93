#include "skep/anomaly/stream_detector.h"

#include "skep/checked/take.h"

namespace skep::anomaly {

using checked::take;

StreamDetector::StreamDetector(Autoencoder& model, std::uint8_t readings_per_frame,
                               std::uint32_t seed)
    : model_(model),
      buffer_(samples_, {.feature_count = kFrames, .seed = mix_seed(seed, 3)}),
      window_(readings_, {.frames = kFrames, .stride = readings_per_frame}),
      observer_({.buffer = buffer_,
                 .policy = policy_,
                 .scaler = &scaler_,
                 .window = &window_,
                 .anomalies = &anomalies_,
                 .features = features_}),
      random_(mix_seed(seed, 4)) {}

std::optional<observe::Score> StreamDetector::push(std::int32_t reading) {
  const observe::Features features = take(observer_.take(std::span(&reading, 1), 0), "observer");
  if (features.empty()) return std::nullopt;
  const observe::Observation observation =
      take(observer_.settle(0, model_.loss_q16(features), 1, true), "observer");
  train();
  return observation.score;
}

void StreamDetector::train() {
  std::array<std::int16_t, kFrames> sample{};
  for (int step = 0; step < kStepsPerFrame; ++step) {
    const std::uint64_t draw = random_.next();
    std::uint16_t label = 0;
    if (buffer_.read(static_cast<std::uint32_t>((draw * buffer_.count()) >> 32U), sample, label) !=
        Status::kOk) {
      return;  // nothing is in the buffer yet
    }
    model_.train(sample);
  }
}

}  // namespace skep::anomaly
