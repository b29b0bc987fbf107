//! Fences of PostgreSQL: the roles a server works in, row-level security on every table, and the short list of what is
//! exempt from it. They are put up anew at the end of every migration, in its transaction.

/// Works for one org: sees rows of the org that `tim.org` names, and none where it names none.
pub const APP: &str = "tim_app";
/// Appends to the message log and reads it, by explicit keys.
pub const LOG: &str = "tim_log";
/// Looks up what precedes the org: who signs in, whose key that is.
pub const AUTH: &str = "tim_auth";
/// Does what spans orgs: roll-up, jobs, the operators' area, import.
pub const WORKER: &str = "tim_worker";

/// What a role may do on a table without naming an org: table, role, privileges. All else is the org's own or the worker's.
pub const EXEMPT: &[(&str, &str, &str)] = &[
    // Look-ups that precede the org.
    ("account", AUTH, "SELECT, INSERT, UPDATE"),
    ("recovery_code", AUTH, "SELECT, INSERT, UPDATE, DELETE"),
    ("mail_link", AUTH, "SELECT, INSERT, UPDATE, DELETE"),
    ("console_session", AUTH, "SELECT, INSERT, UPDATE, DELETE"),
    ("form_nonce", AUTH, "SELECT, INSERT, DELETE"),
    ("api_key", AUTH, "SELECT"),
    ("signing_key", AUTH, "SELECT"),
    ("management_key", AUTH, "SELECT"),
    ("operator_key", AUTH, "SELECT"),
    ("app", AUTH, "SELECT"),
    ("app_origin", AUTH, "SELECT"),
    ("org", AUTH, "SELECT"),
    ("org_member", AUTH, "SELECT"),
    ("invitation", AUTH, "SELECT"),
    ("change", AUTH, "SELECT"),
    ("change_clock", AUTH, "SELECT"),
    ("job", AUTH, "SELECT, INSERT"),
    ("announcement", AUTH, "SELECT"),
    ("announcement_dismissal", AUTH, "SELECT, INSERT"),
    // The log.
    ("conversation", LOG, "SELECT, INSERT, UPDATE"),
    ("member", LOG, "SELECT, INSERT, UPDATE, DELETE"),
    ("receipt_tally", LOG, "SELECT, INSERT, UPDATE, DELETE"),
    // Deleting a message erases its content.
    ("message", LOG, "SELECT, INSERT, UPDATE"),
    ("message_state", LOG, "SELECT, INSERT, UPDATE"),
    ("reaction", LOG, "SELECT, INSERT, DELETE"),
    ("usage_append", LOG, "SELECT, INSERT"),
    ("app_user", LOG, "SELECT, INSERT"),
    ("log_epoch", LOG, "SELECT"),
    ("app", LOG, "SELECT"),
    ("member_ban", LOG, "SELECT, INSERT, DELETE"),
    ("member_before", LOG, "SELECT, INSERT, UPDATE, DELETE"),
    ("join_request", LOG, "SELECT, INSERT, DELETE"),
    ("user_block", LOG, "SELECT, INSERT, DELETE"),
    ("presence", LOG, "SELECT"),
    ("device_cursor", LOG, "SELECT, INSERT, UPDATE"),
    ("usage_receive", LOG, "SELECT, INSERT"),
    // Pieces of a live message go with its end.
    ("live_message", LOG, "SELECT, INSERT, UPDATE, DELETE"),
    ("live_piece", LOG, "SELECT, INSERT, DELETE"),
    ("upload", LOG, "SELECT, INSERT, UPDATE"),
    ("large_body", LOG, "SELECT, INSERT, UPDATE"),
    ("attachment", LOG, "SELECT, INSERT, UPDATE"),
    // A message that is deleted carries nothing any more.
    ("message_attachment", LOG, "SELECT, INSERT, DELETE"),
    // What belongs to no org and every org's work needs.
    ("change_clock", APP, "SELECT, UPDATE"),
    ("plan", AUTH, "SELECT"),
    ("plan_version", AUTH, "SELECT"),
    ("entitlement", AUTH, "SELECT"),
    ("plan", APP, "SELECT"),
    ("plan_version", APP, "SELECT"),
    ("entitlement", APP, "SELECT"),
];

/// Lets the owner of the tables see their rows for the rest of a transaction: a migration may move data.
pub(crate) const LIFT: &str = "
DO $lift$
DECLARE t record;
BEGIN
    FOR t IN SELECT oid::regclass AS name FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relforcerowsecurity
    LOOP
        EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', t.name);
    END LOOP;
END
$lift$;
";

/// Puts the fences up.
pub(crate) fn raise() -> String {
    let exempt: Vec<_> = EXEMPT.iter().map(|(table, role, what)| format!("('{table}', '{role}', '{what}')")).collect();
    [ROLES, &RAISE.replace("{exempt}", &exempt.join(", "))].concat()
}

/// Makes the roles where they are missing and lets the login that runs it work in them. A dump names them and holds none.
pub const ROLES: &str = "
DO $roles$
DECLARE
    r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['tim_app', 'tim_log', 'tim_auth', 'tim_worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', r);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
        IF NOT pg_has_role(current_user, r, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', r, current_user);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), r);
    END LOOP;
END
$roles$;
";

/// `current_setting` of a name that was set in an earlier transaction is an empty text.
const RAISE: &str = "
DO $fence$
DECLARE
    t record;
    x record;
    org text := 'NULLIF(current_setting(''tim.org'', true), '''')::uuid';
    own text;
    may text;
BEGIN
    FOR t IN
        SELECT c.relname AS name,
            EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped) AS has_org,
            EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'app_id' AND NOT a.attisdropped) AS has_app
        FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'seaql_migrations'
        ORDER BY c.relname
    LOOP
        FOR x IN SELECT policyname FROM pg_policies WHERE schemaname = current_schema() AND tablename = t.name LOOP
            EXECUTE format('DROP POLICY %I ON %I', x.policyname, t.name);
        END LOOP;
        EXECUTE format('REVOKE ALL ON %I FROM tim_app, tim_log, tim_auth, tim_worker', t.name);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t.name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t.name);
        -- What was noted stays as it is.
        may := CASE WHEN t.name = 'audit_event' THEN 'SELECT, INSERT' ELSE 'SELECT, INSERT, UPDATE, DELETE' END;
        EXECUTE format('GRANT %s ON %I TO tim_worker', may, t.name);
        EXECUTE format('CREATE POLICY spans_orgs ON %I TO tim_worker USING (true) WITH CHECK (true)', t.name);
        own := CASE
            WHEN t.name = 'org' THEN 'id = ' || org
            WHEN t.has_org THEN 'org_id = ' || org
            WHEN t.has_app THEN 'app_id IN (SELECT id FROM app)'
        END;
        IF own IS NOT NULL THEN
            EXECUTE format('GRANT %s ON %I TO tim_app', may, t.name);
            EXECUTE format('CREATE POLICY own ON %I TO tim_app USING (%s) WITH CHECK (%s)', t.name, own, own);
        END IF;
    END LOOP;
    FOR x IN SELECT * FROM (VALUES {exempt}) AS e(name, role, privileges) WHERE to_regclass(e.name) IS NOT NULL LOOP
        EXECUTE format('GRANT %s ON %I TO %I', x.privileges, x.name, x.role);
        EXECUTE format('CREATE POLICY %I ON %I TO %I USING (true) WITH CHECK (true)', 'exempt_' || x.role, x.name, x.role);
    END LOOP;
    -- An org sees the accounts of its members, and of those what it may show; early migrations lack some of the columns.
    SELECT string_agg(quote_ident(attname), ', ') INTO own FROM pg_attribute
        WHERE attrelid = to_regclass('account') AND attname IN ('id', 'email', 'verified_ms', 'totp_confirmed_ms');
    EXECUTE format('GRANT SELECT (%s) ON account TO tim_app', own);
    CREATE POLICY members ON account TO tim_app USING (id IN (SELECT account_id FROM org_member));
END
$fence$;
";
