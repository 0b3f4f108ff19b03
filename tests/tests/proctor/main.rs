//! What Proctor does with its plugins, done by ours: the jobs example, proxies that ask whom to let in, Gate, and
//! Proctor's variables. Cases are named after their numbers in Proctor's own tests (`case_21_…`), and after the gaps
//! in these (`n11_…`).

mod backend;
mod caddy;
mod envoy;
mod example;
mod gate;
mod matrix;
mod nginx;
mod people;
mod proxy;
mod routes;
mod runs;
mod service;
mod traefik;
mod variables;
