-- Instants are UTC epoch milliseconds; local dates and times are text as people write them. Keys compare
-- byte by byte, as in SQLite, and not by a language's rules, which cost several times as much.
-- The schedule tables are an interface: whoever writes them, a trigger marks the agent's plan stale.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- ---- the schedule: what people and the platform's programs write --------------------------------

CREATE TABLE workspaces (
    id                          TEXT COLLATE "C" PRIMARY KEY,
    name                        TEXT NOT NULL,
    ask_invisible_after_seconds BIGINT CHECK (ask_invisible_after_seconds > 0)
);

CREATE TABLE holidays (
    workspace_id TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    date         TEXT NOT NULL CHECK (date ~ '^\d{4}-\d{2}-\d{2}$'),
    PRIMARY KEY (workspace_id, date)
);

CREATE TABLE agents (
    id                          TEXT COLLATE "C" PRIMARY KEY,
    workspace_id               TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id),
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

-- An agent's slots are an agent's and go with it: see `shiftbell_hours_have_agents` for why this is no foreign key.
CREATE TABLE operating_hours (
    agent_id   TEXT COLLATE "C" NOT NULL,
    day        TEXT NOT NULL CHECK (day IN ('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun')),
    start_time TEXT NOT NULL CHECK (CAST(CAST(start_time AS TIME) AS TEXT) = start_time || ':00' AND start_time COLLATE "C" < '24:00'),
    end_time   TEXT NOT NULL CHECK (CAST(CAST(end_time AS TIME) AS TEXT) = end_time || ':00'),
    PRIMARY KEY (agent_id, day, start_time, end_time),
    CHECK (start_time <> end_time)
);

CREATE TABLE overrides (
    agent_id TEXT COLLATE "C" NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    date     TEXT NOT NULL CHECK (date ~ '^\d{4}-\d{2}-\d{2}$'),
    PRIMARY KEY (agent_id, date)
);

CREATE TABLE override_slots (
    agent_id   TEXT COLLATE "C" NOT NULL,
    date       TEXT NOT NULL,
    start_time TEXT NOT NULL CHECK (CAST(CAST(start_time AS TIME) AS TEXT) = start_time || ':00' AND start_time COLLATE "C" < '24:00'),
    end_time   TEXT NOT NULL CHECK (CAST(CAST(end_time AS TIME) AS TEXT) = end_time || ':00'),
    PRIMARY KEY (agent_id, date, start_time, end_time),
    FOREIGN KEY (agent_id, date) REFERENCES overrides (agent_id, date) ON DELETE CASCADE,
    CHECK (start_time <> end_time)
);

CREATE TABLE away (
    agent_id    TEXT COLLATE "C" NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    from_local  TEXT NOT NULL CHECK (from_local ~ '^\d{4}-\d{2}-\d{2}T[0-2]\d:[0-5]\d$'),
    until_local TEXT NOT NULL CHECK (until_local ~ '^\d{4}-\d{2}-\d{2}T[0-2]\d:[0-5]\d$'),
    PRIMARY KEY (agent_id, from_local, until_local),
    CHECK (from_local COLLATE "C" < until_local)
);

-- How long before hours start an agent is told: so many minutes, or at a local time of the day before.
CREATE TABLE leads (
    agent_id   TEXT COLLATE "C" NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    minutes    BIGINT NOT NULL DEFAULT 0 CHECK (minutes BETWEEN 0 AND 10080),
    day_before TEXT COLLATE "C" NOT NULL DEFAULT '' CHECK (day_before = '' OR day_before ~ '^[0-2][0-9]:[0-5][0-9]$' AND day_before < '24:00'),
    PRIMARY KEY (agent_id, minutes, day_before),
    CHECK ((minutes = 0) <> (day_before = ''))
);

CREATE TABLE set_by_hand (
    agent_id TEXT COLLATE "C" PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    status   TEXT NOT NULL CHECK (status IN ('online', 'offline', 'invisible')),
    set_at   BIGINT NOT NULL,
    until_at BIGINT CHECK (until_at > set_at)
);

CREATE TABLE devices (
    platform      TEXT NOT NULL CHECK (platform IN ('ios', 'android')),
    token         TEXT COLLATE "C" NOT NULL CHECK (token <> ''),
    agent_id      TEXT COLLATE "C" NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    environment   TEXT NOT NULL DEFAULT 'production' CHECK (environment IN ('production', 'sandbox')),
    state         TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'quarantined', 'disabled')),
    state_reason  TEXT,
    registered_at BIGINT NOT NULL DEFAULT (CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)),
    PRIMARY KEY (platform, token)
);
CREATE INDEX devices_by_agent ON devices (agent_id);
-- Apple's tokens are hex digits, which mean the same in either case.
CREATE UNIQUE INDEX devices_ios ON devices (lower(token)) WHERE platform = 'ios';

-- Who an agent is in other products: an id there belongs to one agent.
CREATE TABLE external_ids (
    agent_id    TEXT COLLATE "C" NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    product     TEXT COLLATE "C" NOT NULL CHECK (product <> ''),
    external_id TEXT COLLATE "C" NOT NULL CHECK (external_id NOT IN ('', '.', '..')),
    PRIMARY KEY (agent_id, product),
    UNIQUE (product, external_id)
);

-- Who a removed agent was there: the product is still to be told that the agent is off.
CREATE TABLE former_external_ids (
    agent_id    TEXT COLLATE "C" NOT NULL,
    product     TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (agent_id, product)
);

-- ---- what the worker recorded ---------------------------------------------------------------------

CREATE TABLE agent_state (
    agent_id     TEXT COLLATE "C" PRIMARY KEY,
    workspace_id TEXT COLLATE "C" NOT NULL,
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
    dispatch_id  TEXT COLLATE "C",
    CHECK ((status IS NULL) = (sequence = 0))
);
CREATE INDEX agent_state_due ON agent_state (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX agent_state_problem ON agent_state (agent_id) WHERE problem <> '';
CREATE INDEX agent_state_by_workspace ON agent_state (workspace_id, due_at);
CREATE INDEX agent_state_online ON agent_state (workspace_id) WHERE status = 'online';
CREATE INDEX agent_state_helping ON agent_state (agent_id) WHERE accepts AND status = 'invisible';

CREATE TABLE workspace_state (
    workspace_id TEXT COLLATE "C" PRIMARY KEY,
    mode         TEXT CHECK (mode IN ('live_chat', 'messaging')),
    sequence     BIGINT NOT NULL DEFAULT 0 CHECK (sequence >= 0),
    effective_at BIGINT,
    dirty_at     BIGINT,
    CHECK ((mode IS NULL) = (sequence = 0))
);
CREATE INDEX workspace_state_dirty ON workspace_state (workspace_id) WHERE dirty_at IS NOT NULL;

CREATE TABLE transitions (
    id             TEXT COLLATE "C" PRIMARY KEY,
    workspace_id   TEXT COLLATE "C" NOT NULL,
    agent_id       TEXT COLLATE "C",
    reason         TEXT NOT NULL,
    status         TEXT CHECK (status IN ('online', 'offline', 'invisible')),
    accepts        BOOLEAN NOT NULL DEFAULT FALSE,
    mode           TEXT CHECK (mode IN ('live_chat', 'messaging')),
    sequence       BIGINT CHECK (sequence >= 1),
    boundary_kind  TEXT CHECK (boundary_kind IN ('start', 'end')),
    boundary_at    BIGINT,
    counterpart_at BIGINT,
    missed         BOOLEAN NOT NULL DEFAULT FALSE,
    cause          TEXT COLLATE "C",
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
    id             TEXT COLLATE "C" PRIMARY KEY,
    transition_id  TEXT COLLATE "C" NOT NULL,
    channel        TEXT NOT NULL CHECK (channel IN ('apns', 'fcm', 'presence')),
    workspace_id   TEXT COLLATE "C" NOT NULL,
    agent_id       TEXT COLLATE "C",
    kind           TEXT NOT NULL,
    receiver       TEXT COLLATE "C" NOT NULL,
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
    id            TEXT COLLATE "C" PRIMARY KEY,
    transition_id TEXT COLLATE "C" NOT NULL,
    channel       TEXT NOT NULL CHECK (channel IN ('apns', 'fcm', 'presence')),
    workspace_id  TEXT COLLATE "C" NOT NULL,
    agent_id      TEXT COLLATE "C",
    kind          TEXT NOT NULL,
    receiver      TEXT COLLATE "C" NOT NULL,
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
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    worker      TEXT NOT NULL,
    started_at  BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    unpack_at   BIGINT NOT NULL,
    count       BIGINT NOT NULL,
    deliveries  TEXT NOT NULL
);
-- Compressing it costs more than writing it.
ALTER TABLE dispatches ALTER COLUMN deliveries SET STORAGE EXTERNAL;
CREATE INDEX dispatches_due ON dispatches (unpack_at);
CREATE TABLE outcomes (
    dispatch_id TEXT COLLATE "C" NOT NULL,
    first       TEXT COLLATE "C" NOT NULL,
    count       BIGINT NOT NULL,
    ended       TEXT NOT NULL,
    PRIMARY KEY (dispatch_id, first)
);
ALTER TABLE outcomes ALTER COLUMN ended SET STORAGE EXTERNAL;
CREATE VIEW dispatched AS
SELECT dispatches.id AS dispatch_id, worker, started_at, lease_until,
       m.value->>0 AS id, m.value->>1 AS transition_id, m.value->>2 AS channel, m.value->>3 AS workspace_id,
       m.value->>4 AS agent_id, m.value->>5 AS kind, m.value->>6 AS receiver,
       CAST(m.value->>7 AS BIGINT) AS boundary_at, CAST(m.value->>8 AS BIGINT) AS counterpart_at,
       CAST(m.value->>9 AS BIGINT) AS sequence, CAST(m.value->>10 AS BIGINT) AS deadline_at,
       CAST(m.value->>11 AS BIGINT) AS created_at
FROM dispatches CROSS JOIN LATERAL jsonb_array_elements(CAST(deliveries AS jsonb)) AS m(value);
CREATE VIEW dispatched_outcomes AS
SELECT dispatch_id,
       e.value->>0 AS id, e.value->>1 AS state, e.value->>2 AS reason, CAST(e.value->>3 AS BIGINT) AS cost,
       e.value->>4 AS receipt, CAST(e.value->>5 AS BIGINT) AS settled_at, e.value->>6 AS outcome,
       CAST(e.value->>7 AS BIGINT) AS http_status
FROM outcomes CROSS JOIN LATERAL jsonb_array_elements(CAST(ended AS jsonb)) AS e(value);

-- Attempts that are over and did not end their delivery. The one under way is its delivery's lease.
CREATE TABLE attempts (
    delivery_id TEXT COLLATE "C" NOT NULL,
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
);

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
CREATE FUNCTION shiftbell_refuse_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a final delivery state is final';
END $$;
CREATE TRIGGER deliveries_final BEFORE UPDATE ON deliveries FOR EACH ROW EXECUTE FUNCTION shiftbell_refuse_final();

-- ---- a chat product that is driven -------------------------------------------------------------------
-- Online may be a lease, which is renewed for whoever gets conversations; whoever claims a renewal puts
-- the next one off. What the product was seen to show is kept, so that a difference is told from one
-- that somebody made there. One walk goes through all agents, whatever the workers.

CREATE TABLE presence_leases (
    agent_id TEXT COLLATE "C" PRIMARY KEY,
    renew_at BIGINT NOT NULL
);
CREATE INDEX presence_leases_due ON presence_leases (renew_at);

CREATE TABLE presence_seen (
    agent_id  TEXT COLLATE "C" PRIMARY KEY,
    confirmed BIGINT NOT NULL DEFAULT 0,
    mended    BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE presence_walk (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    after_agent TEXT COLLATE "C" NOT NULL DEFAULT '',
    begun_at    BIGINT NOT NULL DEFAULT 0,
    step_at     BIGINT NOT NULL DEFAULT 0
);
INSERT INTO presence_walk (one) VALUES (1);

-- ---- what the platform reports of its conversations --------------------------------------------------
-- Of each: how far it is answered, who has it since when, and what the visitor said after the answer.
-- The platform's agents need not be known here, so `agent_id` refers to nobody.

CREATE TABLE conversations (
    workspace_id TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT COLLATE "C" NOT NULL,
    agent_id     TEXT COLLATE "C",
    assigned_at  BIGINT NOT NULL DEFAULT 0,
    answered_at  BIGINT NOT NULL DEFAULT 0,
    heard_at     BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX conversations_by_agent ON conversations (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX conversations_heard ON conversations (heard_at);

CREATE TABLE unanswered (
    workspace_id    TEXT COLLATE "C" NOT NULL,
    conversation_id TEXT COLLATE "C" NOT NULL,
    said_at         BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, conversation_id, said_at),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversations (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX unanswered_longest ON unanswered (workspace_id, said_at);

-- Reports that were heard, for a day: what comes twice counts once.
CREATE TABLE reports (
    workspace_id TEXT COLLATE "C" NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id           TEXT COLLATE "C" NOT NULL,
    heard_at     BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX reports_heard ON reports (heard_at);

-- ---- whoever writes the schedule, the plan is stale ------------------------------------------------
-- One statement marks all the agents it touched, and wakes the workers when it commits. A row that is
-- marked already is marked again by each transaction: that locks it, so that no scan reads the schedule
-- as it was before and takes the mark away when it is through. (Once in a transaction is enough.)
-- Agents are locked in the order of their ids, here as everywhere: who waits does not wait in a ring.

CREATE FUNCTION shiftbell_mark_stale(ids TEXT[]) RETURNS void LANGUAGE sql AS $$
    UPDATE agent_state SET due_at = 0,
        stale_at = coalesce(agent_state.stale_at, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT))
    FROM (SELECT agent_id FROM agent_state
          WHERE agent_id = ANY (ids) AND (stale_at IS NULL OR xmin <> pg_current_xact_id()::xid)
          ORDER BY agent_id FOR UPDATE) AS held
    WHERE agent_state.agent_id = held.agent_id;
    SELECT pg_notify('shiftbell_schedule', '');
$$;

CREATE FUNCTION shiftbell_agents_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO agent_state (agent_id, workspace_id, due_at, stale_at)
    SELECT id, workspace_id, 0, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) FROM changed
    ORDER BY id
    ON CONFLICT (agent_id) DO UPDATE SET due_at = 0, stale_at = coalesce(agent_state.stale_at, excluded.stale_at);
    PERFORM pg_notify('shiftbell_schedule', '');
    RETURN NULL;
END $$;
CREATE TRIGGER agents_added AFTER INSERT ON agents
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_agents_added();

CREATE FUNCTION shiftbell_agents_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM operating_hours WHERE agent_id IN (SELECT id FROM was EXCEPT SELECT id FROM changed)) THEN
        RAISE foreign_key_violation USING MESSAGE = 'an agent who has operating hours keeps its id';
    END IF;
    INSERT INTO agent_state (agent_id, workspace_id, due_at, stale_at)
    SELECT n.id, n.workspace_id, 0, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) FROM changed n
    WHERE NOT EXISTS (SELECT 1 FROM was o WHERE o.id = n.id)
    ON CONFLICT (agent_id) DO UPDATE SET due_at = 0, stale_at = coalesce(agent_state.stale_at, excluded.stale_at);
    PERFORM shiftbell_mark_stale(array(
        SELECT coalesce(o.id, n.id) FROM was o FULL JOIN changed n ON n.id = o.id
        WHERE (n.timezone, n.workspace_id, n.notify_start, n.notify_end, n.auto_offline_after_minutes, n.receive_when_invisible)
              IS DISTINCT FROM
              (o.timezone, o.workspace_id, o.notify_start, o.notify_end, o.auto_offline_after_minutes, o.receive_when_invisible)));
    RETURN NULL;
END $$;
CREATE TRIGGER agents_changed AFTER UPDATE ON agents
REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_agents_changed();

CREATE FUNCTION shiftbell_agent_leaves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO former_external_ids (agent_id, product, external_id)
    SELECT agent_id, product, external_id FROM external_ids WHERE agent_id = OLD.id
    ON CONFLICT (agent_id, product) DO UPDATE SET external_id = excluded.external_id;
    RETURN OLD;
END $$;
CREATE TRIGGER agents_leaving BEFORE DELETE ON agents FOR EACH ROW EXECUTE FUNCTION shiftbell_agent_leaves();

CREATE FUNCTION shiftbell_agents_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM shiftbell_mark_stale(array(SELECT id FROM changed));
    DELETE FROM operating_hours WHERE agent_id IN (SELECT id FROM changed);
    RETURN NULL;
END $$;
CREATE TRIGGER agents_removed AFTER DELETE ON agents
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_agents_removed();

-- A foreign key asks for each slot, which is half the work of an import of a million; this asks once a statement. Like
-- a foreign key it holds the agents until the transaction ends: who removes one waits, and then takes the new
-- slots along. It fires before the marks (triggers do so by name), and so locks agents first, as a removal does.
CREATE FUNCTION shiftbell_hours_have_agents() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ids  TEXT[] := array(SELECT DISTINCT agent_id FROM changed);
    held BIGINT;
BEGIN
    SELECT count(*) INTO held FROM (SELECT 1 FROM agents WHERE id = ANY (ids) FOR KEY SHARE) AS a;
    IF held < cardinality(ids) THEN
        RAISE foreign_key_violation USING MESSAGE = 'operating hours of an agent who is not there';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER hours_have_agents_added AFTER INSERT ON operating_hours
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_hours_have_agents();
CREATE TRIGGER hours_have_agents_changed AFTER UPDATE ON operating_hours
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_hours_have_agents();

CREATE FUNCTION shiftbell_slots_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM shiftbell_mark_stale(array(SELECT DISTINCT agent_id FROM changed));
    RETURN NULL;
END $$;
CREATE FUNCTION shiftbell_slots_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM shiftbell_mark_stale(array(SELECT agent_id FROM changed UNION SELECT agent_id FROM was));
    RETURN NULL;
END $$;
CREATE TRIGGER operating_hours_added AFTER INSERT ON operating_hours
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_changed();
CREATE TRIGGER operating_hours_changed AFTER UPDATE ON operating_hours
REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_moved();
CREATE TRIGGER operating_hours_removed AFTER DELETE ON operating_hours
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_changed();
CREATE TRIGGER overrides_added AFTER INSERT ON overrides
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_changed();
CREATE TRIGGER overrides_changed AFTER UPDATE ON overrides
REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_moved();
CREATE TRIGGER overrides_removed AFTER DELETE ON overrides
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_changed();
CREATE TRIGGER override_slots_added AFTER INSERT ON override_slots
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_changed();
CREATE TRIGGER override_slots_changed AFTER UPDATE ON override_slots
REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_moved();
CREATE TRIGGER override_slots_removed AFTER DELETE ON override_slots
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_changed();
CREATE TRIGGER away_added AFTER INSERT ON away
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_changed();
CREATE TRIGGER away_changed AFTER UPDATE ON away
REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_moved();
CREATE TRIGGER away_removed AFTER DELETE ON away
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_changed();
CREATE TRIGGER leads_added AFTER INSERT ON leads
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_changed();
CREATE TRIGGER leads_changed AFTER UPDATE ON leads
REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_moved();
CREATE TRIGGER leads_removed AFTER DELETE ON leads
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_changed();
CREATE TRIGGER set_by_hand_added AFTER INSERT ON set_by_hand
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_changed();
CREATE TRIGGER set_by_hand_changed AFTER UPDATE ON set_by_hand
REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_moved();
CREATE TRIGGER set_by_hand_removed AFTER DELETE ON set_by_hand
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_slots_changed();
CREATE FUNCTION shiftbell_workspaces_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM shiftbell_mark_stale(array(
        SELECT a.id FROM agents a JOIN changed n ON n.id = a.workspace_id JOIN was o ON o.id = n.id
        WHERE a.receive_when_invisible
          AND n.ask_invisible_after_seconds IS DISTINCT FROM o.ask_invisible_after_seconds));
    RETURN NULL;
END $$;
CREATE TRIGGER workspaces_changed AFTER UPDATE ON workspaces
REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_workspaces_changed();
CREATE FUNCTION shiftbell_holidays_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM shiftbell_mark_stale(array(
        SELECT id FROM agents WHERE workspace_id IN (SELECT workspace_id FROM changed)));
    RETURN NULL;
END $$;
CREATE FUNCTION shiftbell_holidays_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM shiftbell_mark_stale(array(
        SELECT id FROM agents WHERE workspace_id IN (SELECT workspace_id FROM changed UNION SELECT workspace_id FROM was)));
    RETURN NULL;
END $$;
CREATE TRIGGER holidays_added AFTER INSERT ON holidays
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_holidays_changed();
CREATE TRIGGER holidays_changed AFTER UPDATE ON holidays
REFERENCING OLD TABLE AS was NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_holidays_moved();
CREATE TRIGGER holidays_removed AFTER DELETE ON holidays
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_holidays_changed();

CREATE FUNCTION shiftbell_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM shiftbell_mark_stale(array(SELECT agent_id FROM agent_state));
    RETURN NULL;
END $$;
CREATE FUNCTION shiftbell_agents_truncated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE operating_hours;
    RETURN NULL;
END $$;
CREATE TRIGGER agents_truncated AFTER TRUNCATE ON agents FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_agents_truncated();
CREATE TRIGGER operating_hours_truncated AFTER TRUNCATE ON operating_hours FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_truncated();
CREATE TRIGGER overrides_truncated AFTER TRUNCATE ON overrides FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_truncated();
CREATE TRIGGER override_slots_truncated AFTER TRUNCATE ON override_slots FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_truncated();
CREATE TRIGGER away_truncated AFTER TRUNCATE ON away FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_truncated();
CREATE TRIGGER leads_truncated AFTER TRUNCATE ON leads FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_truncated();
CREATE TRIGGER set_by_hand_truncated AFTER TRUNCATE ON set_by_hand FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_truncated();
CREATE TRIGGER holidays_truncated AFTER TRUNCATE ON holidays FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_truncated();

-- ---- who may ask, and what was asked for -----------------------------------------------------------

-- `hash` is the SHA-256 of the secret half, in hex; the secret itself is nowhere.
CREATE TABLE tokens (
    id           TEXT COLLATE "C" PRIMARY KEY,
    name         TEXT NOT NULL,
    scope        TEXT NOT NULL CHECK (scope IN ('platform', 'agent', 'ops:read', 'ops:write', 'feed')),
    workspace_id TEXT COLLATE "C",
    agent_id     TEXT COLLATE "C",
    hash         TEXT NOT NULL CHECK (length(hash) = 64),
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT,
    CHECK ((scope IN ('agent', 'feed')) = (agent_id IS NOT NULL)),
    CHECK (agent_id IS NULL OR workspace_id IS NULL)
);
CREATE UNIQUE INDEX tokens_feed ON tokens (agent_id) WHERE scope = 'feed' AND revoked_at IS NULL;

-- What people and programs did, by name. `trace` is the W3C trace the request was part of.
CREATE TABLE audit (
    n            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           BIGINT NOT NULL,
    actor        TEXT NOT NULL,
    action       TEXT NOT NULL,
    target       TEXT NOT NULL,
    workspace_id TEXT COLLATE "C",
    trace        TEXT
);
CREATE INDEX audit_by_workspace ON audit (workspace_id, n);

-- Answers to POSTs that carried an Idempotency-Key, for a day. `request` is the SHA-256 of what was asked.
CREATE TABLE replies (
    token_id   TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    request    TEXT NOT NULL,
    status     BIGINT NOT NULL,
    body       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (token_id, key)
);
CREATE INDEX replies_by_time ON replies (created_at);

-- ---- for people: instants as readable UTC time ------------------------------------------------------

CREATE VIEW agent_status_readable AS
SELECT agent_id, workspace_id, status, accepts, sequence, problem,
       to_char(to_timestamp(effective_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS effective_at,
       to_char(to_timestamp(evaluated_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS evaluated_at,
       to_char(to_timestamp(boundary_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS next_boundary_at
FROM agent_state;

CREATE VIEW transitions_readable AS
SELECT id, workspace_id, agent_id, reason, status, mode, sequence, boundary_kind, missed,
       to_char(to_timestamp(boundary_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS boundary_at,
       to_char(to_timestamp(effective_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS effective_at,
       to_char(to_timestamp(recorded_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS recorded_at
FROM transitions;

CREATE VIEW deliveries_readable AS
SELECT id, transition_id, channel, workspace_id, agent_id, kind, state, reason, tries, epoch,
       to_char(to_timestamp(boundary_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS boundary_at,
       to_char(to_timestamp(due_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS due_at,
       to_char(to_timestamp(deadline_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS deadline_at,
       to_char(to_timestamp(created_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created_at,
       to_char(to_timestamp(settled_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS settled_at
FROM delivery_log;
