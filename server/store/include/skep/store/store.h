// All that a gateway remembers, in one SQLite file: devices, models, rounds, updates
// and the audit log.
//
// What a commit returned from survives kill -9 and a loss of power (WAL, synchronous=FULL). Two
// processes may have the file open: skepctl enrols devices while skepd runs.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "skep/audit/chain.h"
#include "skep/bytes.h"
#include "skep/status.h"
#include "skep/store/error.h"
#include "skep/store/revocation_reason.h"
#include "skep/wire/codec.h"

namespace skep::store {

using FederationId = std::array<std::uint8_t, wire::kFederationBytes>;
using PublicKey = std::array<std::uint8_t, wire::kP256PointBytes>;
using Digest = std::array<std::uint8_t, wire::kDigestBytes>;

/// The layout of the tables. Opening a file of an older version makes it one of this version, in
/// one transaction; one of a newer version is refused, never altered.
inline constexpr int kSchemaVersion = 4;

struct Device {
  std::string name = {};  ///< Unique, as in UpdateHeader.
  std::vector<std::uint8_t> certificate_der = {};
  PublicKey public_key{};  ///< Of the certificate: P-256, uncompressed.
  bool revoked = false;    ///< Its public key is in the table of revocations.
  std::int64_t added_unix_s = 0;
  std::string added_by = {};          ///< Who admitted it.
  std::int64_t last_seen_unix_s = 0;  ///< When its last update was stored, 0 = never.
  std::uint32_t last_round = 0;       ///< Round of that update, 0 = none.
  std::uint64_t accepted = 0;         ///< Updates stored.
  /// The renewed certificate that the device has not used yet; no bytes if there is none.
  std::vector<std::uint8_t> next_certificate_der = {};
  PublicKey next_public_key{};
  std::int64_t renewed_unix_s = 0;  ///< When a certificate was last renewed, 0 = never.
};

/// What admits devices without an operator's hand on each.
struct EnrolmentToken {
  std::string id = {};  ///< Unique, 16 hexadecimal digits.
  Digest secret_sha256{};
  std::string device = {};  ///< The only name that it is for; empty: any that was never enrolled.
  std::uint32_t allowed_uses = 1;  ///< ≥ 1; 1 if `device` is set.
  std::uint32_t uses = 0;
  std::int64_t made_unix_s = 0;
  std::string made_by = {};
  std::int64_t expires_unix_s = 0;  ///< From then on it is void.
  std::int64_t revoked_unix_s = 0;  ///< 0 = not.
  std::string revoked_by = {};

  /// It may still open a session. Being used up does not end that: see Store::enrolment().
  [[nodiscard]] bool is_valid(std::int64_t now_unix_s) const {
    return revoked_unix_s == 0 && now_unix_s < expires_unix_s;
  }
};

/// One use of a token.
struct Enrolment {
  std::string token = {};
  PublicKey public_key{};
  std::string device = {};
  std::vector<std::uint8_t> certificate_der = {};
};

inline constexpr std::uint32_t kMaxTokenUses = 100'000;

/// A key that is revoked for ever, and the certificate that it had.
struct Revocation {
  std::string device = {};
  RevocationReason reason = RevocationReason::kUnspecified;
  std::string note = {};        ///< For the record: at most kMaxNoteBytes.
  std::string revoked_by = {};  ///< Who did it, not empty.
  std::int64_t revoked_unix_s = 0;
  std::vector<std::uint8_t> certificate_der = {};  ///< Filled in by the store.
};

inline constexpr std::size_t kMaxNoteBytes = 200;

/// Updates of a device that were refused for the same reason.
struct Refusals {
  Status status = Status::kOk;
  std::uint64_t count = 0;
  std::int64_t last_unix_s = 0;
};

struct Model {
  enum State : std::uint8_t {
    kReleased = 1,  ///< Was, or is, served.
    kRejected = 2,  ///< Evaluated worse than the released one: kept, never served.
  };
  std::uint32_t version = 0;        ///< Unique, ≥ 1.
  std::uint32_t rolls_back_to = 0;  ///< Version whose content this repeats, 0 = none.
  std::uint32_t round = 0;          ///< The round that made it, 0 = initial or imported.
  State state = kReleased;
  std::vector<std::uint8_t> package = {};  ///< An encoded ModelPackage.
};

enum class RoundState : std::uint8_t {
  kOpen = 1,         ///< Updates are accepted.
  kAggregating = 2,  ///< The set of updates is final; the outcome is not.
  kReleased = 3,     ///< Its model was released.
  kRejected = 4,     ///< Its model evaluated worse than the one before.
  kRolledBack = 5,   ///< Closed by a rollback; its updates were dropped.
  kAbandoned = 6,    ///< Closed by an import, or without usable updates; these were dropped.
};

/// "open", "aggregating", "released", "rejected", "rolled_back", "abandoned".
[[nodiscard]] const char* to_string(RoundState state);

/// What a round's stored updates amount to; those that a revocation took out do not count.
struct RoundTotals {
  std::uint32_t received = 0;
  std::uint64_t bytes_up = 0;  ///< Sum of the sealed sizes.
  std::optional<std::uint32_t> loss_q16 =
      std::nullopt;  ///< Mean of loss_q16 weighted by samples; none if empty.
};

struct Round {
  std::uint32_t id = 0;  ///< ≥ 1, only rises.
  RoundState state = RoundState::kOpen;
  std::vector<std::uint8_t> plan = {};       ///< An encoded RoundPlan.
  std::vector<std::uint8_t> signature = {};  ///< Of the plan, 64 bytes.
  std::uint32_t base_version = 0;
  std::int64_t opened_unix_s = 0;
  std::int64_t deadline_unix_s = 0;  ///< 0 = none.
  std::int64_t closed_unix_s = 0;    ///< 0 = not yet.
  std::uint64_t refused = 0;         ///< Updates refused while it was open.
  std::uint64_t bytes_down = 0;      ///< Plans and packages sent.
  std::uint32_t version = 0;         ///< The model that it made, 0 = none.
  std::uint32_t evaluation_samples = 0;
  std::uint32_t evaluation_correct = 0;
  RoundTotals totals = {};  ///< Up to now, or when it was closed.
};

/// What is left of a device that was forgotten: enough for the revocation list, and its key's hash,
/// which stays in the store.
struct ForgottenKey {
  std::vector<std::uint8_t> serial = {};  ///< Of the certificate.
  RevocationReason reason = RevocationReason::kUnspecified;
  std::int64_t revoked_unix_s = 0;
};

/// What a database, or a backup of one, is the state of.
struct Snapshot {
  int schema_version = 0;
  std::uint32_t model_version = 0;  ///< The released one, 0 = none.
  std::uint32_t last_round = 0;
  std::int64_t audit_number = 0;  ///< Of the last record, 0 = none.
  Digest audit_hash{};            ///< Of that record.
  std::int64_t audit_unix_s = 0;  ///< When it was written.
};

struct StoredUpdate {
  std::string device = {};
  std::uint32_t round = 0;
  Digest digest{};                        ///< SHA-256 of the sealed bytes; kept for ever.
  std::vector<std::uint8_t> sealed = {};  ///< Erased when the round is closed.
  std::uint32_t sample_count = 0;
  std::uint32_t loss_q16 = 0;  ///< Update.loss_before_q16.
};

/// One connection. Not thread-safe: open one for each thread. Movable.
///
/// Every function throws StoreError, after which the file is as it was before the call. A single
/// call is atomic; several are with a Transaction. A writer waits up to ten seconds for another.
class Store {
 public:
  class Connection;

  /// Makes the file, of mode 0600. kInvalidArgument if it exists or model_name is not a name.
  static Store create(const std::filesystem::path& path, const FederationId& federation,
                      std::string_view model_name);

  /// kNotFound if there is no such file; kMalformed if it is not a database of ours;
  /// kUnsupportedVersion, naming both versions, if it has a newer schema.
  static Store open(const std::filesystem::path& path);

  /// A backup, to read: only federation(), model_name(), released_model(), snapshot(),
  /// check_integrity() and check_audit() know the tables of every version that a backup may have.
  /// Errors: as open(); kMalformed if it is a database and no backup.
  static Store open_backup(const std::filesystem::path& path);

  /// Makes the database `path` of a backup, of mode 0600. Its rounds and model versions go on above
  /// whatever devices can know from the time after the backup; the next Coordinator
  /// releases the model anew; enrolment tokens are void, because they may have been used since.
  /// Recorded in its audit log as done by `who`. A crash leaves no database, or the whole one.
  ///
  /// Errors: as open_backup(); kInvalidArgument if `path`, or a file that belongs to it, exists;
  /// kTooLarge if the numbers would have no room above; AuditError.
  static void restore(const std::filesystem::path& backup, const std::filesystem::path& path,
                      const audit::Actor& who, std::int64_t now_unix_s);

  /// Copies all, as it is at one moment, into the new file `path` of mode 0600, which is there when
  /// it is whole and durable. Nobody waits meanwhile. Recorded before as done by `who`, in the copy
  /// too; returns what the copy has.
  ///
  /// Errors: kInvalidArgument if `path` exists or cannot be made; AuditError.
  Snapshot back_up(const std::filesystem::path& path, const audit::Actor& who,
                   std::int64_t now_unix_s);

  [[nodiscard]] Snapshot snapshot();
  /// Errors: kMalformed, with the first thing that SQLite finds wrong with the file.
  void check_integrity();

  [[nodiscard]] const FederationId& federation() const;
  [[nodiscard]] const std::string& model_name() const;

  // ---- devices

  /// A new name, or the name of a revoked device with another key; its counts go on.
  /// kInvalidArgument if the name is enrolled or not a name, or if the key is a revoked one.
  void add_device(const Device& device);
  [[nodiscard]] std::optional<Device> device(std::string_view name);
  [[nodiscard]] std::vector<Device> devices();  ///< Ordered by name.
  [[nodiscard]] std::uint32_t device_count();   ///< Without the revoked ones.

  /// The device whose certificate, present or renewed, has this key.
  [[nodiscard]] std::optional<std::string> holder_of(const PublicKey& key);

  /// Keeps a renewed certificate. Of the present key: it takes the place of the present
  /// certificate. Of another key: it waits until use_next_certificate(), in place of one that waits
  /// already. kNotFound if there is no such device; kRevoked if it is revoked, or if the key is;
  /// kInvalidArgument if another device has the key.
  void renew_certificate(const std::string& device, Bytes certificate_der, const PublicKey& key,
                         std::int64_t now_unix_s);

  /// The device has shown its renewed certificate: it becomes the present one, and the key before
  /// is revoked (superseded, by `by`). kNotFound if none waits.
  void use_next_certificate(const std::string& device, const std::string& by,
                            std::int64_t now_unix_s);

  /// Revokes the key that revocation.device has, and that of a renewed certificate; voids the
  /// tokens for its name; and takes its update out of the open round, also
  /// of one that is being aggregated; the sealed bytes are erased. kNotFound if there is no such
  /// device; kInvalidArgument if it is revoked already, or for note and revoked_by.
  void revoke_device(const Revocation& revocation);
  [[nodiscard]] bool is_revoked(const PublicKey& key);
  [[nodiscard]] std::vector<Revocation> revocations();  ///< All, oldest first.
  /// Those of one name, oldest first.
  [[nodiscard]] std::vector<Revocation> revocations(std::string_view device);
  /// Every certificate of a revoked key, the earlier ones of the same key included.
  [[nodiscard]] std::vector<Revocation> revoked_certificates();
  /// Rises with every revocation, and when a device is forgotten: a cheap way to know that there is
  /// a new one. 0 = none yet.
  [[nodiscard]] std::int64_t last_revocation();
  /// Erases a device: its row, certificates, tokens, updates, counts and revocations. Its keys are
  /// revoked for ever, the present one for kCessationOfOperation unless it was before. The audit
  /// log keeps its name. kNotFound if there is no such device; kMalformed if its certificate is
  /// none.
  void forget_device(std::string_view name, std::int64_t now_unix_s);
  [[nodiscard]] std::vector<ForgottenKey> forgotten_keys();  ///< Oldest first.
  /// After what was to be erased was committed: leaves no copy of it in the free parts of the
  /// database and its files. Writers wait meanwhile, some seconds for a gigabyte. kBusy if somebody
  /// read for ten seconds: then it is to be done again. Not within a Transaction.
  void clear_leftovers();
  /// 1, 2, 3, …: never the same twice, also if the list is never published; higher after a restore.
  std::uint64_t next_crl_number();

  /// An update of an enrolled device was refused; its count lasts. Nothing happens if the device is
  /// unknown.
  void count_refusal(std::string_view device, Status status, std::int64_t now_unix_s);
  [[nodiscard]] std::vector<Refusals> refusals(std::string_view device);  ///< Ordered by status.

  // ---- enrolment tokens

  /// kInvalidArgument if the id is taken, or for a value that is not as EnrolmentToken says.
  void add_token(const EnrolmentToken& token);
  [[nodiscard]] std::optional<EnrolmentToken> token(std::string_view id);
  [[nodiscard]] std::vector<EnrolmentToken> tokens();  ///< Oldest first.
  /// kNotFound if there is no such token; kInvalidArgument if it is revoked already.
  void revoke_token(std::string_view id, std::string_view by, std::int64_t now_unix_s);
  /// The tokens for this name that a revocation of the device would void.
  [[nodiscard]] std::vector<EnrolmentToken> open_tokens(std::string_view device);
  /// Counts a use and remembers what it gave. kNotFound if there is no such token; kRevoked if it
  /// is used up, expired or revoked.
  void use_token(const Enrolment& enrolment, std::int64_t now_unix_s);
  /// The use of the token that this key had, if it had one.
  [[nodiscard]] std::optional<Enrolment> enrolment(std::string_view token, const PublicKey& key);

  // ---- models

  /// kInvalidArgument if the version is not higher than all others.
  void insert_model(const Model& model);
  [[nodiscard]] std::optional<Model> model(std::uint32_t version);
  [[nodiscard]] std::optional<Model> released_model();  ///< The highest released version.
  /// Rejected ones included, and what devices may have from before a restore; 0 = none.
  [[nodiscard]] std::uint32_t last_model_version();
  /// Not 0 after a restore: devices may have versions up to this, and need a higher one.
  [[nodiscard]] std::uint32_t model_version_floor();
  [[nodiscard]] std::vector<Model> models();  ///< All, with packages, by version.

  // ---- rounds

  /// kInvalidArgument if the id is not higher than all others, or a round is open.
  void insert_round(const Round& round);
  [[nodiscard]] std::optional<Round> round(std::uint32_t id);
  [[nodiscard]] std::optional<Round> open_round();  ///< In state kOpen or kAggregating.
  /// Of the rounds here, and of those that a restore has lost; 0 = none yet.
  [[nodiscard]] std::uint32_t last_round_id();
  [[nodiscard]] std::uint32_t aggregated_rounds();  ///< How many are released or rejected.
  [[nodiscard]] std::vector<Round> rounds();        ///< By id, without plan and signature.
  /// kOpen → kAggregating. kWrongRound if it is not open.
  void begin_aggregation(std::uint32_t id);
  /// kOpen or kAggregating → `state`, and erases the sealed bytes of its updates. Takes state,
  /// closed_unix_s, version and evaluation from `round`; its totals no longer change. kWrongRound
  /// if it is closed already.
  void close_round(const Round& round);
  void add_traffic(std::uint32_t id, std::uint64_t refused, std::uint64_t bytes_down);

  // ---- updates

  [[nodiscard]] std::optional<Digest> update_digest(std::string_view device, std::uint32_t round);
  /// Also notes the device as seen. kAlreadyAnswered if there is one of this device and round;
  /// kWrongRound if the round is not open; kRevoked if the device is unknown or revoked.
  void insert_update(const StoredUpdate& update, std::int64_t now_unix_s);
  [[nodiscard]] std::uint32_t update_count(std::uint32_t round);  ///< Length of update_devices().
  /// In order of device, those that a revocation took out left out.
  [[nodiscard]] std::vector<std::string> update_devices(std::uint32_t round);
  /// With its sealed bytes, which are empty once the round is closed or the device revoked.
  [[nodiscard]] std::optional<StoredUpdate> update(std::string_view device, std::uint32_t round);

  // ---- audit log; these throw AuditError as well

  /// Writes the next record. Within the Transaction of what it records neither is there without
  /// the other.
  void append_audit(const audit::Entry& entry);
  [[nodiscard]] std::int64_t last_audit_number();  ///< 0 = none.
  /// The newest `limit` of those that are not older than `since_unix_s`, in order.
  [[nodiscard]] std::vector<audit::Record> audit_records(std::int64_t since_unix_s,
                                                         std::uint32_t limit);
  /// The newest head.
  [[nodiscard]] std::optional<audit::SignedHead> audit_head();
  /// Signs and keeps the newest record's head if that has none yet, and returns the newest head;
  /// none while there is no record.
  std::optional<audit::SignedHead> sign_audit_head(const seal::SigningKey& key,
                                                   std::int64_t now_unix_s);
  /// Reads the whole log, as it is at one moment.
  [[nodiscard]] audit::Report check_audit(const seal::VerifyingKey& key,
                                          const std::optional<audit::SignedHead>& kept);

  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

 private:
  friend class AtomicSection;
  friend class Transaction;

  explicit Store(std::unique_ptr<Connection> connection);

  static int schema_version(Connection& connection);
  static void migrate(Connection& connection);
  /// Errors: kUnsupportedVersion.
  static int require_known_version(Connection& connection);
  static void read_identity(Connection& connection);
  void copy_to(Connection& target);
  void raise_floors(std::int64_t now_unix_s);
  void void_tokens(const std::string& by, std::int64_t now_unix_s);
  bool is_forgotten(const PublicKey& key);
  [[nodiscard]] RoundTotals totals(std::uint32_t round);

  std::unique_ptr<Connection> connection_;
};

/// Makes the calls between construction and commit() one: all or nothing, seen by others at once.
/// Without commit() the destructor undoes them. Not nested.
class Transaction {
 public:
  /// kRead: a snapshot, others may write meanwhile. kWrite: waits for other writers first.
  enum class Kind : std::uint8_t { kRead, kWrite };

  explicit Transaction(Store& store, Kind kind = Kind::kWrite);
  ~Transaction();
  /// Returns when the changes are durable. On StoreError they are undone.
  void commit();

  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

 private:
  Store& store_;
  bool done_ = false;
};

}  // namespace skep::store
