#include <optional>

#include "admin_client.h"
#include "commands.h"
#include "federation_directory.h"
#include "layer_costs.h"
#include "skep/exchange/describe.h"
#include "skep/release/export.h"
#include "skep/release/hold_out.h"
#include "skep/release/package.h"
#include "spec_text.h"
#include "text_table.h"

namespace skep::skepctl {
namespace {

namespace fs = std::filesystem;
using release::OpenedPackage;
using release::to_hex;

const char* to_string(store::Model::State state) {
  return state == store::Model::kReleased ? "released" : "rejected";
}

double mean_loss(const wire::EvaluationMetrics& evaluation) {
  return static_cast<double>(evaluation.mean_loss_q16) / 65536.0;
}

Json describe(const wire::EvaluationMetrics& evaluation, Loss loss) {
  Json json = {{"sample_count", evaluation.sample_count},
               {"correct_count", evaluation.correct_count},
               {"accuracy", nullptr},
               {"mean_loss", nullptr}};
  if (evaluation.sample_count == 0) return json;
  if (release::has_accuracy(loss)) {
    json["accuracy"] = static_cast<double>(evaluation.correct_count) /
                       static_cast<double>(evaluation.sample_count);
  }
  json["mean_loss"] = mean_loss(evaluation);
  return json;
}

std::string accuracy_text(const wire::EvaluationMetrics& evaluation, Loss loss) {
  if (!release::has_accuracy(loss)) return "-";
  return format_share(evaluation.correct_count, evaluation.sample_count);
}

/// What every command says about a package.
Json describe(const OpenedPackage& opened, Bytes package) {
  const wire::ModelManifest& manifest = opened.manifest;
  return {{"model_version", manifest.model_version},
          {"model_name", manifest.model_name},
          {"federation", to_hex(manifest.federation)},
          {"rolls_back_to", manifest.rolls_back_to},
          {"round", manifest.round},
          {"contributor_count", manifest.contributor_count},
          {"created_unix_s", manifest.created_unix_s},
          {"expires_unix_s", manifest.expires_unix_s},
          {"evaluation", describe(manifest.evaluation, opened.spec.loss)},
          {"weights_bytes", manifest.weights_bytes},
          {"weights_sha256", to_hex(manifest.weights_digest)},
          {"package_bytes", package.size()},
          {"package_sha256", to_hex(release::sha256(package))}};
}

std::string spec_text(const ModelSpec& spec) {
  const ModelCosts costs = costs_of(spec, {});
  TextTable table({"layer", "kind", "output", "parameters"});
  for (const LayerCost& layer : costs.layers) {
    table.add({std::to_string(layer.index), exchange::name_of(layer.kind),
               exchange::to_text(layer.output), std::to_string(layer.parameter_count)});
  }
  const learn::MemoryPlan& plan = costs.plan;
  return table.str() + "input             " + exchange::to_text(spec.input_shape()) +
         "\nloss              " + exchange::name_of(spec.loss) + "\nparameters        " +
         std::to_string(plan.parameter_count) + ", " + std::to_string(plan.trainable_count) +
         " of them trainable\nRAM to train      " + std::to_string(plan.training_bytes) +
         " bytes\nRAM to infer      " + std::to_string(plan.inference_bytes) + " bytes\n";
}

std::string evaluation_text(const wire::EvaluationMetrics& evaluation, Loss loss) {
  if (evaluation.sample_count == 0) return "not evaluated";
  char mean[32];
  std::snprintf(mean, sizeof mean, "%.4f", mean_loss(evaluation));
  const std::string right =
      release::has_accuracy(loss) ? accuracy_text(evaluation, loss) + " of " : "";
  return right + std::to_string(evaluation.sample_count) + " samples, mean loss " + mean;
}

std::string manifest_text(const OpenedPackage& opened, Bytes package) {
  const wire::ModelManifest& manifest = opened.manifest;
  const auto line = [](const std::string& key, const std::string& value) {
    return key + std::string(18 - key.size(), ' ') + value + "\n";
  };
  std::string text = line("model", std::string(manifest.model_name) + ", version " +
                                       std::to_string(manifest.model_version));
  text += line("federation", to_hex(manifest.federation));
  if (manifest.rolls_back_to != 0) {
    text += line("rolls back to", "version " + std::to_string(manifest.rolls_back_to));
  }
  text += line("round", manifest.round == 0 ? "-" : std::to_string(manifest.round));
  text += line("contributors", std::to_string(manifest.contributor_count));
  text += line("created", format_time(static_cast<std::int64_t>(manifest.created_unix_s)));
  if (manifest.expires_unix_s != 0) {
    text += line("expires", format_time(static_cast<std::int64_t>(manifest.expires_unix_s)));
  }
  text += line("evaluation", evaluation_text(manifest.evaluation, opened.spec.loss));
  text += line("weights", std::to_string(manifest.weights_bytes) + " bytes, SHA-256 " +
                              to_hex(manifest.weights_digest));
  text += line("package", std::to_string(package.size()) + " bytes, SHA-256 " +
                              to_hex(release::sha256(package)));
  return text;
}

store::Model require_model(store::Store& store, std::optional<std::uint32_t> version) {
  std::optional<store::Model> model = version ? store.model(*version) : store.released_model();
  if (!model) {
    throw CommandError(Status::kNotFound, version
                                              ? "there is no version " + std::to_string(*version)
                                              : "no model is released");
  }
  return std::move(*model);
}

}  // namespace

Answer model_list(const fs::path& directory) {
  const FederationDirectory federation(directory);
  const seal::VerifyingKey key = load_verifying_key(federation.paths().verifying_key());
  store::Store store = federation.open_store();
  const std::uint32_t served = require_model(store, std::nullopt).version;
  Answer answer{{{"models", Json::array()}}, ""};
  TextTable table({"version", "state", "round", "contributors", "accuracy", "mean loss",
                   "rolls back to", "weights", "created"});
  for (const store::Model& model : store.models()) {
    const OpenedPackage opened = release::open_package(model.package, key);
    const wire::ModelManifest& manifest = opened.manifest;
    const bool is_served = model.version == served;
    Json json = describe(opened, model.package);
    json["state"] = to_string(model.state);
    json["served"] = is_served;
    answer.json["models"].push_back(std::move(json));
    const wire::EvaluationMetrics& evaluation = manifest.evaluation;
    table.add(
        {std::to_string(model.version), is_served ? "released (served)" : to_string(model.state),
         manifest.round == 0 ? "-" : std::to_string(manifest.round),
         std::to_string(manifest.contributor_count), accuracy_text(evaluation, opened.spec.loss),
         evaluation.sample_count == 0 ? "-" : std::to_string(mean_loss(evaluation)),
         manifest.rolls_back_to == 0 ? "-" : std::to_string(manifest.rolls_back_to),
         to_hex(manifest.weights_digest).substr(0, 12),
         format_time(static_cast<std::int64_t>(manifest.created_unix_s))});
  }
  answer.text = table.str();
  return answer;
}

Answer model_show(const fs::path& directory, std::optional<std::uint32_t> version) {
  const FederationDirectory federation(directory);
  store::Store store = federation.open_store();
  const store::Model model = require_model(store, version);
  const OpenedPackage opened =
      release::open_package(model.package, load_verifying_key(federation.paths().verifying_key()));
  Answer answer{describe(opened, model.package), manifest_text(opened, model.package)};
  answer.json["state"] = to_string(model.state);
  answer.json["spec"] = describe(opened.spec);
  answer.text +=
      std::string("state             ") + to_string(model.state) + "\n\n" + spec_text(opened.spec);
  return answer;
}

Answer model_rollback(const fs::path& directory, std::uint32_t to_version) {
  const AdminClient skepd(FederationDirectory(directory).admin_socket());
  Answer answer;
  answer.json = skepd.post("/api/v1/model/rollback", Json{{"to_version", to_version}});
  answer.text = "skepd: " + answer.json.dump() + "\n";
  return answer;
}

Answer model_export(const fs::path& directory, std::optional<std::uint32_t> version,
                    const fs::path& out) {
  const FederationDirectory federation(directory);
  store::Store store = federation.open_store();
  const store::Model model = require_model(store, version);
  // First: an export that is not recorded is worse than a record of one that failed.
  store.append_audit({.unix_s = now_unix_s(),
                      .event = audit::Event::kModelExported,
                      .actor = local_operator(),
                      .subject = "version " + std::to_string(model.version),
                      .before = {},
                      .after = "to " + fs::absolute(out).string()});
  release::export_package(model.package, load_verifying_key(federation.paths().verifying_key()),
                          out);
  return {{{"model_version", model.version},
           {"directory", fs::absolute(out).string()},
           {"files", {"model.skep", "model.onnx", "metadata.json", "signature.bin"}},
           {"package_sha256", to_hex(release::sha256(model.package))}},
          "Version " + std::to_string(model.version) + " is in " + out.string() +
              ". Whoever verifies it needs " + federation.paths().verifying_key().string() +
              " by another way.\n"};
}

Answer model_verify(const fs::path& path, const fs::path& key) {
  const release::VerifiedExport verified = release::verify_export(
      path, load_verifying_key(key), static_cast<std::uint64_t>(now_unix_s()));
  Answer answer{describe(verified.opened, verified.package), ""};
  answer.json["verified"] = true;
  answer.json["checked"] = verified.is_folder ? "folder" : "package";
  answer.json["spec"] = describe(verified.opened.spec);
  answer.text = "Verified: " + path.string() + " is signed by the owner of " + key.string() +
                (verified.is_folder ? ", and its other files belong to it.\n" : ".\n") +
                manifest_text(verified.opened, verified.package);
  return answer;
}

Answer model_import(const fs::path& directory, const fs::path& path, const fs::path& key,
                    bool force) {
  const release::VerifiedExport verified = release::verify_export(
      path, load_verifying_key(key), static_cast<std::uint64_t>(now_unix_s()));
  return hand_over(FederationDirectory(directory).admin_socket(), verified.package, force);
}

Answer hand_over(const fs::path& admin_socket, Bytes package, bool force) {
  const AdminClient skepd(admin_socket);
  Answer answer;
  answer.json =
      skepd.post(std::string("/api/v1/model/import?force=") + (force ? "1" : "0"), package);
  answer.text = "skepd: " + answer.json.dump() + "\n";
  return answer;
}

}  // namespace skep::skepctl
