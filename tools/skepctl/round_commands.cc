#include <initializer_list>

#include "admin_client.h"
#include "commands.h"
#include "federation_directory.h"
#include "text_table.h"

namespace skep::skepctl {
namespace {

/// A JSON value as a cell; null is "-".
std::string cell(const Json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || object[key].is_null()) return "-";
  const Json& value = object[key];
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string current_text(const Json& current) {
  return "round " + cell(current, "round") + ": " + cell(current, "state") + ", base version " +
         cell(current, "base_version") + ", " + cell(current, "received") + " of " +
         cell(current, "quorum") + " updates, deadline in " + cell(current, "deadline_in_s") +
         " s\n";
}

std::string history_text(const Json& rounds) {
  TextTable table({"round", "base", "outcome", "version", "received", "refused", "bytes up",
                   "bytes down", "mean loss", "accuracy"});
  for (const Json& round : rounds) {
    table.add({cell(round, "round"), cell(round, "base_version"), cell(round, "outcome"),
               cell(round, "version"), cell(round, "received"), cell(round, "refused"),
               cell(round, "bytes_up"), cell(round, "bytes_down"), cell(round, "mean_loss"),
               cell(round, "accuracy")});
  }
  return table.str();
}

std::string downloads_text(const Json& downloads) {
  return "models sent since skepd started: " + cell(downloads, "packages") + " whole, " +
         cell(downloads, "package_bytes") + " bytes; " + cell(downloads, "patches") + " patches, " +
         cell(downloads, "patch_bytes") + " bytes\n";
}

std::string limits_text(const Json& limits) {
  return "refused by limits since skepd started: " + cell(limits, "handshakes_refused") +
         " handshakes, " + cell(limits, "handshakes_timed_out") + " timed out, " +
         cell(limits, "registrations_refused") + " registrations, " +
         cell(limits, "requests_refused") + " requests\n";
}

Json members_of(const Json& from, std::initializer_list<const char*> keys) {
  Json members = Json::object();
  for (const char* key : keys) {
    members[key] = from.is_object() && from.contains(key) ? from[key] : Json(nullptr);
  }
  return members;
}

Json downloads_in(const Json& stats) {
  return members_of(stats, {"packages", "package_bytes", "patches", "patch_bytes"});
}

Json limits_in(const Json& stats) {
  return members_of(members_of(stats, {"limits"})["limits"],
                    {"handshakes", "cookies", "handshakes_refused", "handshakes_timed_out",
                     "registrations_refused", "requests_refused"});
}

}  // namespace

Answer round_status(const std::filesystem::path& directory) {
  const AdminClient skepd(FederationDirectory(directory).admin_socket());
  Answer answer;
  answer.json = skepd.get("/api/v1/round");
  const Json rounds = skepd.get("/api/v1/rounds");
  const Json stats = skepd.get("/api/v1/stats");
  const Json downloads = downloads_in(stats);
  const Json limits = limits_in(stats);
  answer.text = current_text(answer.json) + history_text(rounds) + downloads_text(downloads) +
                limits_text(limits);
  answer.json["rounds"] = rounds;
  answer.json["downloads"] = downloads;
  answer.json["limits"] = limits;
  return answer;
}

Answer round_aggregate(const std::filesystem::path& directory, bool force) {
  const AdminClient skepd(FederationDirectory(directory).admin_socket());
  Answer answer;
  answer.json = skepd.post("/api/v1/round/aggregate", Json{{"force", force}});
  answer.text = "skepd: " + answer.json.dump() + "\n";
  return answer;
}

}  // namespace skep::skepctl
