//! landline-controlplane
