//! Cases of go-plugin's wire against real Go plugins, named after their ids.

mod broker;
mod lifecycle;
mod tls;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut cases = tls::cases();
    cases.extend(lifecycle::cases());
    cases.extend(broker::cases());
    e2e::trials::main(cases)
}
