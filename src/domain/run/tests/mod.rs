//! Tests of the aggregate. `support` has the words they are written in; `table` has every pair of
//! state and command; the others tell stories.

mod activity;
mod approvals;
mod create;
mod golden;
mod nested;
mod notices;
mod outbox;
mod properties;
mod sessions;
mod stopping;
mod support;
mod table;
mod tasks;
mod work;
