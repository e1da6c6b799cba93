// Every command of skepctl. Each throws what its libraries throw; main() makes one error of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "answer.h"
#include "skep/bytes.h"

namespace skep::skepctl {

/// What `skepctl init` writes into skepd.toml's [round], with its defaults.
struct RoundOptions {
  std::uint32_t quorum = 20;
  std::uint32_t deadline_s = 600;
  std::uint32_t minimum_updates = 1;
  std::uint32_t max_rounds = 0;
  std::uint32_t learning_rate_mantissa = 1638;
  std::uint32_t learning_rate_shift = 15;
  std::uint32_t local_epochs = 5;
  std::uint32_t max_local_steps = 0;
  double clip_norm = 8.0;
  std::string compression = "top-k";  ///< One of kCompressionNames.
  std::uint32_t keep_permille = 100;
  std::uint32_t value_bits = 16;
  double momentum = 0;
  double proximal_mu = 0;
};

struct InitOptions {
  std::filesystem::path directory;
  std::vector<std::string> gateway_addresses = {"127.0.0.1"};
  std::vector<std::string> gateway_names;
  std::uint16_t port = 5684;
  std::string model_name = "model";
  std::filesystem::path model;  ///< Folder of `model new` or `model import`; empty: the next three.
  std::uint32_t inputs = 0;
  int input_exponent = 0;
  std::string layers;
  std::optional<std::uint32_t> seed;  ///< Random if absent.
  RoundOptions round;
  std::string holdout;  ///< CSV, or empty.
  std::uint32_t max_accuracy_drop_permille = 20;
  std::uint32_t step_bits = 5;
  std::uint32_t patch_depth = 8;
  bool enrolment = false;
  std::uint32_t certificate_days = 30;
};

Answer init(const InitOptions& options);

struct DeviceAddOptions {
  std::string name;
  std::filesystem::path out;    ///< Empty: devices/NAME.cred in the directory.
  std::string gateway_address;  ///< Empty: the first in the gateway's certificate.
  std::uint16_t port = 0;       ///< 0: the one in skepd.toml.
};

Answer device_add(const std::filesystem::path& directory, const DeviceAddOptions& options);
Answer device_list(const std::filesystem::path& directory);
Answer device_status(const std::filesystem::path& directory, const std::string& name);

struct RevokeOptions {
  std::string name;
  std::string reason;  ///< One of store::kRevocationReasons.
  std::string note;    ///< At most store::kMaxNoteBytes.
};

Answer device_revoke(const std::filesystem::path& directory, const RevokeOptions& options);

/// Erases all that the gateway has stored of a device, and shuts out its keys for ever.
Answer device_forget(const std::filesystem::path& directory, const std::string& name);

struct CrlOptions {
  std::filesystem::path out;  ///< Replaced if it exists.
  std::uint32_t days = 7;     ///< Until the next one must be there.
};

/// Writes the list of all revoked certificates, signed by the CA, as DER.
Answer device_crl(const std::filesystem::path& directory, const CrlOptions& options);

struct TokenOptions {
  std::string device;           ///< Or a batch.
  std::uint32_t batch = 0;      ///< Number of devices; 0: `device`.
  std::string expires = "24h";  ///< A number and s, m, h or d.
};

Answer token_new(const std::filesystem::path& directory, const TokenOptions& options);
Answer token_list(const std::filesystem::path& directory);
Answer token_revoke(const std::filesystem::path& directory, const std::string& id);

struct AuditListOptions {
  std::string since;          ///< "2024-05-01", "2024-05-01T12:30:00Z", seconds since 1970, or "".
  std::uint32_t limit = 100;  ///< The newest ones.
};

Answer audit_list(const std::filesystem::path& directory, const AuditListOptions& options);
/// Signs the head first if the newest record has none.
Answer audit_head(const std::filesystem::path& directory);
/// `kept` is a file with a line of audit_head(), or empty. What is wrong is an error.
Answer audit_verify(const std::filesystem::path& directory, const std::filesystem::path& kept);

/// Encrypts the private keys, which may be encrypted already, under the passphrase in the file.
/// skepd must not run.
Answer keys_encrypt(const std::filesystem::path& directory,
                    const std::filesystem::path& passphrase_file);

/// Has skepd write a backup of its database into the new file.
Answer back_up(const std::filesystem::path& directory, const std::filesystem::path& file);
/// Whether a restore could use the file: whole, of a known schema, its audit log and its model
/// signed by this federation. What is wrong is an error.
Answer backup_check(const std::filesystem::path& directory, const std::filesystem::path& file);
/// Makes the database, which must not be there, of a backup that passes backup_check().
Answer restore(const std::filesystem::path& directory, const std::filesystem::path& file);

Answer round_status(const std::filesystem::path& directory);
Answer round_aggregate(const std::filesystem::path& directory, bool force);

Answer model_list(const std::filesystem::path& directory);

/// No version: the one that is served.
Answer model_show(const std::filesystem::path& directory, std::optional<std::uint32_t> version);
Answer model_rollback(const std::filesystem::path& directory, std::uint32_t to_version);
Answer model_export(const std::filesystem::path& directory, std::optional<std::uint32_t> version,
                    const std::filesystem::path& out);

/// Needs neither directory nor network.
Answer model_verify(const std::filesystem::path& path, const std::filesystem::path& key);
Answer model_import(const std::filesystem::path& directory, const std::filesystem::path& path,
                    const std::filesystem::path& key, bool force);

/// Gives a package to skepd, which evaluates it and signs it as a version of its own.
Answer hand_over(const std::filesystem::path& admin_socket, Bytes package, bool force);

struct PlanOptions {
  std::filesystem::path spec;  ///< Text file, or folder of `model new` or `model import`.
  std::string board;           ///< Empty: all.
  std::optional<std::uint32_t> ram_bytes;  ///< For a model; instead of a board's.
  std::optional<std::uint32_t> flash_bytes;
  std::vector<std::string> optimizers;  ///< Of "sgd", "momentum", "fedprox".
};

/// These three need neither directory nor network.
Answer model_plan(const PlanOptions& options);

/// No seed: random weights.
Answer model_new(const std::filesystem::path& spec_file, std::optional<std::uint32_t> seed,
                 const std::filesystem::path& out);

struct OnnxOptions {
  std::filesystem::path out;  ///< Empty: the file's name without its ending, here.
  int input_exponent = 0;
  std::string loss;  ///< Empty: as the file suggests.
  std::uint32_t frozen_layers = 0;
};

Answer model_import_onnx(const std::filesystem::path& file, const OnnxOptions& options);

/// Lets skepd adopt a folder of `model new` or `model import` as the next version.
Answer model_release(const std::filesystem::path& directory, const std::filesystem::path& folder,
                     bool force);

}  // namespace skep::skepctl
