// What a model costs on a device, and whether it fits one.
#include <algorithm>
#include <string_view>

#include "board_budgets.h"
#include "commands.h"
#include "layer_costs.h"
#include "model_folder.h"
#include "skep/exchange/describe.h"
#include "text_table.h"

namespace skep::skepctl {
namespace {

/// RAM of the firmware besides a model's: the images of docs/benchmarks.md, section 7, without
/// their workspace of 18,432 bytes.
std::uint32_t firmware_ram_bytes(std::string_view board) {
  return board == "nrf52840_dk" ? 66968 - 18432 : 64868 - 18432;
}

/// What a model may use of a device.
struct Room {
  std::string name;
  std::uint32_t ram_bytes = 0;
  std::optional<std::uint32_t> flash_bytes;  ///< Of models and updates; none: not asked.
};

/// Without a board or numbers: all boards of this build.
std::vector<Room> rooms_of(const PlanOptions& options) {
  std::vector<Room> rooms;
  if (options.ram_bytes) {
    rooms.push_back({"--ram", *options.ram_bytes, options.flash_bytes});
    return rooms;
  }
  std::string names;
  for (const BoardBudget& board : kBoardBudgets) {
    names += (names.empty() ? "" : ", ") + std::string(board.name);
    if (!options.board.empty() && options.board != board.name) continue;
    rooms.push_back(
        {board.name, board.ram_bytes - firmware_ram_bytes(board.name), options.flash_bytes});
  }
  if (rooms.empty()) {
    throw CommandError(Status::kNotFound, "there is no board '" + options.board +
                                              "': expected one of " + names +
                                              ", or --ram and --flash");
  }
  return rooms;
}

learn::Optimizer optimizer_of(const std::vector<std::string>& names) {
  const auto has = [&names](const char* name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  // Any value but 0: it decides what is stored, not how much.
  return {.momentum_q15 = static_cast<std::uint16_t>(has("momentum") ? 1 : 0),
          .proximal_mu_q16 = has("fedprox") ? 1U : 0U};
}

bool fits(const DeviceNeeds& needs, const Room& room) {
  return needs.ram_bytes <= room.ram_bytes &&
         (!room.flash_bytes || needs.flash_bytes <= *room.flash_bytes);
}

Json describe(const Instructions& instructions) {
  Json json = Json::object();
  for (std::size_t core = 0; core < kCores.size(); ++core) {
    json[kCores[core]] = instructions[core];
  }
  return json;
}

Json describe(const LayerCost& layer) {
  return {{"layer", layer.index},
          {"kind", exchange::name_of(layer.kind)},
          {"output", {layer.output.height, layer.output.width, layer.output.channels}},
          {"frozen", layer.frozen},
          {"parameter_count", layer.parameter_count},
          {"inference_bytes", layer.inference_bytes},
          {"training_bytes", layer.training_bytes},
          {"forward_macs", layer.forward_macs},
          {"training_macs", layer.training_macs},
          {"forward_instructions", describe(layer.forward)},
          {"training_instructions", describe(layer.training)}};
}

Json describe(const DeviceNeeds& needs, const std::vector<Room>& rooms) {
  Json boards = Json::array();
  for (const Room& room : rooms) {
    boards.push_back({{"name", room.name},
                      {"ram_bytes", room.ram_bytes},
                      {"flash_bytes", room.flash_bytes ? Json(*room.flash_bytes) : Json(nullptr)},
                      {"fits", fits(needs, room)}});
  }
  return {{"ram_bytes", needs.ram_bytes}, {"flash_bytes", needs.flash_bytes}, {"boards", boards}};
}

std::string layer_table(const ModelCosts& costs) {
  TextTable table({"layer", "kind", "output", "parameters", "RAM infer", "RAM train", "MACs",
                   "MACs train", "M3", "M3 train", "M4", "M4 train", "M33", "M33 train"});
  constexpr std::array<std::size_t, 3> kShown = {0, 1, 3};  // an M7 counts as an M4 does
  const auto add = [&](std::vector<std::string> cells, const Instructions& forward,
                       const Instructions& training) {
    for (const std::size_t core : kShown) {
      cells.push_back(std::to_string(forward[core]));
      cells.push_back(std::to_string(training[core]));
    }
    table.add(std::move(cells));
  };
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  for (const LayerCost& layer : costs.layers) {
    add({number(layer.index),
         std::string(exchange::name_of(layer.kind)) + (layer.frozen ? " (frozen)" : ""),
         exchange::to_text(layer.output), number(layer.parameter_count),
         number(layer.inference_bytes), number(layer.training_bytes), number(layer.forward_macs),
         number(layer.training_macs)},
        layer.forward, layer.training);
  }
  Instructions none;
  none.fill(0);
  add({"-", "shared", "-", "0", number(costs.shared_inference_bytes),
       number(costs.shared_training_bytes), "0", "0"},
      none, none);
  const learn::MemoryPlan& plan = costs.plan;
  add({"-", "sum", "-", number(plan.parameter_count), number(plan.inference_bytes),
       number(plan.training_bytes), number(plan.forward_macs), number(plan.training_macs)},
      costs.forward, costs.training);
  return table.str();
}

std::string verdict(const DeviceNeeds& needs, const std::vector<Room>& rooms) {
  std::string text = "A round takes at most " + std::to_string(needs.ram_bytes) +
                     " bytes of RAM, storage " + std::to_string(needs.flash_bytes) +
                     " bytes of flash.\n";
  for (const Room& room : rooms) {
    text += room.name + ": " + (fits(needs, room) ? "fits" : "does not fit") + " (" +
            std::to_string(room.ram_bytes) + " bytes of RAM for a model";
    if (room.flash_bytes) text += ", " + std::to_string(*room.flash_bytes) + " of flash";
    text += ")\n";
  }
  return text;
}

}  // namespace

Answer model_plan(const PlanOptions& options) {
  const ModelSpec spec = load_spec(options.spec);
  const ModelCosts costs = costs_of(spec, optimizer_of(options.optimizers));
  const DeviceNeeds needs = needs_of(spec, costs.plan);
  const std::vector<Room> rooms = rooms_of(options);
  Answer answer;
  const Shape input = spec.input_shape();
  answer.json = {{"input", {input.height, input.width, input.channels}},
                 {"loss", exchange::name_of(spec.loss)},
                 {"parameter_count", costs.plan.parameter_count},
                 {"trainable_count", costs.plan.trainable_count},
                 {"weights_bytes", costs.plan.weights_blob_bytes},
                 {"inference_bytes", costs.plan.inference_bytes},
                 {"training_bytes", costs.plan.training_bytes},
                 {"shared_inference_bytes", costs.shared_inference_bytes},
                 {"shared_training_bytes", costs.shared_training_bytes},
                 {"forward_macs", costs.plan.forward_macs},
                 {"training_macs", costs.plan.training_macs},
                 {"forward_instructions", describe(costs.forward)},
                 {"training_instructions", describe(costs.training)},
                 {"layers", Json::array()},
                 {"device", describe(needs, rooms)}};
  for (const LayerCost& layer : costs.layers) answer.json["layers"].push_back(describe(layer));
  answer.text = "input " + exchange::to_text(input) + ", loss " + exchange::name_of(spec.loss) +
                "; RAM in bytes, M3 to M33: estimated instructions of a Cortex-M\n\n" +
                layer_table(costs) + "\n" + verdict(needs, rooms);
  return answer;
}

}  // namespace skep::skepctl
