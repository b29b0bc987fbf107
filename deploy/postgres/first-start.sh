#!/bin/sh
# First start of the database: makes the role the server signs in with. It owns its database and may make the roles it works in,
# but is no superuser, for row-level security binds none.
set -eu
psql --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres <<'SQL'
\getenv password TOKENIM_DB_PASSWORD
CREATE ROLE tokenim LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE tokenim OWNER tokenim;
SQL
