#include "skep/observe/training_policy.h"

namespace skep::observe {

TrainingPolicy::TrainingPolicy(const TrainingOptions& options, const DriftOptions& drift,
                               EnergySource* energy)
    : options_(options), drift_(drift), energy_(energy) {}

void TrainingPolicy::on_sample() {
  if (new_samples_ != UINT32_MAX) ++new_samples_;
}

void TrainingPolicy::on_loss(std::uint32_t loss_q16, std::uint32_t model_version) {
  if (model_version != model_version_) drift_.restart();
  model_version_ = model_version;
  drift_.add(loss_q16);
}

void TrainingPolicy::on_trained() {
  was_trained_ = true;
  new_samples_ = 0;
  drift_.restart();
}

bool TrainingPolicy::takes_part(std::uint32_t samples_in_buffer) const {
  return samples_in_buffer != 0 && samples_in_buffer >= options_.least_samples &&
         has_enough_new() && has_energy();
}

bool TrainingPolicy::has_enough_new() const {
  return !was_trained_ || new_samples_ >= options_.enough_new_samples ||
         (has_drifted() && new_samples_ >= options_.drift_new_samples);
}

bool TrainingPolicy::has_energy() const {
  if (energy_ == nullptr) return true;
  const EnergyState state = energy_->energy();
  const std::uint8_t least =
      has_drifted() ? options_.least_battery_percent / 2 : options_.least_battery_percent;
  const bool is_charged = state.on_mains || state.battery_percent >= least;
  return is_charged && (state.radio_is_cheap || has_drifted() || !options_.waits_for_cheap_radio);
}

}  // namespace skep::observe
