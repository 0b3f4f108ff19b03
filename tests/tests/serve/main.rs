//! `outboard serve`: from a directory of plugins to answers over HTTP, through reloads and losses, to the end.

mod ending;
mod foreign;
mod instances;
mod losses;
mod reload;
mod secrets;
mod start;
mod store;
mod upgrade;
