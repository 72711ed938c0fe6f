//! landline-loadgen
