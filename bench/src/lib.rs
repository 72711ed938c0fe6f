//! landline-bench
