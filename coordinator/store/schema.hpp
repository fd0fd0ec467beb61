// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace sdfleet::coordinator {

/// Of the tables below. A release that changes them raises it and says here how the older ones are brought forward.
constexpr int schema_version = 2;

constexpr const char* create_schema = R"sql(
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,      -- 'schema_version', 'cluster', 'epoch'
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE jobs (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,   -- the order of submits
    id              TEXT NOT NULL UNIQUE,
    created_unix_ms INTEGER NOT NULL,
    is_cancelled    INTEGER NOT NULL DEFAULT 0,
    submit          BLOB NOT NULL                        -- the Submit message as on the wire, envelope included
);

CREATE TABLE ranks (             -- the actors that a split job was divided between
    job  TEXT NOT NULL,
    rank INTEGER NOT NULL,
    node TEXT NOT NULL,
    slot INTEGER NOT NULL,
    PRIMARY KEY (job, rank)
) WITHOUT ROWID;

CREATE TABLE outcomes (          -- of items that are done or failed; the others are queued, or cancelled with their job
    job        TEXT NOT NULL,
    item       INTEGER NOT NULL,
    state      INTEGER NOT NULL, -- proto::ItemState
    attempt    INTEGER NOT NULL,
    node       TEXT NOT NULL,
    slot       INTEGER NOT NULL,
    tries      INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    elapsed_ms INTEGER NOT NULL,
    error      TEXT NOT NULL,
    PRIMARY KEY (job, item)
) WITHOUT ROWID;

CREATE TABLE nodes (             -- what operators decided about nodes
    id          TEXT PRIMARY KEY,
    is_draining INTEGER NOT NULL,
    fenced      INTEGER NOT NULL -- the newest incarnation that is declared dead; 0: none
) WITHOUT ROWID;

CREATE TABLE artifacts (         -- the small ones; the others are files
    sha256  TEXT NOT NULL UNIQUE,
    content BLOB NOT NULL
);
)sql";

/// Brings the tables of version 1 forward.
constexpr const char* migrate_from_1 = R"sql(
CREATE TABLE nodes (
    id          TEXT PRIMARY KEY,
    is_draining INTEGER NOT NULL,
    fenced      INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE artifacts (
    sha256  TEXT NOT NULL UNIQUE,
    content BLOB NOT NULL
);
)sql";

} // namespace sdfleet::coordinator
