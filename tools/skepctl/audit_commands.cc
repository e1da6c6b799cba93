#include "audit_commands.h"

#include <charconv>
#include <ctime>
#include <optional>

#include "commands.h"
#include "federation_directory.h"
#include "skep/pki/files.h"
#include "skep/release/package.h"
#include "text_table.h"

namespace skep::skepctl {
namespace {

namespace fs = std::filesystem;

// A head is one line of some 300 characters.
constexpr std::size_t kMaxHeadFileBytes = 4096;

/// Takes the whole of `text` or nothing.
std::optional<std::int64_t> parse_utc(const std::string& text, const char* format) {
  std::tm time{};
  const char* end = ::strptime(text.c_str(), format, &time);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return static_cast<std::int64_t>(::timegm(&time));
}

std::int64_t parse_since(const std::string& text) {
  if (text.empty()) return 0;
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size() && seconds >= 0) return seconds;
  for (const char* format : {"%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"}) {
    if (const auto time = parse_utc(text, format)) return *time;
  }
  throw CommandError(
      Status::kInvalidArgument,
      "--since '" + text + "': expected 2024-05-01, 2024-05-01T12:30:00Z or seconds since 1970");
}

Json describe(const audit::Record& record) {
  const audit::Entry& entry = record.entry;
  return {{"number", record.number},
          {"unix_s", entry.unix_s},
          {"event", to_string(entry.event)},
          {"actor",
           {{"kind", to_string(entry.actor.kind)},
            {"name", entry.actor.name},
            {"origin", entry.actor.origin}}},
          {"subject", entry.subject},
          {"before", entry.before},
          {"after", entry.after},
          {"hash", release::to_hex(record.hash)}};
}

audit::SignedHead read_kept_head(const fs::path& path) {
  const std::vector<std::uint8_t> text = pki::read_file(path, kMaxHeadFileBytes);
  try {
    return audit::parse_head({reinterpret_cast<const char*>(text.data()), text.size()});
  } catch (const audit::AuditError& error) {
    throw CommandError(error.status(), path.string() + ": " + error.what());
  }
}

}  // namespace

void require_whole(const audit::Report& report) {
  if (report.finding) {
    const audit::Finding& finding = *report.finding;
    throw CommandError(
        Status::kBadDigest,
        "the audit log was altered: " +
            (finding.number == 0 ? std::string()
                                 : "record " + std::to_string(finding.number) + ": ") +
            finding.detail);
  }
}

Answer audit_list(const fs::path& directory, const AuditListOptions& options) {
  const std::int64_t since = parse_since(options.since);
  store::Store store = FederationDirectory(directory).open_store();
  Answer answer{{{"records", Json::array()}}, ""};
  TextTable table({"number", "time", "event", "who", "from", "what", "before", "after"});
  for (const audit::Record& record : store.audit_records(since, options.limit)) {
    answer.json["records"].push_back(describe(record));
    const audit::Entry& entry = record.entry;
    table.add({std::to_string(record.number), format_time(entry.unix_s), to_string(entry.event),
               entry.actor.name, entry.actor.origin, entry.subject, entry.before, entry.after});
  }
  answer.text = table.str();
  return answer;
}

Answer audit_head(const fs::path& directory) {
  const FederationDirectory federation(directory);
  store::Store store = federation.open_store();
  const auto head =
      store.sign_audit_head(load_signing_key(federation.with_passphrase()), now_unix_s());
  if (!head) throw CommandError(Status::kNotFound, "the audit log has no record yet");
  const std::string text = audit::to_text(*head);
  return {{{"number", head->head.number},
           {"unix_s", head->head.unix_s},
           {"hash", release::to_hex(head->head.hash)},
           {"head", text}},
          text + "\n"};
}

Answer audit_verify(const fs::path& directory, const fs::path& kept) {
  const FederationDirectory federation(directory);
  std::optional<audit::SignedHead> kept_head;
  if (!kept.empty()) kept_head = read_kept_head(kept);
  store::Store store = federation.open_store();
  const audit::Report report =
      store.check_audit(load_verifying_key(federation.paths().verifying_key()), kept_head);
  require_whole(report);
  return {{{"verified", true},
           {"records", report.records},
           {"heads", report.heads},
           {"signed_records", report.signed_records},
           {"kept_head", kept_head ? Json(kept_head->head.number) : Json(nullptr)}},
          "The audit log is whole: " + std::to_string(report.records) + " records, up to " +
              std::to_string(report.signed_records) + " under " + std::to_string(report.heads) +
              " signed heads" +
              (kept_head ? ", and the kept head of record " +
                               std::to_string(kept_head->head.number) + " is among them"
                         : "") +
              ".\n"};
}

}  // namespace skep::skepctl
