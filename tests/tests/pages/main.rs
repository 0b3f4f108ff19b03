//! The host's pages, as people use them: without scripts, and in a browser.

mod browser;
mod forms;
mod leads;
mod login;
mod person;
mod profile;
mod steps;
