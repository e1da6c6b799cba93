// The operator's command: reads its arguments, runs one command, prints one answer.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "commands.h"
#include "skep/audit/error.h"
#include "skep/compression.h"
#include "skep/enrolment/error.h"
#include "skep/exchange/error.h"
#include "skep/pki/error.h"
#include "skep/release/error.h"
#include "skep/store/error.h"
#include "skep/store/store.h"

namespace skep::skepctl {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

/// What to do is known when parsing ends; it is done afterwards, so that what it throws does not
/// pass through the parser.
struct CommandLine {
  std::filesystem::path directory = ".";
  std::string format = "text";
  InitOptions init_options;
  DeviceAddOptions device_options;
  RevokeOptions revoke_options;
  CrlOptions crl_options;
  TokenOptions token_options;
  std::string name;
  std::filesystem::path path;
  std::filesystem::path key;
  std::optional<std::uint32_t> version;
  std::uint32_t to_version = 0;
  bool force = false;
  bool check = false;
  PlanOptions plan_options;
  OnnxOptions onnx_options;
  AuditListOptions audit_options;
  std::optional<std::uint32_t> seed;
  std::function<Answer()> command;
};

void run_when_chosen(CLI::App* app, CommandLine& line, std::function<Answer()> command) {
  app->callback([&line, command = std::move(command)] { line.command = command; });
}

void add_round_options(CLI::App* app, RoundOptions& round) {
  const char* const group = "Rounds (written to skepd.toml)";
  const auto add = [&](const char* name, auto& value, const char* help) {
    app->add_option(name, value, help)->group(group)->capture_default_str();
  };
  add("--quorum", round.quorum, "Updates that close a round");
  add("--deadline-s", round.deadline_s, "Seconds after which a round closes anyway, 0 = never");
  add("--minimum-updates", round.minimum_updates, "Fewer at the deadline: the round goes on");
  add("--max-rounds", round.max_rounds, "0 = no end");
  add("--learning-rate-mantissa", round.learning_rate_mantissa, "Rate = mantissa / 2^shift");
  add("--learning-rate-shift", round.learning_rate_shift, "0 to 30");
  add("--local-epochs", round.local_epochs, "Passes of a device over its samples");
  add("--max-local-steps", round.max_local_steps, "0 = no bound");
  add("--clip-norm", round.clip_norm, "L2 bound of an update");
  app->add_option("--compression", round.compression, "How an update is encoded")
      ->check(CLI::IsMember(kCompressionNames))
      ->group(group)
      ->capture_default_str();
  add("--keep-permille", round.keep_permille, "Part of the parameters that an update carries");
  add("--value-bits", round.value_bits, "Bits of each of them (top-k, random-k)");
  add("--momentum", round.momentum, "Of SGD, below 1; 0 = plain SGD");
  add("--proximal-mu", round.proximal_mu, "FedProx's mu; 0 = none");
}

/// A model folder, or a plain classifier in its short form.
void add_first_model_options(CLI::App* app, InitOptions& options) {
  CLI::Option* folder =
      app->add_option("--model", options.model, "Folder of `model new` or `model import`");
  const auto add = [&](const char* name, auto& value, const char* help) {
    return app->add_option(name, value, help)->excludes(folder);
  };
  CLI::Option* inputs = add("--inputs", options.inputs, "Features of a sample");
  CLI::Option* exponent =
      add("--input-exponent", options.input_exponent, "A feature is an integer times 2 to this");
  CLI::Option* layers =
      add("--layers", options.layers, "For example dense:32,relu,dense:10 (others: --model)");
  layers->needs(inputs, exponent);
  add("--seed", options.seed, "Of the first weights; random if absent");
}

void add_init(CLI::App& app, CommandLine& line) {
  CLI::App* init_app =
      app.add_subcommand("init", "Make a federation: keys, database, first model, skepd.toml");
  InitOptions& options = line.init_options;
  init_app->add_option("DIR", options.directory, "New or empty directory")->required();
  init_app
      ->add_option("--gateway-address", options.gateway_addresses,
                   "IP address of the gateway; repeat for more")
      ->allow_extra_args(false)
      ->capture_default_str();
  init_app->add_option("--gateway-name", options.gateway_names, "DNS name; repeat for more")
      ->allow_extra_args(false);
  init_app->add_option("--port", options.port, "UDP port")->capture_default_str();
  init_app->add_option("--model-name", options.model_name, "1 to 32 of [a-z0-9-]")
      ->capture_default_str();
  add_first_model_options(init_app, options);
  init_app->add_option("--holdout", options.holdout, "CSV on which candidates are evaluated");
  init_app
      ->add_option("--max-accuracy-drop-permille", options.max_accuracy_drop_permille,
                   "A candidate that is worse by more is not released")
      ->capture_default_str();
  init_app
      ->add_option("--step-bits", options.step_bits,
                   "Bits of each value of a release's step, 0 = exact")
      ->capture_default_str();
  init_app
      ->add_option("--patch-depth", options.patch_depth,
                   "Versions back from which devices get a patch")
      ->capture_default_str();
  init_app->add_flag("--enrolment", options.enrolment,
                     "Let skepd enrol devices that have a token (`token new`)");
  init_app
      ->add_option("--certificate-days", options.certificate_days,
                   "How long the certificates are valid that it gives them")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
  add_round_options(init_app, options.round);
  init_app->callback([&line] {
    if (line.init_options.model.empty() && line.init_options.layers.empty()) {
      throw CLI::RequiredError("--model, or --inputs, --input-exponent and --layers");
    }
    line.command = [&line] { return init(line.init_options); };
  });
}

void add_revocation(CLI::App* device, CommandLine& line) {
  CLI::App* revoke = device->add_subcommand("revoke", "Accept nothing from a device any more");
  RevokeOptions& options = line.revoke_options;
  revoke->add_option("NAME", options.name)->required();
  revoke
      ->add_option("--reason", options.reason,
                   "unspecified, keyCompromise, affiliationChanged, superseded, "
                   "cessationOfOperation or privilegeWithdrawn (RFC 5280)")
      ->required();
  revoke->add_option("--note", options.note, "For the record, at most 200 bytes");
  run_when_chosen(revoke, line,
                  [&line] { return device_revoke(line.directory, line.revoke_options); });

  CLI::App* crl = device->add_subcommand("crl", "Write the list of revoked certificates (DER)");
  crl->add_option("--out", line.crl_options.out, "File, replaced if it exists")->required();
  crl->add_option("--days", line.crl_options.days, "Until the next list must be there")
      ->check(CLI::Range(1, 365))
      ->capture_default_str();
  run_when_chosen(crl, line, [&line] { return device_crl(line.directory, line.crl_options); });

  CLI::App* forget = device->add_subcommand("forget", "Erase all that is stored of a device");
  forget->add_option("NAME", line.name)->required();
  run_when_chosen(forget, line, [&line] { return device_forget(line.directory, line.name); });
}

void add_device(CLI::App& app, CommandLine& line) {
  CLI::App* device = app.add_subcommand("device", "Who may take part");
  device->require_subcommand(1);

  CLI::App* add = device->add_subcommand("add", "Enrol a device; writes its credentials");
  DeviceAddOptions& options = line.device_options;
  add->add_option("NAME", options.name, "1 to 32 of [a-z0-9-]")->required();
  add->add_option("--out", options.out, "File for the credentials (DIR/devices/NAME.cred)");
  add->add_option("--gateway-address", options.gateway_address,
                  "One of the addresses in gateway.crt (the first)");
  add->add_option("--port", options.port, "Where the device finds the gateway (skepd.toml's)");
  run_when_chosen(add, line, [&line] { return device_add(line.directory, line.device_options); });

  CLI::App* list = device->add_subcommand("list", "All devices");
  run_when_chosen(list, line, [&line] { return device_list(line.directory); });

  CLI::App* status = device->add_subcommand("status", "All that is known of one device");
  status->add_option("NAME", line.name)->required();
  run_when_chosen(status, line, [&line] { return device_status(line.directory, line.name); });
  add_revocation(device, line);
}

void add_token(CLI::App& app, CommandLine& line) {
  CLI::App* token = app.add_subcommand("token", "What devices enrol themselves with");
  token->require_subcommand(1);

  CLI::App* make = token->add_subcommand("new", "Make a token; its secret is shown this once");
  TokenOptions& options = line.token_options;
  CLI::Option_group* whom = make->add_option_group("whom");
  whom->add_option("--device", options.device, "The one name that it is for");
  whom->add_option("--batch", options.batch, "So many devices, with names that are new")
      ->check(CLI::Range(1U, store::kMaxTokenUses));
  whom->require_option(1);
  make->add_option("--expires", options.expires, "From now: a number and s, m, h or d")
      ->capture_default_str();
  run_when_chosen(make, line, [&line] { return token_new(line.directory, line.token_options); });

  CLI::App* list = token->add_subcommand("list", "All tokens, without their secrets");
  run_when_chosen(list, line, [&line] { return token_list(line.directory); });

  CLI::App* revoke = token->add_subcommand("revoke", "Let nobody enrol with a token any more");
  revoke->add_option("ID", line.name)->required();
  run_when_chosen(revoke, line, [&line] { return token_revoke(line.directory, line.name); });
}

void add_round(CLI::App& app, CommandLine& line) {
  CLI::App* round = app.add_subcommand("round", "What is being learned (asks skepd)");
  round->require_subcommand(1);

  CLI::App* status = round->add_subcommand("status", "The open round and those before");
  run_when_chosen(status, line, [&line] { return round_status(line.directory); });

  CLI::App* aggregate = round->add_subcommand("aggregate", "Close the round now, below quorum too");
  aggregate->add_flag("--force", line.force, "Release even what evaluates worse");
  run_when_chosen(aggregate, line, [&line] { return round_aggregate(line.directory, line.force); });
}

/// Two kinds of file come by this way: a signed export goes to skepd, an ONNX model into a folder.
void add_model_import(CLI::App* model, CommandLine& line) {
  CLI::App* import = model->add_subcommand(
      "import", "A signed export: verify, then let skepd adopt it. An .onnx: make a model folder");
  import->add_option("PATH", line.path, "Exported folder, model.skep, or a file ending in .onnx")
      ->required();
  const char* const signed_group = "Signed export";
  CLI::Option* key = import->add_option("--key", line.key, "signing.pub of where it comes from")
                         ->group(signed_group);
  CLI::Option* force =
      import->add_flag("--force", line.force, "Release it even if it evaluates worse")
          ->group(signed_group);
  const char* const onnx_group = "ONNX";
  OnnxOptions& options = line.onnx_options;
  CLI::Option* exponent = import
                              ->add_option("--input-exponent", options.input_exponent,
                                           "A feature is an integer times 2 to this")
                              ->group(onnx_group);
  const std::vector<CLI::Option*> others = {
      import->add_option("--out", options.out, "New folder (the file's name without .onnx)")
          ->group(onnx_group),
      import
          ->add_option("--loss", options.loss,
                       "softmax_cross_entropy, mean_squared_error or binary_cross_entropy "
                       "(as the model ends)")
          ->group(onnx_group),
      import
          ->add_option("--freeze", options.frozen_layers, "First layers that training leaves alone")
          ->group(onnx_group)};
  import->callback([&line, key, force, exponent, others] {
    const bool is_onnx = line.path.extension() == ".onnx";
  bool has_onnx_option = exponent->count() != 0;
  for (const CLI::Option* option : others) has_onnx_option |= option->count() != 0;
  if (is_onnx && (key->count() != 0 || force->count() != 0 || exponent->count() == 0)) {
    throw CLI::ValidationError("import",
                               "an ONNX model needs --input-exponent, and neither "
                               "--key nor --force");
  }
  if (!is_onnx && (key->count() == 0 || has_onnx_option)) {
    throw CLI::ValidationError("import",
                               "a signed export needs --key, and has no options but "
                               "--force (an ONNX model's name ends in .onnx)");
  }
  line.command = [&line, is_onnx] {
    return is_onnx ? model_import_onnx(line.path, line.onnx_options)
                   : model_import(line.directory, line.path, line.key, line.force);
  };
});
}  // namespace

void add_model_transfer(CLI::App* model, CommandLine& line) {
  CLI::App* to_folder = model->add_subcommand("export", "Write a version into a new folder");
  to_folder->add_option("--version", line.version, "Default: the one that is served");
  to_folder->add_option("--out", line.path, "New folder")->required();
  run_when_chosen(to_folder, line,
                  [&line] { return model_export(line.directory, line.version, line.path); });

  CLI::App* verify =
      model->add_subcommand("verify", "Check an export; needs no network and no federation");
  verify->add_option("PATH", line.path, "Exported folder, or model.skep")->required();
  verify->add_option("--key", line.key, "The federation's signing.pub")->required();
  run_when_chosen(verify, line, [&line] { return model_verify(line.path, line.key); });

  add_model_import(model, line);
}

/// Models that are not in a federation yet.
void add_model_making(CLI::App* model, CommandLine& line) {
  CLI::App* plan = model->add_subcommand("plan", "What a model costs on a device, layer by layer");
  PlanOptions& options = line.plan_options;
  plan->add_option("SPEC", options.spec, "ModelSpec as text, or a model folder")->required();
  CLI::Option* board = plan->add_option("--board", options.board, "One of boards/ (all)");
  CLI::Option* ram =
      plan->add_option("--ram", options.ram_bytes, "Bytes that a model may use")->excludes(board);
  plan->add_option("--flash", options.flash_bytes, "Bytes for two slots, log and update")
      ->needs(ram);
  plan->add_option("--optimizer", options.optimizers, "sgd, momentum, fedprox; repeat for more")
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"sgd", "momentum", "fedprox"}));
  run_when_chosen(plan, line, [&line] { return model_plan(line.plan_options); });

  CLI::App* make = model->add_subcommand("new", "A model folder with random weights");
  make->add_option("SPEC", line.path, "ModelSpec as text")->required();
  make->add_option("--out", line.onnx_options.out, "New folder")->required();
  make->add_option("--seed", line.seed, "Of the weights; random if absent");
  run_when_chosen(make, line,
                  [&line] { return model_new(line.path, line.seed, line.onnx_options.out); });

  CLI::App* release =
      model->add_subcommand("release", "Let skepd adopt a model folder as the next version");
  release->add_option("FOLDER", line.path, "Folder of `model new` or `model import`")->required();
  release->add_flag("--force", line.force, "Release it even if it evaluates worse");
  run_when_chosen(release, line,
                  [&line] { return model_release(line.directory, line.path, line.force); });
}

void add_model(CLI::App& app, CommandLine& line) {
  CLI::App* model = app.add_subcommand("model", "What has been learned");
  model->require_subcommand(1);

  CLI::App* list = model->add_subcommand("list", "All versions");
  run_when_chosen(list, line, [&line] { return model_list(line.directory); });

  CLI::App* show = model->add_subcommand("show", "One version in full");
  show->add_option("VERSION", line.version, "Default: the one that is served");
  run_when_chosen(show, line, [&line] { return model_show(line.directory, line.version); });

  CLI::App* rollback =
      model->add_subcommand("rollback", "Publish an old content as a new version (asks skepd)");
  rollback->add_option("--to", line.to_version, "Version whose content to repeat")->required();
  run_when_chosen(rollback, line,
                  [&line] { return model_rollback(line.directory, line.to_version); });

  add_model_transfer(model, line);
  add_model_making(model, line);
}

void add_audit(CLI::App& app, CommandLine& line) {
  CLI::App* audit =
      app.add_subcommand("audit", "Who did what, and whether the record of it is whole");
  audit->require_subcommand(1);

  CLI::App* list = audit->add_subcommand("list", "The records");
  list->add_option("--since", line.audit_options.since,
                   "2024-05-01, 2024-05-01T12:30:00Z (UTC), or seconds since 1970");
  list->add_option("--limit", line.audit_options.limit, "The newest ones")->capture_default_str();
  run_when_chosen(list, line, [&line] { return audit_list(line.directory, line.audit_options); });

  CLI::App* head = audit->add_subcommand("head", "The log's signed head, to be kept elsewhere");
  run_when_chosen(head, line, [&line] { return audit_head(line.directory); });

  CLI::App* verify = audit->add_subcommand("verify", "Find what was edited, removed or moved");
  verify->add_option("--head", line.path, "File with a head that was kept elsewhere");
  run_when_chosen(verify, line, [&line] { return audit_verify(line.directory, line.path); });
}

void add_keys(CLI::App& app, CommandLine& line) {
  CLI::App* keys = app.add_subcommand("keys", "The federation's private keys");
  keys->require_subcommand(1);
  CLI::App* encrypt = keys->add_subcommand("encrypt", "Encrypt them, or under another passphrase");
  encrypt->add_option("--passphrase-file", line.path, "File of mode 0600")->required();
  run_when_chosen(encrypt, line, [&line] { return keys_encrypt(line.directory, line.path); });
}

void add_backup(CLI::App& app, CommandLine& line) {
  CLI::App* backup = app.add_subcommand("backup", "Copy the database while skepd runs (asks it)");
  backup->add_option("FILE", line.path, "New file")->required();
  backup->add_flag("--check", line.check, "Copy nothing: is FILE a whole backup of ours?");
  run_when_chosen(backup, line, [&line] {
    return line.check ? backup_check(line.directory, line.path)
                      : back_up(line.directory, line.path);
  });

  CLI::App* restore =
      app.add_subcommand("restore", "Make the database of a backup (skepd stopped)");
  restore->add_option("FILE", line.path, "Of `skepctl backup`")->required();
  run_when_chosen(restore, line, [&line] { return skepctl::restore(line.directory, line.path); });
}

void build(CLI::App& app, CommandLine& line) {
  app.require_subcommand(1);
  app.add_option("--dir", line.directory, "The federation's directory")
      ->envname("SKEP_DIR")
      ->capture_default_str();
  app.add_option("--format", line.format, "json: one document on stdout")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.fallthrough();  // --dir and --format may stand anywhere.
  add_init(app, line);
  add_device(app, line);
  add_token(app, line);
  add_round(app, line);
  add_model(app, line);
  add_audit(app, line);
  add_backup(app, line);
  add_keys(app, line);
}

/// Known before parsing, so that a usage error is JSON too.
bool wants_json(const std::vector<std::string>& arguments) {
  const auto end = arguments.end();
  if (std::find(arguments.begin(), end, "--format=json") != end) return true;
  const auto option = std::find(arguments.begin(), end, "--format");
  return option != end && option + 1 != end && *(option + 1) == "json";
}

int report_error(bool json, const std::string& code, const std::string& detail, int exit_code) {
  if (json) {
    const Json document = {{"error", {{"code", code}, {"detail", detail}}}};
    // Names and paths come from the operator and may be no UTF-8.
    std::cout << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    std::cerr << "skepctl: error: " << detail << " [" << code << "]\n";
  }
  return exit_code;
}

int run_command(const CommandLine& line, bool json) {
  const auto failed = [&](const std::string& code, const std::string& detail) {
    return report_error(json, code, detail, kExitFailed);
  };
  const auto name_of = [](Status status) { return std::string("k") + to_string(status); };
  try {
    const Answer answer = line.command();
    if (json) {
      std::cout << answer.json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    } else {
      std::cout << answer.text;
    }
    std::cout.flush();
    return std::cout ? EXIT_SUCCESS : kExitFailed;
  } catch (const CommandError& error) {
    return failed(error.code(), error.what());
  } catch (const release::ReleaseError& error) {
    return failed(name_of(error.status()), error.what());
  } catch (const exchange::ExchangeError& error) {
    return failed(name_of(error.status()), error.what());
  } catch (const audit::AuditError& error) {
    return failed(name_of(error.status()), error.what());
  } catch (const enrolment::EnrolmentError& error) {
    return failed(name_of(error.status()), error.what());
  } catch (const store::StoreError& error) {
    return failed(name_of(error.status()), error.what());
  } catch (const pki::PkiError& error) {
    return failed("kInvalidArgument", error.what());
  } catch (const std::exception& error) {
    return failed("kInternal", error.what());
  }
}

int main_of(std::vector<std::string> arguments) {
  const bool json = wants_json(arguments);
  CLI::App app("The operator's command of Skep.", "skepctl");
  CommandLine line;
  build(app, line);
  try {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back.
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return report_error(json, "kInvalidArgument", std::string(error.what()) + " (see --help)",
                        kExitUsage);
  }
  return run_command(line, json);
}

}  // namespace skep::skepctl
}  // namespace skep::skepctl

int main(int argc, char** argv) {
  return skep::skepctl::main_of(std::vector<std::string>(argv + 1, argv + argc));
}
