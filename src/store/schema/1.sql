-- The agent's one database. Times are milliseconds since 1970 by this agent's clock.

-- Who this agent is; one row once it is bootstrapped.
CREATE TABLE identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    peer_id TEXT NOT NULL,          -- the id in peer.key, to notice a key file of another agent
    public_key TEXT NOT NULL,       -- base64
    name TEXT NOT NULL,             -- as bootstrapped; '' for none
    description TEXT NOT NULL,      -- local, never sent
    incarnation INTEGER NOT NULL,   -- the highest ever signed; stored before it is sent
    address TEXT,                   -- as advertised or settled; NULL before the first handshake
    deactivated INTEGER NOT NULL,   -- 1 once this agent is ended
    token_seed BLOB NOT NULL,       -- secret key of the access tokens
    created_at INTEGER NOT NULL,    -- bootstrap
    last_contact INTEGER            -- with any member, written once a day at most; NULL while it is new
) STRICT;

-- The issue of the license in use and the one before it.
CREATE TABLE license_issue (
    rank INTEGER PRIMARY KEY CHECK (rank IN (0, 1)), -- 0 current, 1 previous
    document TEXT NOT NULL          -- with its signature: the cluster's secret
) STRICT;

-- The members of the register, this agent included: the exact bytes that each signed.
CREATE TABLE peer (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 10), -- identity: the key's hash
    key BLOB NOT NULL,              -- the signer's public key
    payload BLOB NOT NULL,          -- the signed bytes
    signature BLOB NOT NULL,
    tags TEXT NOT NULL,             -- license tags, JSON
    status TEXT NOT NULL,           -- the last transition that was observed
    last_seen INTEGER,              -- as of that transition
    created_at INTEGER NOT NULL     -- when this agent first stored the member
) STRICT, WITHOUT ROWID;

-- Tombstones: announcements, kept for ever. One a subject.
CREATE TABLE ended (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 10), -- identity of the subject
    key BLOB NOT NULL,
    payload BLOB NOT NULL,
    signature BLOB NOT NULL,
    tags TEXT NOT NULL,
    name TEXT NOT NULL,             -- the subject's last name here, for services
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Services, deleted ones included: a deletion is final and is remembered for 90 days.
CREATE TABLE service (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    key BLOB NOT NULL,              -- the last editor's public key
    payload BLOB NOT NULL,
    signature BLOB NOT NULL,
    tags TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Peers that the operator hid from this agent's view. Never touches the register.
CREATE TABLE local_deletion (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 10),
    name TEXT NOT NULL,             -- the last name, for services
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Names that the operator gave on this agent.
CREATE TABLE local_name (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 10),
    name TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Members that have not yet acknowledged this agent's deactivation.
CREATE TABLE outbox (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 10), -- the addressee
    peer_id TEXT NOT NULL,
    key BLOB NOT NULL,              -- the addressee's public key: its acknowledgement is signed
    address TEXT NOT NULL,
    created_at INTEGER NOT NULL     -- given up 30 days later
) STRICT, WITHOUT ROWID;

-- Who may call the operator API.
CREATE TABLE credential (
    client_id TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL,      -- SHA-256; the secret has 256 random bits, so no salt is needed
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,           -- separated by spaces
    created_at INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;
