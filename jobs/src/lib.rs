//! The job queue's runner and what leaves the system through it: mail.
