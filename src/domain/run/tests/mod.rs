//! Tests of the aggregate.
