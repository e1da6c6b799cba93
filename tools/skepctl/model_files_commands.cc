// Models that no federation has signed yet: made, imported, released.
#include <random>

#include "admin_client.h"
#include "commands.h"
#include "federation_directory.h"
#include "model_folder.h"
#include "skep/exchange/describe.h"
#include "skep/exchange/model_text.h"
#include "skep/exchange/onnx_import.h"
#include "skep/pki/files.h"
#include "skep/release/initial_model.h"
#include "skep/release/package.h"
#include "spec_text.h"

namespace skep::skepctl {
namespace {

namespace fs = std::filesystem;

Answer describe_saved(const exchange::Model& model, const fs::path& directory) {
  Answer answer;
  answer.json = {{"directory", fs::absolute(directory).string()},
                 {"weights_sha256", release::to_hex(release::sha256(model.weights))}};
  answer.json.update(describe(model.spec));
  answer.text = "Model in " + directory.string() + ": " + summarize(model.spec) +
                "\nNext: `skepctl model plan " + directory.string() +
                "`, then `skepctl init --model` or `skepctl model release`.\n";
  return answer;
}

std::optional<Loss> loss_of(const std::string& name) {
  for (const Loss loss :
       {Loss::kSoftmaxCrossEntropy, Loss::kMeanSquaredError, Loss::kBinaryCrossEntropy}) {
    if (name == exchange::name_of(loss)) return loss;
  }
  if (name.empty()) return std::nullopt;
  throw CommandError(Status::kInvalidArgument,
                     "there is no loss '" + name +
                         "': expected softmax_cross_entropy, mean_squared_error or "
                         "binary_cross_entropy");
}

}  // namespace

Answer model_new(const fs::path& spec_file, std::optional<std::uint32_t> seed,
                 const fs::path& out) {
  const std::uint32_t used = seed ? *seed : std::random_device{}();
  exchange::Model model{load_spec(spec_file), {}};
  model.weights = release::initial_weights(model.spec, used);
  save_model(model, out);
  Answer answer = describe_saved(model, out);
  answer.json["seed"] = used;
  return answer;
}

Answer model_import_onnx(const fs::path& file, const OnnxOptions& options) {
  const exchange::ImportOptions how{.input_exponent = options.input_exponent,
                                    .loss = loss_of(options.loss),
                                    .frozen_layers = options.frozen_layers};
  const std::vector<std::uint8_t> bytes = pki::read_file(file, exchange::kMaxOnnxBytes);
  const exchange::Model model = [&] {
    try {
      return exchange::import_onnx(bytes, how);
    } catch (const exchange::ExchangeError& error) {
      throw exchange::ExchangeError(error.status(), file.string() + ": " + error.what());
    }
  }();
  const fs::path out = options.out.empty() ? file.stem() : options.out;
  save_model(model, out);
  return describe_saved(model, out);
}

Answer model_release(const fs::path& directory, const fs::path& folder, bool force) {
  const FederationDirectory federation(directory);
  const exchange::Model model = load_model(folder);
  release::ManifestFields fields;
  {
    const store::Store store = federation.open_store();
    fields.federation = store.federation();
    fields.model_name = store.model_name();
  }
  // Only carries the model to skepd, which gives it the next version and signs that.
  fields.model_version = 1;
  fields.spec = model.spec;
  fields.created_unix_s = static_cast<std::uint64_t>(now_unix_s());
  const std::vector<std::uint8_t> package =
      release::build_package(fields, model.weights, load_signing_key(federation.with_passphrase()));
  return hand_over(federation.admin_socket(), package, force);
}

}  // namespace skep::skepctl
