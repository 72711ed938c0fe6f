//! The exchange through its router, on a real SQLite file and on a real Postgres (when `LANDLINE_TEST_POSTGRES` names a
//! server on which databases may be made).

mod a2a_host;
mod agent_host;
mod agents;
mod ard;
mod at_once;
mod audit;
mod auth;
mod cards;
mod conventions;
mod direct;
mod discovery;
mod egress;
mod feed;
mod index;
mod listing;
mod meaning;
mod moderation;
mod presence;
mod pulse;
mod report;
mod stream;
mod submissions;
mod upkeep;
mod world;
