#include "config_text.h"

#include <toml++/toml.h>

#include <sstream>

namespace skep::skepctl {
namespace {

template <typename T>
std::string literal(const T& value) {
  std::ostringstream text;
  text << toml::value<T>(value);
  return text.str();
}

class TomlWriter {
 public:
  explicit TomlWriter(const std::string& introduction) { text_ << introduction; }
  void table(const char* name) { text_ << "\n[" << name << "]\n"; }
  void text(const char* key, const std::string& value, const char* comment) {
    line(key, literal(value), comment);
  }
  void number(const char* key, std::int64_t value, const char* comment) {
    line(key, literal(value), comment);
  }
  void boolean(const char* key, bool value, const char* comment) {
    line(key, literal(value), comment);
  }
  void real(const char* key, double value, const char* comment) {
    line(key, literal(value), comment);
  }
  [[nodiscard]] std::string str() const { return text_.str(); }

 private:
  void line(const char* key, const std::string& value, const char* comment) {
    text_ << key << " = " << value << "  # " << comment << "\n";
  }
  std::ostringstream text_;
};

void write_round(TomlWriter& toml, const RoundOptions& round) {
  toml.table("round");
  toml.number("quorum", round.quorum, "updates that close a round");
  toml.number("deadline_s", round.deadline_s,
              "seconds after which a round closes anyway, 0 = never");
  toml.number("minimum_updates", round.minimum_updates, "fewer at the deadline: the round goes on");
  toml.number("max_rounds", round.max_rounds, "0 = no end");
  toml.number("learning_rate_mantissa", round.learning_rate_mantissa,
              "learning rate = mantissa / 2^shift");
  toml.number("learning_rate_shift", round.learning_rate_shift, "0 ... 30");
  toml.number("local_epochs", round.local_epochs, "passes of a device over its samples");
  toml.number("max_local_steps", round.max_local_steps, "0 = no bound");
  toml.real("clip_norm", round.clip_norm, "L2 bound of an update");
  toml.text("compression", round.compression, "top-k, ternary, int8, eden, random-k");
  toml.number("keep_permille", round.keep_permille,
              "part of the parameters that an update carries (not int8, eden)");
  toml.number("value_bits", round.value_bits, "bits of each of them, 2 ... 16 (top-k, random-k)");
  toml.real("momentum", round.momentum, "of SGD, below 1; 0 = plain SGD");
  toml.real("proximal_mu", round.proximal_mu, "FedProx's mu; 0 = none");
}

void write_limits(TomlWriter& toml) {
  toml.table("limits");
  toml.number("registrations_per_minute", 10, "devices that are new at an address, 0 = no limit");
  toml.number("devices_per_address", 1024, "0 = no limit");
  toml.number("requests_per_minute", 6000, "of a device, 0 = no limit");
  toml.number("handshakes", 256, "under way at a time");
  toml.number("handshakes_per_address", 128, "under way, or failed within the timeout");
  toml.number("handshake_timeout_s", 60, "1 ... 300");
  toml.number("sessions", 4096, "at a time");
  toml.number("sessions_per_address", 2048, "at a time");
}

}  // namespace

std::string config_text(const InitOptions& options, const std::string& holdout) {
  TomlWriter toml(
      "# Configuration of skepd, written by `skepctl init`. Paths are relative to this file;\n"
      "# unknown keys are errors.\n");
  toml.table("coap");
  toml.text("listen", options.gateway_addresses.front(), "coaps only");
  toml.number("port", options.port, "UDP");
  toml.table("store");
  toml.text("database", "skep.db", "SQLite");
  toml.table("admin");
  toml.text("socket", "skepd.sock", "Unix domain socket, mode 0600, for skepctl");
  toml.table("keys");
  toml.text("passphrase_file", "", "of the private keys (skepctl keys encrypt); empty = none");
  toml.table("log");
  toml.text("level", "info", "trace, debug, info, warn, error");
  toml.text("file", "", "JSON lines; empty = standard error");
  write_round(toml, options.round);
  toml.table("evaluation");
  toml.text("holdout", holdout, "CSV of features and label; empty = every candidate is released");
  toml.number("max_accuracy_drop_permille", options.max_accuracy_drop_permille,
              "a candidate that is worse by more is not released");
  toml.table("release");
  toml.number("step_bits", options.step_bits,
              "bits of each value of a release's step, 2 ... 16; 0 = exact");
  toml.number("patch_depth", options.patch_depth,
              "versions back from which devices get a patch, 0 ... 16");
  toml.table("intake");
  toml.number("workers", 0, "threads that open updates, 0 = one a core");
  toml.table("enrolment");
  toml.boolean("enabled", options.enrolment,
               "devices with a token get a certificate from skepd, which needs ca.key for it");
  toml.number("certificate_days", options.certificate_days, "how long it is valid, 1 ... 3650");
  write_limits(toml);
  return toml.str();
}

}  // namespace skep::skepctl
