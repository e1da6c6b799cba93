// What skepd itself writes into the audit log, and when the log's head is signed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "log.h"
#include "skep/seal/signature.h"
#include "skep/store/store.h"

namespace skep::app {

/// Belongs to one thread. Sizes are bounded whatever devices do: of each device, kind and reason a
/// round has one record of a refusal, and no round has more than kMaxRefusalsPerRound.
class AuditLog {
 public:
  static constexpr std::size_t kMaxRefusalsPerRound = 4096;
  /// A head is signed when so many records have none …
  static constexpr std::int64_t kRecordsPerHead = 64;
  /// … or one has had none for so long; and at the end.
  static constexpr std::int64_t kHeadWithinS = 60;

  /// Records the start, with the digest of the configuration file's text. `key` outlives this.
  /// Errors: StoreError, AuditError.
  AuditLog(const std::filesystem::path& database, const seal::SigningKey& key,
           const std::string& config_text, std::function<std::int64_t()> now_unix_s);

  /// Writes what is left and the end, and signs the head; an error goes to the log.
  ~AuditLog();

  /// Logs a refusal, and keeps it for the next tick() if it is the first of its kind in the round.
  /// Refusals that say nothing about the device (busy, storage, internal) are not recorded.
  void refused(const AuditEntry& entry, std::uint32_t round);

  /// The same for what is refused because of a limit, whose status is kBusy: it is logged, too, for
  /// the first of its kind in the round only, because a flood causes it.
  void limited(const AuditEntry& entry, std::uint32_t round);

  /// Writes the refusals in one transaction, signs the head if it is time. Call about once a
  /// second. An error goes to the log, and what was to be written waits for the next time.
  void tick();

  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

 private:
  /// Keeps the record; false if the round has one of its kind, or as many as it may have.
  bool remember(const AuditEntry& entry, std::uint32_t round);
  void append_pending();
  void sign_head();
  void sign_head_if_due();

  store::Store store_;
  const seal::SigningKey& key_;
  std::function<std::int64_t()> now_unix_s_;
  std::uint32_t round_ = 0;
  std::set<std::tuple<std::string, std::string, Status>> seen_;  // in round_
  std::vector<audit::Entry> pending_;
  std::int64_t signed_number_ = 0;
  std::int64_t unsigned_since_s_ = 0;  // 0 = every record has a head
};

}  // namespace skep::app
