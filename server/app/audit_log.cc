#include "audit_log.h"

#include <spdlog/spdlog.h>

#include <exception>
#include <string_view>
#include <utility>

#include "skep/release/package.h"

namespace skep::app {
namespace {

bool is_about_the_device(Status status) {
  return status != Status::kBusy && status != Status::kStorageFailed &&
         status != Status::kInternal && status != Status::kNoMemory;
}

audit::Event event_of(std::string_view what) {
  if (what == "handshake") return audit::Event::kHandshakeRefused;
  if (what == "enrolment") return audit::Event::kEnrolmentRefused;
  return what == "session" ? audit::Event::kSessionRefused : audit::Event::kUpdateRefused;
}

audit::Entry to_record(const AuditEntry& entry, std::uint32_t round, std::int64_t now_unix_s) {
  return {
      .unix_s = now_unix_s,
      .event = event_of(entry.what),
      .actor = {.kind = audit::ActorKind::kDevice, .name = entry.device, .origin = entry.remote},
      .subject = "round " + std::to_string(round),
      .before = {},
      .after = std::string("k") + to_string(entry.status) + ": " + entry.detail};
}

audit::Entry of_gateway(audit::Event event, std::string after, std::int64_t now_unix_s) {
  return {.unix_s = now_unix_s,
          .event = event,
          .actor = {},
          .subject = "gateway",
          .before = {},
          .after = std::move(after)};
}

}  // namespace

AuditLog::AuditLog(const std::filesystem::path& database, const seal::SigningKey& key,
                   const std::string& config_text, std::function<std::int64_t()> now_unix_s)
    : store_(store::Store::open(database)), key_(key), now_unix_s_(std::move(now_unix_s)) {
  const Bytes text(reinterpret_cast<const std::uint8_t*>(config_text.data()), config_text.size());
  store_.append_audit(of_gateway(audit::Event::kGatewayStarted,
                                 "skepd.toml sha256 " + release::to_hex(release::sha256(text)),
                                 now_unix_s_()));
  if (const auto head = store_.audit_head()) signed_number_ = head->head.number;
}

AuditLog::~AuditLog() {
  try {
    append_pending();
    store_.append_audit(of_gateway(audit::Event::kGatewayStopped, "", now_unix_s_()));
    sign_head();
  } catch (const std::exception& error) {
    spdlog::error("the end of the audit log is not written: {}", error.what());
  }
}

void AuditLog::refused(const AuditEntry& entry, std::uint32_t round) {
  if (is_audited(entry.status)) {
    audit(entry);
  } else {
    spdlog::info("{} of {} refused: k{}: {}", entry.what, entry.device, to_string(entry.status),
                 entry.detail);
  }
  if (is_about_the_device(entry.status)) remember(entry, round);
}

void AuditLog::limited(const AuditEntry& entry, std::uint32_t round) {
  if (remember(entry, round)) audit(entry);
}

bool AuditLog::remember(const AuditEntry& entry, std::uint32_t round) {
  if (std::exchange(round_, round) != round) seen_.clear();
  if (seen_.size() >= kMaxRefusalsPerRound) return false;
  if (!seen_.emplace(entry.what, entry.device, entry.status).second) return false;
  pending_.push_back(to_record(entry, round, now_unix_s_()));
  return true;
}

void AuditLog::tick() {
  try {
    append_pending();
    sign_head_if_due();
  } catch (const std::exception& error) {
    spdlog::error("the audit log cannot be written, it will be tried again: {}", error.what());
  }
}

void AuditLog::append_pending() {
  if (pending_.empty()) return;
  store::Transaction transaction(store_);
  for (const audit::Entry& entry : pending_) store_.append_audit(entry);
  transaction.commit();
  pending_.clear();
}

void AuditLog::sign_head_if_due() {
  const std::int64_t unsigned_records = store_.last_audit_number() - signed_number_;
  if (unsigned_records == 0) return;
  const std::int64_t now = now_unix_s_();
  if (unsigned_since_s_ == 0) unsigned_since_s_ = now;
  if (unsigned_records >= kRecordsPerHead || now - unsigned_since_s_ >= kHeadWithinS) sign_head();
}

void AuditLog::sign_head() {
  const auto head = store_.sign_audit_head(key_, now_unix_s_());
  if (!head) return;
  signed_number_ = head->head.number;
  unsigned_since_s_ = 0;
  // Whoever collects the logs elsewhere keeps the heads with them.
  spdlog::info("audit head: {}", audit::to_text(*head));
}

}  // namespace skep::app
