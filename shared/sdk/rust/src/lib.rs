//! landline-client
