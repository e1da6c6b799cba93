#include "layer_costs.h"

#include <cmath>

#include "skep/compress/compressor.h"
#include "skep/exchange/describe.h"
#include "skep/model/storage_layout.h"
#include "skep/seal/envelope.h"
#include "skep/wire/codec.h"

namespace skep::skepctl {
namespace {

/// Instructions per multiplication, in the order of kCores; those of pools per value that a window
/// sees. From docs/benchmarks.md: Dense is the whole of MLP 64-32-10 (section 10, 2,368
/// multiplications forward, 5,056 in a training step), the others are what one more such layer
/// costs on M3 and M4F, whose kernels M7 and M33 run as well (section 12).
struct Coefficients {
  LayerKind kind;
  std::array<double, kCores.size()> forward;
  std::array<double, kCores.size()> training;
};
constexpr std::array kCoefficients = {
    Coefficients{LayerKind::kDense,
                 {12962.0 / 2368, 6355.0 / 2368, 6303.0 / 2368, 6357.0 / 2368},
                 {43581.0 / 5056, 29148.0 / 5056, 28968.0 / 5056, 29152.0 / 5056}},
    Coefficients{LayerKind::kConv, {4.18, 1.39, 1.39, 1.39}, {5.11, 2.40, 2.40, 2.40}},
    Coefficients{LayerKind::kDepthwiseConv, {11.66, 5.91, 5.91, 5.91}, {11.61, 5.93, 5.93, 5.93}},
    Coefficients{LayerKind::kMaxPool, {10.0, 10.0, 10.0, 10.0}, {42.1, 42.1, 42.1, 42.1}},
    Coefficients{LayerKind::kAveragePool, {11.4, 11.4, 11.4, 11.4}, {45.6, 45.5, 45.5, 45.5}},
    Coefficients{LayerKind::kGlobalAveragePool, {6.5, 6.5, 6.5, 6.5}, {29.0, 29.0, 29.0, 29.0}},
};

Instructions estimate(const LayerCost& cost, bool training) {
  Instructions result{};
  const bool is_pool = cost.pooled_values != 0;
  // A pool has nothing to train, and works backward only for the layers before it.
  const bool backward = training && (!is_pool || cost.propagates);
  const std::uint64_t work = is_pool    ? cost.pooled_values
                             : training ? cost.training_macs
                                        : cost.forward_macs;
  for (const Coefficients& known : kCoefficients) {
    if (known.kind != cost.kind) continue;
    for (std::size_t core = 0; core < kCores.size(); ++core) {
      const double each = backward ? known.training[core] : known.forward[core];
      result[core] = static_cast<std::uint64_t>(std::llround(each * static_cast<double>(work)));
    }
  }
  return result;
}

/// Values that the windows of a pool see together; 0 for other layers.
std::uint64_t pooled_values_of(const learn::FusedLayer& layer) {
  if (layer.kind == LayerKind::kGlobalAveragePool) return layer.input.size();
  if (layer.kind != LayerKind::kMaxPool && layer.kind != LayerKind::kAveragePool) return 0;
  return layer.output.size() * layer.window.height * layer.window.width;
}

/// Walks beside the engine's planner and gives each layer what it counts for it.
class Counter {
 public:
  explicit Counter(const learn::Optimizer& optimizer) : optimizer_(optimizer) {}

  LayerCost count(const learn::FusedLayer& layer) {
    LayerCost cost;
    cost.index = layer.layer_index;
    cost.kind = layer.kind;
    cost.output = layer.output;
    cost.frozen = layer.weight_count != 0 && !layer.trainable;
    cost.parameter_count = layer.weight_count + layer.bias_count;
    const std::uint32_t parameters = 2 * layer.weight_count + 4 * layer.bias_count;
    cost.inference_bytes = parameters + (parameters == 0 ? 0 : 2);  // with the exponent
    const bool propagates = trained_;
    trained_ |= layer.trainable;
    cost.training_bytes = cost.inference_bytes + 2;  // and that of its input
    if (trained_) cost.training_bytes += 2 * static_cast<std::uint32_t>(layer.output.size());
    if (layer.trainable) cost.training_bytes += copies() * parameters;
    cost.pooled_values = pooled_values_of(layer);
    cost.propagates = propagates;
    cost.forward_macs = layer.macs();
    cost.training_macs = layer.macs() * (1U + (layer.trainable ? 1U : 0U) + (propagates ? 1U : 0U));
    return cost;
  }

 private:
  [[nodiscard]] std::uint32_t copies() const {
    return (optimizer_.momentum_q15 != 0 ? 1U : 0U) + (optimizer_.proximal_mu_q16 != 0 ? 1U : 0U);
  }

  const learn::Optimizer& optimizer_;
  bool trained_ = false;  // this layer or one before is trainable
};

void add(const Instructions& layer, Instructions& sum) {
  for (std::size_t core = 0; core < sum.size(); ++core) sum[core] += layer[core];
}

/// A row for each layer of the spec; those that compute come from `counted`.
std::vector<LayerCost> with_shapes(const ModelSpec& spec, const std::vector<LayerCost>& counted) {
  std::vector<LayerCost> rows;
  auto next = counted.begin();
  Shape shape = spec.input_shape();
  for (std::uint32_t i = 0; i < spec.layer_count; ++i) {
    shape = *output_shape(spec.layers[i], shape);
    LayerCost row;
    row.index = i;
    row.kind = spec.layers[i].kind;
    row.output = shape;
    row.forward.fill(0);
    row.training.fill(0);
    if (next != counted.end() && next->index == i) row = *next++;
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

ModelCosts costs_of(const ModelSpec& spec, const learn::Optimizer& optimizer) {
  ModelCosts costs{.plan = exchange::require_plan(spec, optimizer), .layers = {}};
  costs.shared_inference_bytes = costs.plan.inference_bytes;
  costs.shared_training_bytes = costs.plan.training_bytes;
  Counter counter(optimizer);
  std::vector<LayerCost> counted;
  for (const learn::FusedLayer& layer : learn::FusedLayers(spec)) {
    LayerCost cost = counter.count(layer);
    cost.forward = estimate(cost, false);
    cost.training = estimate(cost, true);
    add(cost.forward, costs.forward);
    add(cost.training, costs.training);
    costs.shared_inference_bytes -= cost.inference_bytes;
    costs.shared_training_bytes -= cost.training_bytes;
    counted.push_back(cost);
  }
  costs.layers = with_shapes(spec, counted);
  return costs;
}

DeviceNeeds needs_of(const ModelSpec& spec, const learn::MemoryPlan& plan) {
  constexpr std::uint32_t kAlignmentBytes = 4 * 8;
  constexpr FlashGeometry kFlash{
      .size_bytes = 1U << 30U, .erase_unit_bytes = 4096, .program_unit_bytes = 8};
  // Top-K of everything at 16 bits takes most: the engine, delta and residual, one sample, and the
  // sealed update. EDEN's scratch lies over the engine and has room in what these take.
  const compress::Options all =
      compress::options_for({CompressionMode::kTopK, 1000, 16}, plan.trainable_count, 0, Norm{1});
  const std::uint32_t update_bytes =
      seal::sealed_bytes_bound(compress::max_compressed_bytes(plan.trainable_count, all));
  const auto package_bytes = static_cast<std::uint32_t>(
      plan.weights_blob_bytes + wire::kMaxManifestBytes + wire::kSignatureBytes + 16);
  return {.ram_bytes = plan.training_bytes + 4 * plan.trainable_count + 2U * spec.inputs +
                       kAlignmentBytes + update_bytes,
          .flash_bytes = *model::layout_bytes(kFlash, package_bytes, update_bytes)};
}

}  // namespace skep::skepctl
