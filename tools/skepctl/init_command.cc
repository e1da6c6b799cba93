#include <random>

#include "commands.h"
#include "config_text.h"
#include "federation_directory.h"
#include "model_folder.h"
#include "skep/pki/files.h"
#include "skep/release/hold_out.h"
#include "skep/release/initial_model.h"
#include "skep/release/package.h"
#include "skep/release/step.h"
#include "spec_text.h"

namespace skep::skepctl {
namespace {

namespace fs = std::filesystem;

void require_round_options(const RoundOptions& round) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw CommandError(Status::kInvalidArgument, what);
  };
  require(round.quorum >= 1, "--quorum is at least 1");
  require(round.minimum_updates >= 1, "--minimum-updates is at least 1");
  require(round.learning_rate_mantissa >= 1 && round.learning_rate_mantissa <= 32767,
          "--learning-rate-mantissa is 1 to 32767");
  require(round.learning_rate_shift <= 30, "--learning-rate-shift is 0 to 30");
  require(round.local_epochs >= 1 && round.local_epochs <= 1000, "--local-epochs is 1 to 1000");
  // Stored as Q16.16, at least one unit of it.
  require(round.clip_norm >= 1.0 / 65536 && round.clip_norm < 65536,
          "--clip-norm is above 0 and below 65536");
  require(round.keep_permille >= 1 && round.keep_permille <= 1000, "--keep-permille is 1 to 1000");
  require(round.value_bits >= 2 && round.value_bits <= 16, "--value-bits is 2 to 16");
  // Stored as Q0.15 and Q16.16.
  require(round.momentum >= 0 && round.momentum <= 32767 / 32768.0,
          "--momentum is 0 to below 1 (32767/32768)");
  require(round.proximal_mu >= 0 && round.proximal_mu <= 16, "--proximal-mu is 0 to 16");
}

void require_release_options(const InitOptions& options) {
  const bool is_exact = options.step_bits == 0;
  if (!is_exact &&
      (options.step_bits < release::kMinStepBits || options.step_bits > release::kMaxStepBits)) {
    throw CommandError(Status::kInvalidArgument, "--step-bits is 0, or 2 to 16");
  }
  if (options.patch_depth > 16) {
    throw CommandError(Status::kInvalidArgument, "--patch-depth is 0 to 16");
  }
}

/// Empties the directory again if init does not succeed: all that is in it is init's.
class DirectoryInMaking {
 public:
  explicit DirectoryInMaking(const fs::path& path) : path_(path), existed_(fs::exists(path)) {
    pki::create_private_directory(path);
  }
  DirectoryInMaking(const DirectoryInMaking&) = delete;
  DirectoryInMaking& operator=(const DirectoryInMaking&) = delete;
  ~DirectoryInMaking() {
    if (complete_) return;
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(path_, ignored)) {
      fs::remove_all(entry.path(), ignored);
    }
    if (!existed_) fs::remove(path_, ignored);
  }
  void keep() { complete_ = true; }

 private:
  const fs::path& path_;
  bool existed_;
  bool complete_ = false;
};

wire::EvaluationMetrics evaluate(const std::string& holdout, const ModelSpec& spec, Bytes weights) {
  if (holdout.empty()) return {};
  return release::evaluate(spec, weights, release::load_hold_out(holdout, spec));
}

/// What version 1 is: a folder's model, or random weights.
struct FirstModel {
  exchange::Model model;
  std::optional<std::uint32_t> seed;
};

FirstModel choose_model(const InitOptions& options) {
  if (!options.model.empty()) return {load_model(options.model), std::nullopt};
  FirstModel first;
  first.model.spec = parse_spec(options.inputs, options.input_exponent, options.layers);
  first.seed = options.seed ? *options.seed : std::random_device{}();
  first.model.weights = release::initial_weights(first.model.spec, *first.seed);
  return first;
}

store::Model first_model(const InitOptions& options, const exchange::Model& content,
                         const pki::FederationPaths& paths, const pki::FederationId& id) {
  release::ManifestFields fields;
  fields.federation = id;
  fields.model_name = options.model_name;
  fields.model_version = 1;
  fields.spec = content.spec;
  fields.evaluation = evaluate(options.holdout, content.spec, content.weights);
  fields.created_unix_s = static_cast<std::uint64_t>(now_unix_s());
  store::Model model;
  model.version = 1;
  model.package = release::build_package(fields, content.weights, load_signing_key(paths));
  return model;
}

void write_config(const InitOptions& options, const fs::path& path) {
  const std::string holdout = options.holdout.empty() ? "" : fs::absolute(options.holdout).string();
  const std::string text = config_text(options, holdout);
  pki::create_file(path, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()},
                   pki::Access::kSecret);
}

Answer describe(const InitOptions& options, const pki::FederationId& id, const FirstModel& first) {
  Answer answer;
  answer.json = {{"directory", fs::absolute(options.directory).string()},
                 {"federation", release::to_hex(id)},
                 {"model_name", options.model_name},
                 {"model_version", 1},
                 {"seed", first.seed ? Json(*first.seed) : Json(nullptr)},
                 {"gateway_address", options.gateway_addresses.front()},
                 {"port", options.port}};
  answer.json.update(skepctl::describe(first.model.spec));
  answer.text = "Federation " + release::to_hex(id) + " in " +
                fs::absolute(options.directory).string() + "\n  model   " + options.model_name +
                ", version 1: " + summarize(first.model.spec) +
                (first.seed ? " (seed " + std::to_string(*first.seed) + ")" : "") +
                "\nNext: `skepctl device add NAME`, then start skepd.\n";
  return answer;
}

}  // namespace

Answer init(const InitOptions& options) {
  require_round_options(options.round);
  require_release_options(options);
  const FirstModel first = choose_model(options);
  const pki::FederationPaths paths{options.directory};

  DirectoryInMaking directory(options.directory);
  const pki::FederationId id = pki::new_federation_id();
  pki::create_keys(paths, id, {options.gateway_addresses, options.gateway_names});
  pki::create_private_directory(paths.devices());
  {
    store::Store store = store::Store::create(paths.root / "skep.db", id, options.model_name);
    const store::Model model = first_model(options, first.model, paths, id);
    store::Transaction transaction(store);
    store.insert_model(model);
    store.append_audit({.unix_s = now_unix_s(),
                        .event = audit::Event::kModelReleased,
                        .actor = local_operator(),
                        .subject = "version 1",
                        .before = {},
                        .after = "package sha256 " +
                                 release::to_hex(release::sha256(model.package)) +
                                 "; the federation's first"});
    transaction.commit();
  }
  // Last, because a directory with a skepd.toml counts as complete.
  write_config(options, paths.config());
  directory.keep();
  return describe(options, id, first);
}

}  // namespace skep::skepctl
