//! The spool against an exchange that may be restored, and a link that may break anywhere.
