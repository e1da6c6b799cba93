#include "log.h"

#include <coap3/coap.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace skep::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kAuditLogger = "audit";

std::string to_rfc3339(std::chrono::system_clock::time_point time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time - seconds).count();
  const std::time_t unix_s = std::chrono::system_clock::to_time_t(seconds);
  std::tm utc{};
  gmtime_r(&unix_s, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms);
}

class JsonLine final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto level = spdlog::level::to_string_view(message.level);
    Json line{{"time", to_rfc3339(message.time)},
              {"level", std::string(level.data(), level.size())}};
    const std::string text(message.payload.data(), message.payload.size());
    if (std::string_view(message.logger_name.data(), message.logger_name.size()) == kAuditLogger) {
      line["audit"] = true;
      line.update(Json::parse(text));  // written by audit() below
    } else {
      line["message"] = text;
    }
    // A name or path that is not UTF-8 must not make logging fail.
    const std::string dump = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    out.append(dump.data(), dump.data() + dump.size());
  }
  [[nodiscard]] std::unique_ptr<formatter> clone() const override {
    return std::make_unique<JsonLine>();
  }
};

void log_libcoap(coap_log_t /*level*/, const char* message) {
  std::string_view text(message);
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  spdlog::debug("libcoap: {}", text);
}

}  // namespace

void start_logging(const std::string& level, const std::filesystem::path& file) {
  spdlog::sink_ptr sink;
  if (file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string());
  }
  sink->set_formatter(std::make_unique<JsonLine>());
  auto logger = std::make_shared<spdlog::logger>("skepd", sink);
  auto audit_logger = std::make_shared<spdlog::logger>(std::string(kAuditLogger), sink);
  const auto chosen = spdlog::level::from_str(level);
  logger->set_level(chosen);
  logger->flush_on(spdlog::level::info);
  audit_logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(logger);
  spdlog::drop(std::string(kAuditLogger));
  spdlog::register_logger(audit_logger);

  // Below debug nothing would show it, so libcoap need not write it.
  coap_log_t libcoap_level = COAP_LOG_EMERG;
  if (chosen == spdlog::level::debug) libcoap_level = COAP_LOG_INFO;
  if (chosen == spdlog::level::trace) libcoap_level = COAP_LOG_DEBUG;
  coap_set_log_handler(&log_libcoap);
  coap_set_log_level(libcoap_level);
  // Not above: from level 3 on, Mbed TLS prints the secrets of its sessions.
  coap_dtls_set_log_level(COAP_LOG_WARN);
}

void audit(const AuditEntry& entry) {
  const Json fields{{"message", std::string(entry.what) + " refused"},
                    {"device", entry.device},
                    {"remote", entry.remote},
                    {"status", std::string("k") + to_string(entry.status)},
                    {"detail", entry.detail}};
  spdlog::get(std::string(kAuditLogger))
      ->warn("{}", fields.dump(-1, ' ', false, Json::error_handler_t::replace));
}

bool is_audited(Status status) {
  return status == Status::kWrongDevice || status == Status::kBadSignature ||
         status == Status::kWrongFederation || status == Status::kRevoked;
}

}  // namespace skep::app
