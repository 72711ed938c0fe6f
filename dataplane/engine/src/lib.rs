//! landline-engine
