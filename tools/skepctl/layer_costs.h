// What each layer of a model costs: parameters, RAM, multiplications, instructions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "skep/learn/layers.h"
#include "skep/learn/memory_plan.h"
#include "skep/model_spec.h"

namespace skep::skepctl {

/// The cores that the benchmark counts instructions on.
inline constexpr std::array kCores = {"cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33"};

/// Estimated, one a core; 0 for activations and Flatten.
using Instructions = std::array<std::uint64_t, kCores.size()>;

struct LayerCost {
  std::uint32_t index = 0;  ///< In ModelSpec::layers.
  LayerKind kind = LayerKind::kDense;
  Shape output{};
  bool frozen = false;                ///< Has parameters that training leaves alone.
  std::uint32_t parameter_count = 0;  ///< 0 without.
  std::uint32_t inference_bytes = 0;  ///< Of the engine's memory, what is this layer's alone.
  std::uint32_t training_bytes = 0;
  std::uint64_t forward_macs = 0;  ///< As MemoryPlan::forward_macs.
  std::uint64_t training_macs = 0;
  std::uint64_t pooled_values = 0;  ///< Of pools: values that all windows together see.
  bool propagates = false;          ///< Training wants the gradient by its inputs.
  Instructions forward{};
  Instructions training{};
};

struct ModelCosts {
  learn::MemoryPlan plan;  ///< The sums of parameters, bytes and MACs.
  std::vector<LayerCost> layers;
  std::uint32_t shared_inference_bytes = 0;  ///< Not one layer's: scratch, and what layers share.
  std::uint32_t shared_training_bytes = 0;
  Instructions forward{};  ///< Sums.
  Instructions training{};
};

/// Activations are computed with the layer before, and a Flatten costs nothing: both have only a
/// shape. Errors: ExchangeError as exchange::require_plan().
ModelCosts costs_of(const ModelSpec& spec, const learn::Optimizer& optimizer);

/// What a round of training takes on a device, whatever the plan's compression.
struct DeviceNeeds {
  std::uint32_t ram_bytes = 0;    ///< Never less than round::LocalRound::workspace_bytes().
  std::uint32_t flash_bytes = 0;  ///< Two slots, log and pending update; erase units of 4 KiB.
};

/// Requires the plan of `spec`.
DeviceNeeds needs_of(const ModelSpec& spec, const learn::MemoryPlan& plan);

}  // namespace skep::skepctl
