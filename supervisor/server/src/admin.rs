//! What operators reach: the control socket.

mod access;
mod ancestry;
pub mod control;
mod events;
mod imports;
mod people;

use tonic::Status;

/// How the names of things begin, and the commands that list them.
const LISTS: [(&str, &str); 6] = [
    ("user ", "user list"),
    ("client ", "client list"),
    ("scope ", "scope list"),
    ("scheme ", "scheme list"),
    ("session ", "session list USER"),
    ("API key ", "key list"),
];

/// There is no such thing, and where an operator sees those that there are.
fn not_found(thing: &str) -> Status {
    let known = LISTS.iter().find(|(kind, _)| thing.starts_with(kind));
    let advice = known.map_or_else(String::new, |(_, list)| {
        format!("; `outboard {list}` shows those that there are")
    });
    Status::not_found(format!("there is no {thing}{advice}"))
}
