//! Who is on the other side: quotes, event logs, what they are bound to, and answers that only they can open.
