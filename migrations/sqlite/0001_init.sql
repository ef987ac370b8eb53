-- Instants are UTC epoch milliseconds; local dates and times are text as people write them.
-- The schedule tables are an interface: whoever writes them, a trigger marks the agent's plan stale.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- ---- the schedule: what people and the platform's programs write --------------------------------

CREATE TABLE workspaces (
    id                          TEXT PRIMARY KEY,
    name                        TEXT NOT NULL,
    ask_invisible_after_seconds BIGINT CHECK (ask_invisible_after_seconds > 0)
);

CREATE TABLE holidays (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    date         TEXT NOT NULL CHECK (date GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    PRIMARY KEY (workspace_id, date)
) WITHOUT ROWID;

CREATE TABLE agents (
    id                         TEXT PRIMARY KEY,
    workspace_id               TEXT NOT NULL REFERENCES workspaces (id),
    name                       TEXT NOT NULL,
    photo_url                  TEXT,
    timezone                   TEXT NOT NULL,
    locale                     TEXT,
    notify_start               BOOLEAN NOT NULL DEFAULT FALSE,
    notify_end                 BOOLEAN NOT NULL DEFAULT FALSE,
    auto_offline_after_minutes BIGINT CHECK (auto_offline_after_minutes > 0),
    receive_when_invisible     BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX agents_by_workspace ON agents (workspace_id, id);
CREATE INDEX agents_willing ON agents (workspace_id) WHERE receive_when_invisible;

CREATE TABLE operating_hours (
    agent_id   TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    day        TEXT NOT NULL CHECK (day IN ('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun')),
    start_time TEXT NOT NULL CHECK (start_time GLOB '[0-2][0-9]:[0-5][0-9]' AND start_time < '24:00'),
    end_time   TEXT NOT NULL CHECK (end_time GLOB '[0-2][0-9]:[0-5][0-9]' AND end_time <= '24:00'),
    PRIMARY KEY (agent_id, day, start_time, end_time),
    CHECK (start_time <> end_time)
) WITHOUT ROWID;

CREATE TABLE overrides (
    agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    date     TEXT NOT NULL CHECK (date GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    PRIMARY KEY (agent_id, date)
) WITHOUT ROWID;

CREATE TABLE override_slots (
    agent_id   TEXT NOT NULL,
    date       TEXT NOT NULL,
    start_time TEXT NOT NULL CHECK (start_time GLOB '[0-2][0-9]:[0-5][0-9]' AND start_time < '24:00'),
    end_time   TEXT NOT NULL CHECK (end_time GLOB '[0-2][0-9]:[0-5][0-9]' AND end_time <= '24:00'),
    PRIMARY KEY (agent_id, date, start_time, end_time),
    FOREIGN KEY (agent_id, date) REFERENCES overrides (agent_id, date) ON DELETE CASCADE,
    CHECK (start_time <> end_time)
) WITHOUT ROWID;

CREATE TABLE away (
    agent_id    TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    from_local  TEXT NOT NULL CHECK (from_local GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-2][0-9]:[0-5][0-9]'),
    until_local TEXT NOT NULL CHECK (until_local GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-2][0-9]:[0-5][0-9]'),
    PRIMARY KEY (agent_id, from_local, until_local),
    CHECK (from_local < until_local)
) WITHOUT ROWID;

-- How long before hours start an agent is told: so many minutes, or at a local time of the day before.
CREATE TABLE leads (
    agent_id   TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    minutes    BIGINT NOT NULL DEFAULT 0 CHECK (typeof(minutes) = 'integer' AND minutes BETWEEN 0 AND 10080),
    day_before TEXT NOT NULL DEFAULT '' CHECK (day_before = '' OR day_before GLOB '[0-2][0-9]:[0-5][0-9]' AND day_before < '24:00'),
    PRIMARY KEY (agent_id, minutes, day_before),
    CHECK ((minutes = 0) <> (day_before = ''))
) WITHOUT ROWID;

CREATE TABLE set_by_hand (
    agent_id TEXT PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    status   TEXT NOT NULL CHECK (status IN ('online', 'offline', 'invisible')),
    set_at   BIGINT NOT NULL,
    until_at BIGINT CHECK (until_at > set_at)
) WITHOUT ROWID;

CREATE TABLE devices (
    platform      TEXT NOT NULL CHECK (platform IN ('ios', 'android')),
    token         TEXT NOT NULL CHECK (token <> ''),
    agent_id      TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    environment   TEXT NOT NULL DEFAULT 'production' CHECK (environment IN ('production', 'sandbox')),
    state         TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'quarantined', 'disabled')),
    state_reason  TEXT,
    registered_at BIGINT NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),
    PRIMARY KEY (platform, token)
) WITHOUT ROWID;
CREATE INDEX devices_by_agent ON devices (agent_id);
-- Apple's tokens are hex digits, which mean the same in either case.
CREATE UNIQUE INDEX devices_ios ON devices (lower(token)) WHERE platform = 'ios';

-- Who an agent is in other products: an id there belongs to one agent.
CREATE TABLE external_ids (
    agent_id    TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    product     TEXT NOT NULL CHECK (product <> ''),
    external_id TEXT NOT NULL CHECK (external_id NOT IN ('', '.', '..')),
    PRIMARY KEY (agent_id, product),
    UNIQUE (product, external_id)
) WITHOUT ROWID;

-- Who a removed agent was there: the product is still to be told that the agent is off.
CREATE TABLE former_external_ids (
    agent_id    TEXT NOT NULL,
    product     TEXT NOT NULL,
    external_id TEXT NOT NULL,
    PRIMARY KEY (agent_id, product)
) WITHOUT ROWID;

-- ---- what the worker recorded ---------------------------------------------------------------------

CREATE TABLE agent_state (
    agent_id     TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    status       TEXT CHECK (status IN ('online', 'offline', 'invisible')),
    accepts      BOOLEAN NOT NULL DEFAULT FALSE,
    sequence     BIGINT NOT NULL DEFAULT 0 CHECK (sequence >= 0),
    effective_at BIGINT,
    evaluated_at BIGINT,
    boundary_at  BIGINT,
    lead_at      BIGINT,
    due_at       BIGINT,
    stale_at     BIGINT,
    no_reply_at  BIGINT,
    problem      TEXT,
    dispatch_id  TEXT,
    CHECK ((status IS NULL) = (sequence = 0))
) WITHOUT ROWID;
CREATE INDEX agent_state_due ON agent_state (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX agent_state_problem ON agent_state (agent_id) WHERE problem <> '';
CREATE INDEX agent_state_by_workspace ON agent_state (workspace_id, due_at);
CREATE INDEX agent_state_online ON agent_state (workspace_id) WHERE status = 'online';
CREATE INDEX agent_state_helping ON agent_state (agent_id) WHERE accepts AND status = 'invisible';

CREATE TABLE workspace_state (
    workspace_id TEXT PRIMARY KEY,
    mode         TEXT CHECK (mode IN ('live_chat', 'messaging')),
    sequence     BIGINT NOT NULL DEFAULT 0 CHECK (sequence >= 0),
    effective_at BIGINT,
    dirty_at     BIGINT,
    CHECK ((mode IS NULL) = (sequence = 0))
) WITHOUT ROWID;
CREATE INDEX workspace_state_dirty ON workspace_state (workspace_id) WHERE dirty_at IS NOT NULL;

-- The tables with wide rows and scattered ids keep their rows in the order in which they were written (they
-- have row ids): what is recorded, claimed and settled together is then on few pages, and every page that
-- a transaction touches is written.
CREATE TABLE transitions (
    id             TEXT NOT NULL PRIMARY KEY,
    workspace_id   TEXT NOT NULL,
    agent_id       TEXT,
    reason         TEXT NOT NULL,
    status         TEXT CHECK (status IN ('online', 'offline', 'invisible')),
    accepts        BOOLEAN NOT NULL DEFAULT FALSE,
    mode           TEXT CHECK (mode IN ('live_chat', 'messaging')),
    sequence       BIGINT CHECK (sequence >= 1),
    boundary_kind  TEXT CHECK (boundary_kind IN ('start', 'end')),
    boundary_at    BIGINT,
    counterpart_at BIGINT,
    missed         BOOLEAN NOT NULL DEFAULT FALSE,
    cause          TEXT,
    waiting_since  BIGINT,
    effective_at   BIGINT NOT NULL,
    recorded_at    BIGINT NOT NULL,
    CHECK ((agent_id IS NULL) = (mode IS NOT NULL)),
    CHECK ((boundary_kind IS NULL) = (boundary_at IS NULL)),
    CHECK ((cause IS NULL) = (waiting_since IS NULL))
);
CREATE UNIQUE INDEX transitions_agent_sequence ON transitions (agent_id, sequence) WHERE agent_id IS NOT NULL AND sequence IS NOT NULL;
CREATE INDEX transitions_cause ON transitions (workspace_id, cause) WHERE cause IS NOT NULL;
CREATE UNIQUE INDEX transitions_workspace_sequence ON transitions (workspace_id, sequence) WHERE agent_id IS NULL;

-- What is open: waiting for its due time, or under lease (`lease_until`). A delivery that ends moves to
-- `deliveries`, so that what is looked for at nine o'clock is in a small table. Most are recorded under
-- lease and gone a second later: the index of what is due holds only what waits, and a claim passes over
-- none of the others.
CREATE TABLE outbox (
    id             TEXT NOT NULL PRIMARY KEY,
    transition_id  TEXT NOT NULL,
    channel        TEXT NOT NULL CHECK (channel IN ('apns', 'fcm', 'presence')),
    workspace_id   TEXT NOT NULL,
    agent_id       TEXT,
    kind           TEXT NOT NULL,
    receiver       TEXT NOT NULL,
    boundary_at    BIGINT,
    counterpart_at BIGINT,
    sequence       BIGINT,
    deadline_at    BIGINT,
    created_at     BIGINT NOT NULL,
    due_at         BIGINT NOT NULL,
    reason         TEXT,
    tries          BIGINT NOT NULL DEFAULT 0 CHECK (tries >= 0),
    crashes        BIGINT NOT NULL DEFAULT 0 CHECK (crashes >= 0),
    batch_cap      BIGINT CHECK (batch_cap >= 1),
    revoked        TEXT,
    epoch          BIGINT NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    lease_until    BIGINT,
    worker         TEXT,
    started_at     BIGINT,
    CHECK ((lease_until IS NULL) = (worker IS NULL)),
    CHECK ((lease_until IS NULL) = (started_at IS NULL)),
    CHECK (lease_until IS NULL OR epoch > 0),
    CHECK (lease_until IS NOT NULL OR revoked IS NULL),
    CHECK ((channel = 'presence') = (sequence IS NOT NULL)),
    CHECK ((channel = 'presence') = (deadline_at IS NULL)),
    CHECK ((channel = 'presence') = (boundary_at IS NULL))
);
CREATE INDEX outbox_due ON outbox (channel, due_at) WHERE lease_until IS NULL;
CREATE INDEX outbox_alerts ON outbox (agent_id) WHERE channel <> 'presence';
CREATE UNIQUE INDEX outbox_event ON outbox (receiver, sequence) WHERE sequence IS NOT NULL;

-- What has ended, with the attempt that ended it, if one did. Written once: a delivery has one final
-- state. An alert's identity (agent, kind, boundary, phone) is in its id.
CREATE TABLE deliveries (
    id            TEXT NOT NULL PRIMARY KEY,
    transition_id TEXT NOT NULL,
    channel       TEXT NOT NULL CHECK (channel IN ('apns', 'fcm', 'presence')),
    workspace_id  TEXT NOT NULL,
    agent_id      TEXT,
    kind          TEXT NOT NULL,
    receiver      TEXT NOT NULL,
    boundary_at   BIGINT,
    sequence      BIGINT,
    deadline_at   BIGINT,
    created_at    BIGINT NOT NULL,
    due_at        BIGINT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('sent', 'failed', 'expired', 'superseded', 'cancelled')),
    reason        TEXT,
    tries         BIGINT NOT NULL CHECK (tries >= 0),
    epoch         BIGINT NOT NULL CHECK (epoch >= 0),
    receipt       TEXT,
    settled_at    BIGINT NOT NULL,
    worker        TEXT,
    started_at    BIGINT,
    outcome       TEXT,
    http_status   BIGINT,
    CHECK (state <> 'sent' OR outcome IS NOT NULL),
    CHECK (outcome IS NULL OR epoch > 0),
    CHECK ((outcome IS NULL) = (worker IS NULL)),
    CHECK ((outcome IS NULL) = (started_at IS NULL)),
    CHECK ((channel = 'presence') = (sequence IS NOT NULL)),
    CHECK ((channel = 'presence') = (deadline_at IS NULL)),
    CHECK ((channel = 'presence') = (boundary_at IS NULL))
);
CREATE INDEX deliveries_alerts ON deliveries (agent_id, created_at) WHERE channel <> 'presence';
CREATE UNIQUE INDEX deliveries_event ON deliveries (receiver, sequence) WHERE sequence IS NOT NULL;
CREATE INDEX deliveries_by_time ON deliveries (created_at);

-- What is leased as it is recorded is one row a batch: its deliveries, each an array in a JSON text, and
-- what they came to, by the batch as it becomes known. It is taken apart, into `outbox` and `deliveries`,
-- as soon as one of them is needed by itself, at the latest at `unpack_at`.
CREATE TABLE dispatches (
    id          TEXT NOT NULL PRIMARY KEY,
    worker      TEXT NOT NULL,
    started_at  BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    unpack_at   BIGINT NOT NULL,
    count       BIGINT NOT NULL,
    deliveries  TEXT NOT NULL
);
CREATE INDEX dispatches_due ON dispatches (unpack_at);
CREATE TABLE outcomes (
    dispatch_id TEXT NOT NULL,
    first       TEXT NOT NULL,
    count       BIGINT NOT NULL,
    ended       TEXT NOT NULL,
    PRIMARY KEY (dispatch_id, first)
);
CREATE VIEW dispatched AS
SELECT dispatches.id AS dispatch_id, worker, started_at, lease_until,
       m.value->>0 AS id, m.value->>1 AS transition_id, m.value->>2 AS channel, m.value->>3 AS workspace_id,
       m.value->>4 AS agent_id, m.value->>5 AS kind, m.value->>6 AS receiver, m.value->>7 AS boundary_at,
       m.value->>8 AS counterpart_at, m.value->>9 AS sequence, m.value->>10 AS deadline_at, m.value->>11 AS created_at
FROM dispatches CROSS JOIN json_each(deliveries) AS m;
CREATE VIEW dispatched_outcomes AS
SELECT dispatch_id,
       e.value->>0 AS id, e.value->>1 AS state, e.value->>2 AS reason, e.value->>3 AS cost, e.value->>4 AS receipt,
       e.value->>5 AS settled_at, e.value->>6 AS outcome, e.value->>7 AS http_status
FROM outcomes CROSS JOIN json_each(ended) AS e;

-- Attempts that are over and did not end their delivery. The one under way is its delivery's lease.
CREATE TABLE attempts (
    delivery_id TEXT NOT NULL,
    epoch       BIGINT NOT NULL CHECK (epoch > 0),
    worker      TEXT NOT NULL,
    started_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    outcome     TEXT NOT NULL,
    late        BOOLEAN NOT NULL DEFAULT FALSE,
    http_status BIGINT,
    reason      TEXT,
    retry_at    BIGINT,
    PRIMARY KEY (delivery_id, epoch)
) WITHOUT ROWID;

-- The delivery log: what is open and what has ended, in the same columns.
CREATE VIEW open_deliveries AS
SELECT id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at, sequence, deadline_at, created_at,
       due_at, CASE WHEN lease_until IS NULL THEN 'pending' ELSE 'leased' END AS state, reason, tries, epoch,
       CAST(NULL AS TEXT) AS receipt, CAST(NULL AS BIGINT) AS settled_at
FROM outbox;
CREATE VIEW ended_deliveries AS
SELECT id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at, sequence, deadline_at, created_at,
       due_at, state, reason, tries, epoch, receipt, settled_at
FROM deliveries;
CREATE VIEW dispatched_deliveries AS
SELECT d.id, d.transition_id, d.channel, d.workspace_id, d.agent_id, d.kind, d.receiver, d.boundary_at, d.sequence,
       d.deadline_at, d.created_at, d.created_at AS due_at, coalesce(o.state, 'leased') AS state, o.reason,
       coalesce(o.cost, 0) AS tries, CAST(1 AS BIGINT) AS epoch, o.receipt, o.settled_at, d.worker, d.started_at,
       o.outcome, o.http_status
FROM dispatched d LEFT JOIN dispatched_outcomes o ON o.dispatch_id = d.dispatch_id AND o.id = d.id;
CREATE VIEW delivery_log AS
SELECT * FROM open_deliveries
UNION ALL
SELECT * FROM ended_deliveries
UNION ALL
SELECT id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at, sequence, deadline_at, created_at,
       due_at, state, reason, tries, epoch, receipt, settled_at
FROM dispatched_deliveries;

CREATE VIEW attempt_log AS
SELECT delivery_id, epoch, worker, started_at, finished_at, outcome, late, http_status, reason, retry_at
FROM attempts
UNION ALL
SELECT id, epoch, worker, started_at, settled_at, outcome, FALSE, http_status, reason, CAST(NULL AS BIGINT)
FROM deliveries WHERE outcome IS NOT NULL
UNION ALL
SELECT id, epoch, worker, started_at, CAST(NULL AS BIGINT), CAST(NULL AS TEXT), FALSE, CAST(NULL AS BIGINT),
       CAST(NULL AS TEXT), CAST(NULL AS BIGINT)
FROM outbox WHERE lease_until IS NOT NULL
UNION ALL
SELECT id, epoch, worker, started_at, settled_at, outcome, FALSE, http_status, reason, CAST(NULL AS BIGINT)
FROM dispatched_deliveries;

-- A final state stays final. An operator's retry takes the row out and opens the delivery again.
CREATE TRIGGER deliveries_final BEFORE UPDATE ON deliveries
BEGIN
    SELECT RAISE(ABORT, 'a final delivery state is final');
END;

-- ---- a chat product that is driven -------------------------------------------------------------------
-- Online may be a lease, which is renewed for whoever gets conversations; whoever claims a renewal puts
-- the next one off. What the product was seen to show is kept, so that a difference is told from one
-- that somebody made there. One walk goes through all agents, whatever the workers.

CREATE TABLE presence_leases (
    agent_id TEXT PRIMARY KEY,
    renew_at BIGINT NOT NULL
);
CREATE INDEX presence_leases_due ON presence_leases (renew_at);

CREATE TABLE presence_seen (
    agent_id  TEXT PRIMARY KEY,
    confirmed BIGINT NOT NULL DEFAULT 0,
    mended    BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE presence_walk (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    after_agent TEXT NOT NULL DEFAULT '',
    begun_at    BIGINT NOT NULL DEFAULT 0,
    step_at     BIGINT NOT NULL DEFAULT 0
);
INSERT INTO presence_walk (one) VALUES (1);

-- ---- what the platform reports of its conversations --------------------------------------------------
-- Of each: how far it is answered, who has it since when, and what the visitor said after the answer.
-- The platform's agents need not be known here, so `agent_id` refers to nobody.

CREATE TABLE conversations (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    agent_id     TEXT,
    assigned_at  BIGINT NOT NULL DEFAULT 0,
    answered_at  BIGINT NOT NULL DEFAULT 0,
    heard_at     BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
) WITHOUT ROWID;
CREATE INDEX conversations_by_agent ON conversations (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX conversations_heard ON conversations (heard_at);

CREATE TABLE unanswered (
    workspace_id    TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    said_at         BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, conversation_id, said_at),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversations (workspace_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX unanswered_longest ON unanswered (workspace_id, said_at);

-- Reports that were heard, for a day: what comes twice counts once.
CREATE TABLE reports (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    heard_at     BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
) WITHOUT ROWID;
CREATE INDEX reports_heard ON reports (heard_at);

-- ---- whoever writes the schedule, the plan is stale ------------------------------------------------

CREATE TRIGGER agents_added AFTER INSERT ON agents BEGIN
    INSERT INTO agent_state (agent_id, workspace_id, due_at, stale_at)
    VALUES (NEW.id, NEW.workspace_id, 0, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))
    ON CONFLICT (agent_id) DO UPDATE SET due_at = 0, stale_at = excluded.stale_at WHERE agent_state.stale_at IS NULL;
END;
CREATE TRIGGER agents_changed AFTER UPDATE ON agents
WHEN NEW.timezone IS NOT OLD.timezone OR NEW.workspace_id IS NOT OLD.workspace_id
  OR NEW.notify_start IS NOT OLD.notify_start OR NEW.notify_end IS NOT OLD.notify_end OR NEW.id IS NOT OLD.id
  OR NEW.auto_offline_after_minutes IS NOT OLD.auto_offline_after_minutes
  OR NEW.receive_when_invisible IS NOT OLD.receive_when_invisible
BEGIN
    INSERT INTO agent_state (agent_id, workspace_id, due_at, stale_at)
    VALUES (NEW.id, NEW.workspace_id, 0, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))
    ON CONFLICT (agent_id) DO UPDATE SET due_at = 0, stale_at = excluded.stale_at WHERE agent_state.stale_at IS NULL;
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id = OLD.id AND stale_at IS NULL;
END;
CREATE TRIGGER agents_leaving BEFORE DELETE ON agents BEGIN
    INSERT INTO former_external_ids (agent_id, product, external_id)
    SELECT agent_id, product, external_id FROM external_ids WHERE agent_id = OLD.id
    ON CONFLICT (agent_id, product) DO UPDATE SET external_id = excluded.external_id;
END;
-- A writer that has foreign keys off (the sqlite3 shell, by default) must leave no orphans either.
CREATE TRIGGER agents_removed AFTER DELETE ON agents BEGIN
    DELETE FROM operating_hours WHERE agent_id = OLD.id;
    DELETE FROM override_slots WHERE agent_id = OLD.id;
    DELETE FROM overrides WHERE agent_id = OLD.id;
    DELETE FROM away WHERE agent_id = OLD.id;
    DELETE FROM leads WHERE agent_id = OLD.id;
    DELETE FROM external_ids WHERE agent_id = OLD.id;
    DELETE FROM set_by_hand WHERE agent_id = OLD.id;
    DELETE FROM devices WHERE agent_id = OLD.id;
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id = OLD.id AND stale_at IS NULL;
END;
CREATE TRIGGER operating_hours_added AFTER INSERT ON operating_hours BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id = NEW.agent_id AND stale_at IS NULL;
END;
CREATE TRIGGER operating_hours_changed AFTER UPDATE ON operating_hours BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id IN (NEW.agent_id, OLD.agent_id) AND stale_at IS NULL;
END;
CREATE TRIGGER operating_hours_removed AFTER DELETE ON operating_hours BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id = OLD.agent_id AND stale_at IS NULL;
END;
CREATE TRIGGER overrides_added AFTER INSERT ON overrides BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id = NEW.agent_id AND stale_at IS NULL;
END;
CREATE TRIGGER overrides_changed AFTER UPDATE ON overrides BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id IN (NEW.agent_id, OLD.agent_id) AND stale_at IS NULL;
END;
CREATE TRIGGER overrides_removed AFTER DELETE ON overrides BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id = OLD.agent_id AND stale_at IS NULL;
END;
CREATE TRIGGER override_slots_added AFTER INSERT ON override_slots BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id = NEW.agent_id AND stale_at IS NULL;
END;
CREATE TRIGGER override_slots_changed AFTER UPDATE ON override_slots BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id IN (NEW.agent_id, OLD.agent_id) AND stale_at IS NULL;
END;
CREATE TRIGGER override_slots_removed AFTER DELETE ON override_slots BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id = OLD.agent_id AND stale_at IS NULL;
END;
CREATE TRIGGER away_added AFTER INSERT ON away BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id = NEW.agent_id AND stale_at IS NULL;
END;
CREATE TRIGGER away_changed AFTER UPDATE ON away BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id IN (NEW.agent_id, OLD.agent_id) AND stale_at IS NULL;
END;
CREATE TRIGGER away_removed AFTER DELETE ON away BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id = OLD.agent_id AND stale_at IS NULL;
END;
CREATE TRIGGER leads_added AFTER INSERT ON leads BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id = NEW.agent_id AND stale_at IS NULL;
END;
CREATE TRIGGER leads_changed AFTER UPDATE ON leads BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id IN (NEW.agent_id, OLD.agent_id) AND stale_at IS NULL;
END;
CREATE TRIGGER leads_removed AFTER DELETE ON leads BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id = OLD.agent_id AND stale_at IS NULL;
END;
CREATE TRIGGER set_by_hand_added AFTER INSERT ON set_by_hand BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id = NEW.agent_id AND stale_at IS NULL;
END;
CREATE TRIGGER set_by_hand_changed AFTER UPDATE ON set_by_hand BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id IN (NEW.agent_id, OLD.agent_id) AND stale_at IS NULL;
END;
CREATE TRIGGER set_by_hand_removed AFTER DELETE ON set_by_hand BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id = OLD.agent_id AND stale_at IS NULL;
END;
CREATE TRIGGER workspaces_changed AFTER UPDATE ON workspaces
WHEN NEW.ask_invisible_after_seconds IS NOT OLD.ask_invisible_after_seconds
BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE agent_id IN (SELECT id FROM agents WHERE workspace_id = NEW.id AND receive_when_invisible) AND stale_at IS NULL;
END;
CREATE TRIGGER holidays_added AFTER INSERT ON holidays BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE workspace_id = NEW.workspace_id AND stale_at IS NULL;
END;
CREATE TRIGGER holidays_changed AFTER UPDATE ON holidays BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE workspace_id IN (NEW.workspace_id, OLD.workspace_id) AND stale_at IS NULL;
END;
CREATE TRIGGER holidays_removed AFTER DELETE ON holidays BEGIN
    UPDATE agent_state SET due_at = 0, stale_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE workspace_id = OLD.workspace_id AND stale_at IS NULL;
END;

-- ---- who may ask, and what was asked for -----------------------------------------------------------

-- `hash` is the SHA-256 of the secret half, in hex; the secret itself is nowhere.
CREATE TABLE tokens (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    scope        TEXT NOT NULL CHECK (scope IN ('platform', 'agent', 'ops:read', 'ops:write', 'feed')),
    workspace_id TEXT,
    agent_id     TEXT,
    hash         TEXT NOT NULL CHECK (length(hash) = 64),
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT,
    CHECK ((scope IN ('agent', 'feed')) = (agent_id IS NOT NULL)),
    CHECK (agent_id IS NULL OR workspace_id IS NULL)
) WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_feed ON tokens (agent_id) WHERE scope = 'feed' AND revoked_at IS NULL;

-- What people and programs did, by name. `trace` is the W3C trace the request was part of.
CREATE TABLE audit (
    n            INTEGER PRIMARY KEY,
    at           BIGINT NOT NULL,
    actor        TEXT NOT NULL,
    action       TEXT NOT NULL,
    target       TEXT NOT NULL,
    workspace_id TEXT,
    trace        TEXT
);
CREATE INDEX audit_by_workspace ON audit (workspace_id, n);

-- Answers to POSTs that carried an Idempotency-Key, for a day. `request` is the SHA-256 of what was asked.
CREATE TABLE replies (
    token_id   TEXT NOT NULL,
    key        TEXT NOT NULL,
    request    TEXT NOT NULL,
    status     BIGINT NOT NULL,
    body       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (token_id, key)
) WITHOUT ROWID;
CREATE INDEX replies_by_time ON replies (created_at);

-- ---- for people: instants as readable UTC time ------------------------------------------------------

CREATE VIEW agent_status_readable AS
SELECT agent_id, workspace_id, status, accepts, sequence, problem,
       strftime('%Y-%m-%dT%H:%M:%fZ', effective_at / 1000.0, 'unixepoch') AS effective_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', evaluated_at / 1000.0, 'unixepoch') AS evaluated_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', boundary_at / 1000.0, 'unixepoch') AS next_boundary_at
FROM agent_state;

CREATE VIEW transitions_readable AS
SELECT id, workspace_id, agent_id, reason, status, mode, sequence, boundary_kind, missed,
       strftime('%Y-%m-%dT%H:%M:%fZ', boundary_at / 1000.0, 'unixepoch') AS boundary_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', effective_at / 1000.0, 'unixepoch') AS effective_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', recorded_at / 1000.0, 'unixepoch') AS recorded_at
FROM transitions;

CREATE VIEW deliveries_readable AS
SELECT id, transition_id, channel, workspace_id, agent_id, kind, state, reason, tries, epoch,
       strftime('%Y-%m-%dT%H:%M:%fZ', boundary_at / 1000.0, 'unixepoch') AS boundary_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', due_at / 1000.0, 'unixepoch') AS due_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', deadline_at / 1000.0, 'unixepoch') AS deadline_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', settled_at / 1000.0, 'unixepoch') AS settled_at
FROM delivery_log;
