//! The bodies of abbado's fuzz targets.

pub mod bodies;
