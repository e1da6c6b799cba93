// The table of updates: at most one for each device and round.
#include "atomic_section.h"
#include "connection.h"
#include "skep/store/store.h"

namespace skep::store {

__extension__ using Int128 = __int128;

std::optional<Digest> Store::update_digest(std::string_view device, std::uint32_t round) {
  Query query = connection_->query("SELECT digest FROM updates WHERE round = ? AND device = ?",
                                   round, device);
  if (!query.step()) return std::nullopt;
  return query.array<wire::kDigestBytes>(0);
}

void Store::insert_update(const StoredUpdate& update, std::int64_t now_unix_s) {
  AtomicSection section(*connection_);
  {
    const auto device = this->device(update.device);
    if (!device || device->revoked) {
      throw StoreError(Status::kRevoked, "device \"" + update.device + "\" is " +
                                             (device ? "revoked" : "not enrolled"));
    }
  }
  {
    Query query = connection_->query("SELECT state FROM rounds WHERE id = ?", update.round);
    if (!query.step() || query.integer(0) != static_cast<int>(RoundState::kOpen)) {
      throw StoreError(Status::kWrongRound,
                       "round " + std::to_string(update.round) + " is not open");
    }
  }
  if (update_digest(update.device, update.round)) {
    throw StoreError(
        Status::kAlreadyAnswered,
        "device \"" + update.device + "\" has answered round " + std::to_string(update.round));
  }
  connection_
      ->query(
          "INSERT INTO updates (round, device, digest, sealed, sealed_bytes, sample_count, "
          "loss_q16) VALUES (?, ?, ?, ?, ?, ?, ?)",
          update.round, update.device, update.digest, update.sealed, update.sealed.size(),
          update.sample_count, update.loss_q16)
      .run();
  connection_
      ->query(
          "UPDATE devices SET last_seen_unix_s = ?, last_round = ?, accepted = accepted + 1 "
          "WHERE name = ?",
          now_unix_s, update.round, update.device)
      .run();
  section.commit();
}

RoundTotals Store::totals(std::uint32_t round) {
  RoundTotals totals;
  // Summed here: SQLite's sum() fails beyond 63 bits, which a lying device could bring about.
  Int128 weighted_loss = 0;
  Int128 samples = 0;
  Query query = connection_->query(
      "SELECT sealed_bytes, sample_count, loss_q16 FROM updates "
      "WHERE round = ? AND left_out = 0",
      round);
  while (query.step()) {
    ++totals.received;
    totals.bytes_up += query.u64(0);
    samples += query.integer(1);
    weighted_loss += Int128{query.integer(1)} * query.integer(2);
  }
  if (samples > 0) totals.loss_q16 = static_cast<std::uint32_t>(weighted_loss / samples);
  return totals;
}

std::uint32_t Store::update_count(std::uint32_t round) {
  Query query =
      connection_->query("SELECT count(*) FROM updates WHERE round = ? AND left_out = 0", round);
  return query.step() ? query.u32(0) : 0;
}

std::vector<std::string> Store::update_devices(std::uint32_t round) {
  std::vector<std::string> devices;
  Query query = connection_->query(
      "SELECT device FROM updates WHERE round = ? AND left_out = 0 "
      "ORDER BY device",
      round);
  while (query.step()) devices.push_back(query.text(0));
  return devices;
}

std::optional<StoredUpdate> Store::update(std::string_view device, std::uint32_t round) {
  Query query = connection_->query(
      "SELECT device, round, digest, sealed, sample_count, loss_q16 FROM updates "
      "WHERE round = ? AND device = ?",
      round, device);
  if (!query.step()) return std::nullopt;
  return StoredUpdate{.device = query.text(0),
                      .round = query.u32(1),
                      .digest = query.array<wire::kDigestBytes>(2),
                      .sealed = query.blob(3),
                      .sample_count = query.u32(4),
                      .loss_q16 = query.u32(5)};
}

}  // namespace skep::store
