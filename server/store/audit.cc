// The audit log: a table that only grows, and the signed heads beside it.
#include <algorithm>
#include <utility>

#include "atomic_section.h"
#include "connection.h"
#include "skep/store/store.h"

namespace skep::store {
namespace {

// Columns in the order of the table.
audit::Record read_record(const Query& row) {
  return {.number = row.integer(0),
          .entry = {.unix_s = row.integer(1),
                    .event = static_cast<audit::Event>(row.integer(2)),
                    .actor = {.kind = static_cast<audit::ActorKind>(row.integer(3)),
                              .name = row.text(4),
                              .origin = row.text(5)},
                    .subject = row.text(6),
                    .before = row.text(7),
                    .after = row.text(8)},
          .hash = row.array<wire::kDigestBytes>(9)};
}

audit::SignedHead read_head(const Query& row, const FederationId& federation) {
  return {.head = {.federation = federation,
                   .number = row.integer(0),
                   .hash = row.array<wire::kDigestBytes>(2),
                   .unix_s = row.integer(1)},
          .signature = row.array<seal::kSignatureBytes>(3)};
}

/// What the next record follows.
struct Tip {
  std::int64_t number = 0;
  audit::Digest hash{};
};

Tip read_tip(Store::Connection& connection) {
  Query query = connection.query("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1");
  if (!query.step()) return {.number = 0, .hash = audit::chain_origin(connection.federation)};
  return {.number = query.integer(0), .hash = query.array<wire::kDigestBytes>(1)};
}

}  // namespace

void Store::append_audit(const audit::Entry& entry) {
  AtomicSection section(*connection_);
  const Tip tip = read_tip(*connection_);
  const audit::Digest hash = audit::record_hash(tip.number + 1, tip.hash, entry);
  connection_
      ->query("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", tip.number + 1,
              entry.unix_s, static_cast<std::int64_t>(entry.event),
              static_cast<std::int64_t>(entry.actor.kind), entry.actor.name, entry.actor.origin,
              entry.subject, entry.before, entry.after, hash)
      .run();
  section.commit();
}

std::int64_t Store::last_audit_number() { return read_tip(*connection_).number; }

std::vector<audit::Record> Store::audit_records(std::int64_t since_unix_s, std::uint32_t limit) {
  std::vector<audit::Record> records;
  Query query = connection_->query(
      "SELECT * FROM audit WHERE unix_s >= ? ORDER BY number DESC LIMIT ?", since_unix_s, limit);
  while (query.step()) records.push_back(read_record(query));
  std::ranges::reverse(records);
  return records;
}

std::optional<audit::SignedHead> Store::audit_head() {
  Query query = connection_->query("SELECT * FROM audit_heads ORDER BY number DESC LIMIT 1");
  if (!query.step()) return std::nullopt;
  return read_head(query, connection_->federation);
}

std::optional<audit::SignedHead> Store::sign_audit_head(const seal::SigningKey& key,
                                                        std::int64_t now_unix_s) {
  AtomicSection section(*connection_);
  const Tip tip = read_tip(*connection_);
  auto newest = audit_head();
  if (tip.number == 0 || (newest && newest->head.number >= tip.number)) return newest;
  const audit::SignedHead head = audit::sign({.federation = connection_->federation,
                                              .number = tip.number,
                                              .hash = tip.hash,
                                              .unix_s = now_unix_s},
                                             key);
  connection_
      ->query("INSERT INTO audit_heads VALUES (?, ?, ?, ?)", head.head.number, head.head.unix_s,
              head.head.hash, head.signature)
      .run();
  section.commit();
  return head;
}

audit::Report Store::check_audit(const seal::VerifyingKey& key,
                                 const std::optional<audit::SignedHead>& kept) {
  const Transaction snapshot(*this, Transaction::Kind::kRead);
  std::vector<audit::SignedHead> heads;
  {
    Query query = connection_->query("SELECT * FROM audit_heads ORDER BY number");
    while (query.step()) heads.push_back(read_head(query, connection_->federation));
  }
  Query query = connection_->query("SELECT * FROM audit ORDER BY number");
  return audit::check(
      connection_->federation, key,
      [&query]() -> std::optional<audit::Record> {
        if (!query.step()) return std::nullopt;
        return read_record(query);
      },
      std::move(heads), kept);
}

}  // namespace skep::store
