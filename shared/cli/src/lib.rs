//! landline
