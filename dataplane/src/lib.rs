//! landline-dataplane
