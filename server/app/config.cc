#include "config.h"

#include <arpa/inet.h>
#include <toml++/toml.h>

#include <array>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include "served_models.h"

namespace skep::app {
namespace {

constexpr std::uint32_t kMaxU32 = std::numeric_limits<std::uint32_t>::max();
constexpr double kQ15Unit = 1 / 32768.0;
constexpr double kQ16Unit = 1 / 65536.0;
constexpr unsigned kMaxWorkers = 256;
constexpr std::uint32_t kMaxCertificateDays = 3650;

/// Takes keys out of one section and remembers which, so that the rest can be called unknown.
class Section {
 public:
  Section(const std::filesystem::path& file, toml::table& root, std::string name)
      : file_(file), name_(std::move(name)) {
    const auto found = root.find(name_);
    if (found == root.end()) return;
    table_ = found->second.as_table();
    if (table_ == nullptr) fail(found->second, "", "must be a table");
  }

  void text(const char* key, std::string& out) {
    if (const toml::node* node = take(key)) {
      if (!node->is_string()) fail(*node, key, "must be a string");
      out = node->as_string()->get();
    }
  }

  void boolean(const char* key, bool& out) {
    if (const toml::node* node = take(key)) {
      if (!node->is_boolean()) fail(*node, key, "must be true or false");
      out = node->as_boolean()->get();
    }
  }

  void path(const char* key, std::filesystem::path& out) {
    std::string value;
    text(key, value);
    if (!value.empty()) out = file_.parent_path() / value;
  }

  template <typename Integer>
  void integer(const char* key, Integer& out, std::uint64_t low, std::uint64_t high) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto* value = node->as_integer();
    if (value == nullptr || value->get() < 0 || static_cast<std::uint64_t>(value->get()) < low ||
        static_cast<std::uint64_t>(value->get()) > high) {
      fail(*node, key,
           "must be an integer from " + std::to_string(low) + " to " + std::to_string(high));
    }
    out = static_cast<Integer>(value->get());
  }

  /// A real number as an integer of `low` … `high` units.
  void fixed_point(const char* key, std::uint32_t& out, double unit, std::uint32_t low,
                   std::uint32_t high, const char* range) {
    const toml::node* node = take(key);
    if (node == nullptr) return;
    const auto value = node->value<double>();
    const double scaled = value ? std::round(*value / unit) : NAN;
    if (!node->is_number() || !(scaled >= low && scaled <= high)) {
      fail(*node, key, std::string("must be a number ") + range);
    }
    out = static_cast<std::uint32_t>(scaled);
  }

  void compression(const char* key, CompressionMode& out) {
    std::string name = name_of(out);
    text(key, name);
    std::string known;
    for (std::size_t i = 0; i < kCompressionNames.size(); ++i) {
      if (name == kCompressionNames[i]) out = static_cast<CompressionMode>(i + 1);
      known += (i == 0 ? "" : ", ") + std::string(kCompressionNames[i]);
    }
    if (name != name_of(out)) fail(*find(key), key, "must be one of " + known);
  }

  [[noreturn]] void fail(const toml::node& node, std::string_view key,
                         const std::string& expected) const {
    std::ostringstream message;
    message << file_.string() << ":" << node.source().begin.line << ": " << name_
            << (key.empty() ? "" : ".") << key << " " << expected;
    throw ConfigError(message.str());
  }

  /// Where `key` stands; the section if it is not there.
  [[nodiscard]] const toml::node* find(const char* key) const {
    return table_ == nullptr ? nullptr : table_->get(key);
  }

  void refuse_unknown() const {
    if (table_ == nullptr) return;
    for (const auto& [key, node] : *table_) {
      if (!taken_.contains(key.str())) fail(node, key.str(), "is not a key that skepd knows");
    }
  }

 private:
  const toml::node* take(const char* key) {
    taken_.insert(key);
    return find(key);
  }

  const std::filesystem::path& file_;
  std::string name_;
  toml::table* table_ = nullptr;
  std::set<std::string, std::less<>> taken_;
};

void read_coap(Section section, Config& config) {
  section.text("listen", config.listen);
  section.integer("port", config.port, 0, 65535);
  std::array<unsigned char, sizeof(in6_addr)> address{};
  if (inet_pton(AF_INET, config.listen.c_str(), address.data()) != 1 &&
      inet_pton(AF_INET6, config.listen.c_str(), address.data()) != 1) {
    section.fail(*section.find("listen"), "listen", "must be an IPv4 or IPv6 address");
  }
  section.refuse_unknown();
}

void read_paths(toml::table& root, const std::filesystem::path& file, Config& config) {
  config.database = file.parent_path() / "skep.db";
  config.admin_socket = file.parent_path() / "skepd.sock";
  Section store(file, root, "store");
  store.path("database", config.database);
  store.refuse_unknown();
  Section admin(file, root, "admin");
  admin.path("socket", config.admin_socket);
  admin.refuse_unknown();
}

void read_keys(Section section, Config& config) {
  section.path("passphrase_file", config.passphrase_file);
  section.text("passphrase_credential", config.passphrase_credential);
  if (!config.passphrase_file.empty() && !config.passphrase_credential.empty()) {
    section.fail(*section.find("passphrase_credential"), "passphrase_credential",
                 "must not stand beside passphrase_file");
  }
  section.refuse_unknown();
}

void read_log(Section section, Config& config) {
  static const std::set<std::string> kLevels = {"trace", "debug", "info", "warn", "error"};
  section.text("level", config.log_level);
  section.path("file", config.log_file);
  if (!kLevels.contains(config.log_level)) {
    section.fail(*section.find("level"), "level", "must be trace, debug, info, warn or error");
  }
  section.refuse_unknown();
}

void read_round(Section section, coordinator::Settings& round) {
  section.integer("quorum", round.quorum, 1, kMaxU32);
  section.integer("deadline_s", round.deadline_s, 0, kMaxU32);
  section.integer("minimum_updates", round.minimum_updates, 1, kMaxU32);
  section.integer("max_rounds", round.max_rounds, 0, kMaxU32);
  section.integer("learning_rate_mantissa", round.learning_rate_mantissa, 1, 32767);
  section.integer("learning_rate_shift", round.learning_rate_shift, 0, 30);
  section.integer("local_epochs", round.local_epochs, 1, 1000);
  section.integer("max_local_steps", round.max_local_steps, 0, kMaxU32);
  section.fixed_point("clip_norm", round.clip_norm_q16, kQ16Unit, 1, kMaxU32,
                      "from 1/65536 to below 65536");
  section.compression("compression", round.compression);
  section.integer("keep_permille", round.keep_permille, 1, 1000);
  section.integer("value_bits", round.value_bits, 2, 16);
  section.fixed_point("momentum", round.momentum_q15, kQ15Unit, 0, 32767, "from 0 to below 1");
  section.fixed_point("proximal_mu", round.proximal_mu_q16, kQ16Unit, 0, 1U << 20U, "from 0 to 16");
  if (round.quorum < round.minimum_updates) {
    const char* key = section.find("quorum") == nullptr ? "minimum_updates" : "quorum";
    section.fail(*section.find(key), key,
                 "does not fit: quorum (" + std::to_string(round.quorum) +
                     ") must not be below minimum_updates (" +
                     std::to_string(round.minimum_updates) + ")");
  }
  section.refuse_unknown();
}

void read_release(Section section, Config& config) {
  section.integer("step_bits", config.round.step_bits, 0, 16);
  if (config.round.step_bits == 1) {
    section.fail(*section.find("step_bits"), "step_bits", "must be 0, or 2 to 16");
  }
  section.integer("patch_depth", config.patch_depth, 0, kMaxPatchDepth);
  section.refuse_unknown();
}

void read_limits(Section section, Limits& limits) {
  section.integer("registrations_per_minute", limits.registrations_per_minute, 0, 10'000);
  section.integer("devices_per_address", limits.devices_per_address, 0, 65'536);
  section.integer("requests_per_minute", limits.requests_per_minute, 0, 1'000'000);
  section.integer("handshakes", limits.handshakes, 1, 65'536);
  section.integer("handshakes_per_address", limits.handshakes_per_address, 1, 65'536);
  section.integer("handshake_timeout_s", limits.handshake_timeout_s, 1, 300);
  section.integer("sessions", limits.sessions, 1, 1'000'000);
  section.integer("sessions_per_address", limits.sessions_per_address, 1, 1'000'000);
  section.refuse_unknown();
}

void refuse_unknown_sections(const toml::table& root, const std::filesystem::path& file) {
  static const std::set<std::string, std::less<>> kSections = {
      "coap",       "store",   "admin",  "keys",      "log",   "round",
      "evaluation", "release", "intake", "enrolment", "limits"};
  for (const auto& [key, node] : root) {
    if (kSections.contains(key.str())) continue;
    std::ostringstream message;
    message << file.string() << ":" << node.source().begin.line << ": " << key.str()
            << " is not a section that skepd knows";
    throw ConfigError(message.str());
  }
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) throw ConfigError(path.string() + ": cannot be read");
  return text;
}

toml::table parse(const std::string& text, const std::filesystem::path& path) {
  try {
    return toml::parse(text, path.string());
  } catch (const toml::parse_error& error) {
    std::ostringstream message;
    message << path.string();
    if (error.source().begin.line != 0) message << ":" << error.source().begin.line;
    message << ": " << error.description();
    throw ConfigError(message.str());
  }
}

}  // namespace

Config load_config(const std::filesystem::path& path) {
  Config config;
  config.text = read_text(path);
  toml::table root = parse(config.text, path);
  refuse_unknown_sections(root, path);
  config.directory = path.has_parent_path() ? path.parent_path() : ".";
  read_coap(Section(path, root, "coap"), config);
  read_paths(root, path, config);
  read_keys(Section(path, root, "keys"), config);
  read_log(Section(path, root, "log"), config);
  read_round(Section(path, root, "round"), config.round);

  Section evaluation(path, root, "evaluation");
  evaluation.path("holdout", config.round.hold_out);
  evaluation.integer("max_accuracy_drop_permille", config.round.max_accuracy_drop_permille, 0,
                     1000);
  evaluation.refuse_unknown();

  read_release(Section(path, root, "release"), config);

  Section intake(path, root, "intake");
  intake.integer("workers", config.intake_workers, 0, kMaxWorkers);
  intake.refuse_unknown();
  config.round.workers = config.intake_workers;

  Section enrolment(path, root, "enrolment");
  enrolment.boolean("enabled", config.enrolment);
  enrolment.integer("certificate_days", config.certificate_days, 1, kMaxCertificateDays);
  enrolment.refuse_unknown();
  read_limits(Section(path, root, "limits"), config.limits);
  return config;
}

}  // namespace skep::app
