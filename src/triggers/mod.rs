//! What can change a status. Each trigger is one pure `decide(facts, now)`.
