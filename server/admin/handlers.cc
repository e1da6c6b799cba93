#include "handlers.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>

namespace skep::admin {
namespace {

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json parse_object(const std::string& body) {
  const Json json = Json::parse(body.empty() ? "{}" : body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    throw RequestError(Status::kMalformed, "the body must be a JSON object");
  }
  return json;
}

void refuse_unknown(const Json& body, const char* known) {
  for (const auto& [key, value] : body.items()) {
    if (key != known) {
      throw RequestError(Status::kInvalidArgument,
                         "unknown member \"" + key + "\": expected \"" + known + "\"");
    }
  }
}

Json describe(const coordinator::Outcome& outcome) {
  return {{"round", outcome.round},
          {"version", outcome.version == 0 ? Json(nullptr) : Json(outcome.version)},
          {"released", outcome.released},
          {"accuracy", or_null(outcome.accuracy)}};
}

Json describe(const coordinator::RoundSummary& round) {
  return {{"round", round.round},
          {"base_version", round.base_version},
          {"state", round.state},
          {"received", round.received},
          {"refused", round.refused},
          {"bytes_up", round.bytes_up},
          {"bytes_down", round.bytes_down},
          {"mean_loss", or_null(round.mean_loss)},
          {"outcome", round.outcome},
          {"version", or_null(round.version)},
          {"accuracy", or_null(round.accuracy)}};
}

Json describe(const LimitStatus& limits) {
  return {{"handshakes", limits.handshakes},
          {"cookies", limits.cookies},
          {"handshakes_refused", limits.handshakes_refused},
          {"handshakes_timed_out", limits.handshakes_timed_out},
          {"registrations_refused", limits.registrations_refused},
          {"requests_refused", limits.requests_refused}};
}

// Resident set of this process (proc(5), statm: the second number, in pages).
std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

Handlers::Handlers(const Gateway& gateway)
    : gateway_(gateway), store_(store::Store::open(gateway.database)) {}

Json Handlers::status() {
  const EndpointStatus endpoint = gateway_.endpoint();
  const std::lock_guard lock(store_mutex_);
  return {{"listen", endpoint.uri},
          {"port", endpoint.port},
          {"model_name", store_.model_name()},
          {"pid", ::getpid()}};
}

Json Handlers::round() {
  const auto status = gateway_.coordinator.status();
  return {{"round", status.round},
          {"state", status.open ? "open" : "idle"},
          {"base_version", status.base_version},
          {"quorum", status.quorum},
          {"received", status.received},
          {"deadline_in_s", or_null(status.deadline_in_s)}};
}

Json Handlers::rounds() {
  Json list = Json::array();
  for (const auto& round : gateway_.coordinator.rounds()) list.push_back(describe(round));
  return list;
}

Json Handlers::stats() {
  const auto intake = gateway_.intake.statistics();
  const EndpointStatus endpoint = gateway_.endpoint();
  Json refused = Json::object();
  for (const auto& [status, count] : intake.refused) {
    refused[std::string("k") + to_string(status)] = count;
  }
  const std::lock_guard lock(store_mutex_);
  return {{"devices", store_.device_count()},
          {"sessions", endpoint.sessions},
          {"accepted", intake.accepted},
          {"duplicates", intake.duplicates},
          {"refused", std::move(refused)},
          {"bytes_up", intake.bytes_up},
          {"bytes_down", endpoint.bytes_down},
          {"packages", endpoint.packages},
          {"package_bytes", endpoint.package_bytes},
          {"patches", endpoint.patches},
          {"patch_bytes", endpoint.patch_bytes},
          {"limits", describe(endpoint.limits)},
          {"rss_bytes", resident_bytes()}};
}

Json Handlers::aggregate(const std::string& body, const audit::Actor& actor) {
  const Json request = parse_object(body);
  refuse_unknown(request, "force");
  const Json force = request.value("force", Json(false));
  if (!force.is_boolean()) {
    throw RequestError(Status::kInvalidArgument, "\"force\" must be true or false");
  }
  spdlog::info("operator: aggregate, force {}", force.get<bool>());
  return describe(gateway_.coordinator.aggregate_now(force.get<bool>(), actor));
}

Json Handlers::rollback(const std::string& body, const audit::Actor& actor) {
  const Json request = parse_object(body);
  refuse_unknown(request, "to_version");
  const Json version = request.value("to_version", Json(nullptr));
  if (!version.is_number_unsigned() || version.get<std::uint64_t>() == 0 ||
      version.get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max()) {
    throw RequestError(Status::kInvalidArgument, "\"to_version\" must be a model version");
  }
  const auto to_version = version.get<std::uint32_t>();
  spdlog::info("operator: roll back to version {}", to_version);
  return describe(gateway_.coordinator.rollback(to_version, actor));
}

Json Handlers::back_up(const std::string& body, const audit::Actor& actor) {
  const Json request = parse_object(body);
  refuse_unknown(request, "file");
  const Json name = request.value("file", Json(nullptr));
  const std::filesystem::path file = name.is_string() ? name.get<std::string>() : std::string();
  if (!file.is_absolute()) {
    throw RequestError(Status::kInvalidArgument, "\"file\" must be an absolute path");
  }
  spdlog::info("operator: back up to {}", file.string());
  try {
    // On a connection of its own: others need not wait until all is copied.
    const store::Snapshot made =
        store::Store::open(gateway_.database).back_up(file, actor, std::time(nullptr));
    return {{"file", file.string()},
            {"bytes", std::filesystem::file_size(file)},
            {"model_version", made.model_version},
            {"round", made.last_round},
            {"audit_number", made.audit_number}};
  } catch (const store::StoreError& error) {
    throw RequestError(error.status(), error.what());
  }
}

Json Handlers::import_model(Bytes package, const std::string& force, const audit::Actor& actor) {
  if (!force.empty() && force != "0" && force != "1") {
    throw RequestError(Status::kInvalidArgument, "query: force must be 0 or 1");
  }
  spdlog::info("operator: import a package of {} bytes, force {}", package.size(), force == "1");
  return describe(gateway_.coordinator.import_model(package, force == "1", actor));
}

}  // namespace skep::admin
