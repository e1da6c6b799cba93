// The tables.
#pragma once

namespace skep::store {

/// In the file's header, so that `file` and we can tell it from other databases: "SKEP".
inline constexpr int kApplicationId = 0x534B4550;

inline constexpr const char* kCreateTables = R"sql(
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

}  // namespace skep::store
