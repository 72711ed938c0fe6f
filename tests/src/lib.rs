//! landline-tests
