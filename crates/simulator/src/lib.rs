//! A platform that is none: quotes under a root of the installation's own, for machines without confidential hardware.
