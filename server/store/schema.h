// The tables, and how those of older versions become them.
#pragma once

#include <array>

#include "skep/store/store.h"

namespace skep::store {

/// In the file's header, so that `file` and we can tell it from other databases: "SKEP".
inline constexpr int kApplicationId = 0x534B4550;
/// The same of a backup, so that no gateway goes on with one as it is: "SKEB".
inline constexpr int kBackupApplicationId = 0x534B4542;

constexpr const char* kVersion1 = R"sql(
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
  name TEXT PRIMARY KEY,
  certificate BLOB NOT NULL,
  public_key BLOB NOT NULL UNIQUE CHECK (length(public_key) = 65),
  revoked INTEGER NOT NULL CHECK (revoked IN (0, 1)),
  revoke_reason TEXT NOT NULL,
  added_unix_s INTEGER NOT NULL,
  last_seen_unix_s INTEGER NOT NULL,
  last_round INTEGER NOT NULL
) STRICT;

CREATE TABLE models (
  version INTEGER PRIMARY KEY CHECK (version >= 1),
  rolls_back_to INTEGER NOT NULL,
  round INTEGER NOT NULL,
  state INTEGER NOT NULL CHECK (state IN (1, 2)),
  package BLOB NOT NULL
) STRICT;

CREATE TABLE rounds (
  id INTEGER PRIMARY KEY CHECK (id >= 1),
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 6),
  plan BLOB NOT NULL,
  signature BLOB NOT NULL CHECK (length(signature) = 64),
  base_version INTEGER NOT NULL REFERENCES models (version),
  opened_unix_s INTEGER NOT NULL,
  deadline_unix_s INTEGER NOT NULL,
  closed_unix_s INTEGER NOT NULL,
  refused INTEGER NOT NULL DEFAULT 0,
  bytes_down INTEGER NOT NULL DEFAULT 0,
  version INTEGER REFERENCES models (version),
  evaluation_samples INTEGER NOT NULL DEFAULT 0,
  evaluation_correct INTEGER NOT NULL DEFAULT 0,
  -- Frozen when the round is closed; computed from the updates until then.
  received INTEGER NOT NULL DEFAULT 0,
  bytes_up INTEGER NOT NULL DEFAULT 0,
  loss_q16 INTEGER
) STRICT;

-- At most one round is open or being aggregated.
CREATE UNIQUE INDEX one_open_round ON rounds ((1)) WHERE state IN (1, 2);

CREATE TABLE updates (
  round INTEGER NOT NULL REFERENCES rounds (id),
  device TEXT NOT NULL REFERENCES devices (name),
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  sealed BLOB,  -- NULL once the round is closed
  sealed_bytes INTEGER NOT NULL,
  sample_count INTEGER NOT NULL CHECK (sample_count >= 1),
  loss_q16 INTEGER NOT NULL,
  PRIMARY KEY (round, device)
) STRICT;
)sql";

// Revocations belong to keys, so that a name can come back with another one: a device is revoked if
// its key is. What version 1 did not record (who, when) is said as well as it can be.
constexpr const char* kVersion2 = R"sql(
CREATE TABLE revocations (
  id INTEGER PRIMARY KEY,  -- rises
  device TEXT NOT NULL REFERENCES devices (name),
  certificate BLOB NOT NULL,
  public_key BLOB NOT NULL UNIQUE CHECK (length(public_key) = 65),
  reason INTEGER NOT NULL CHECK (reason IN (0, 1, 3, 4, 5, 9)),
  note TEXT NOT NULL CHECK (length(CAST(note AS BLOB)) <= 200),
  revoked_by TEXT NOT NULL,
  revoked_unix_s INTEGER NOT NULL
) STRICT;

INSERT INTO revocations (device, certificate, public_key, reason, note, revoked_by, revoked_unix_s)
  SELECT name, certificate, public_key, 0, substr(revoke_reason, 1, 50), 'unknown',
         CAST(strftime('%s', 'now') AS INTEGER)
  FROM devices WHERE revoked = 1 ORDER BY name;

-- Updates that were refused, by reason (skep::Status): at most a row for each of both.
CREATE TABLE refusals (
  device TEXT NOT NULL REFERENCES devices (name),
  status INTEGER NOT NULL,
  count INTEGER NOT NULL,
  last_unix_s INTEGER NOT NULL,
  PRIMARY KEY (device, status)
) STRICT, WITHOUT ROWID;

-- Stored, but of a key that was revoked before the round was closed.
ALTER TABLE updates ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0 CHECK (left_out IN (0, 1));
UPDATE updates SET left_out = 1, sealed = NULL
  WHERE round IN (SELECT id FROM rounds WHERE state IN (1, 2))
    AND device IN (SELECT name FROM devices WHERE revoked = 1);

ALTER TABLE devices ADD COLUMN added_by TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE devices ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;
UPDATE devices SET accepted = (SELECT count(*) FROM updates WHERE device = name);
ALTER TABLE devices DROP COLUMN revoked;
ALTER TABLE devices DROP COLUMN revoke_reason;

-- One row: the number of the last revocation list.
CREATE TABLE revocation_list (number INTEGER NOT NULL) STRICT;
INSERT INTO revocation_list VALUES (0);
)sql";

// The audit log. What undoes these triggers leaves the chain of hashes broken.
constexpr const char* kVersion3 = R"sql(
CREATE TABLE audit (
  number INTEGER PRIMARY KEY CHECK (number >= 1),
  unix_s INTEGER NOT NULL,
  event INTEGER NOT NULL,
  actor_kind INTEGER NOT NULL,
  actor TEXT NOT NULL,
  origin TEXT NOT NULL,
  subject TEXT NOT NULL,
  value_before TEXT NOT NULL,
  value_after TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE audit_heads (
  number INTEGER PRIMARY KEY REFERENCES audit (number),
  unix_s INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  signature BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;

CREATE TRIGGER audit_insert BEFORE INSERT ON audit
WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM audit)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_heads_insert BEFORE INSERT ON audit_heads
WHEN NEW.number <= (SELECT coalesce(max(number), 0) FROM audit_heads)
BEGIN SELECT RAISE(ABORT, 'audit heads are append-only'); END;
CREATE TRIGGER audit_heads_update BEFORE UPDATE ON audit_heads
BEGIN SELECT RAISE(ABORT, 'audit heads are append-only'); END;
CREATE TRIGGER audit_heads_delete BEFORE DELETE ON audit_heads
BEGIN SELECT RAISE(ABORT, 'audit heads are append-only'); END;
)sql";

constexpr const char* kVersion4 = R"sql(
-- Enrolment by EST. Of a token's secret there is only the digest (skep/pki/enrolment_key.h).
CREATE TABLE enrolment_tokens (
  id TEXT PRIMARY KEY CHECK (length(id) = 16),
  secret_sha256 BLOB NOT NULL CHECK (length(secret_sha256) = 32),
  device TEXT NOT NULL,  -- the only name that it is for; '' = any new one
  allowed_uses INTEGER NOT NULL CHECK (allowed_uses >= 1),
  uses INTEGER NOT NULL DEFAULT 0 CHECK (uses BETWEEN 0 AND allowed_uses),
  made_unix_s INTEGER NOT NULL,
  made_by TEXT NOT NULL,
  expires_unix_s INTEGER NOT NULL,
  revoked_unix_s INTEGER NOT NULL DEFAULT 0,  -- 0 = not
  revoked_by TEXT NOT NULL DEFAULT ''
) STRICT;

-- What each use gave, so that a device that did not hear it can ask again.
CREATE TABLE enrolments (
  token TEXT NOT NULL REFERENCES enrolment_tokens (id),
  public_key BLOB NOT NULL CHECK (length(public_key) = 65),
  device TEXT NOT NULL REFERENCES devices (name),
  certificate BLOB NOT NULL,
  PRIMARY KEY (token, public_key)
) STRICT, WITHOUT ROWID;

-- A renewed certificate with another key takes the present one's place when it is first used.
ALTER TABLE devices ADD COLUMN next_certificate BLOB;
ALTER TABLE devices ADD COLUMN next_public_key BLOB CHECK (length(next_public_key) = 65);
ALTER TABLE devices ADD COLUMN renewed_unix_s INTEGER NOT NULL DEFAULT 0;  -- 0 = never
CREATE UNIQUE INDEX devices_next_public_key ON devices (next_public_key);

-- Certificates that were renewed for the same key: revoked with it, should that happen.
CREATE TABLE earlier_certificates (
  public_key BLOB NOT NULL CHECK (length(public_key) = 65),
  certificate BLOB NOT NULL
) STRICT;
CREATE INDEX earlier_certificates_key ON earlier_certificates (public_key);

-- One row: devices may know of rounds and versions up to these from a past that was lost when a
-- backup was restored.
CREATE TABLE floors (round INTEGER NOT NULL, model_version INTEGER NOT NULL) STRICT;
INSERT INTO floors VALUES (0, 0);

-- What is left of forgotten devices, so that their keys stay shut out and on the revocation list.
CREATE TABLE forgotten_keys (
  id INTEGER PRIMARY KEY,  -- rises, together with that of revocations
  key_sha256 BLOB NOT NULL CHECK (length(key_sha256) = 32),
  serial BLOB NOT NULL,  -- of each certificate of that key
  reason INTEGER NOT NULL CHECK (reason IN (0, 1, 3, 4, 5, 9)),
  revoked_unix_s INTEGER NOT NULL,
  UNIQUE (key_sha256, serial)
) STRICT;
)sql";

/// kSchemaSteps[v] makes version v + 1 of version v; version 0 is the empty file.
inline constexpr std::array kSchemaSteps{kVersion1, kVersion2, kVersion3, kVersion4};
static_assert(kSchemaSteps.size() == kSchemaVersion);

}  // namespace skep::store
