//! A security key in Chromium, on the host's own pages.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use e2e::supervisor::stage::Stage;
use e2e::{clients, places};
use serde_json::json;

use super::{PASSWORD, expect, scheme};

const LIMIT: Duration = Duration::from_mins(2);

/// Listens where the pages are said to be, which must be known before the supervisor starts: browsers bind keys to names,
/// not to addresses.
struct Front {
    listener: TcpListener,
}

impl Front {
    fn new() -> Result<Self> {
        Ok(Self { listener: TcpListener::bind("127.0.0.1:0")? })
    }

    fn origin(&self) -> Result<String> {
        Ok(format!("http://localhost:{}", self.listener.local_addr()?.port()))
    }

    /// Passes everything on, until the test ends.
    fn serve(self, to: SocketAddr) {
        thread::spawn(move || {
            for client in self.listener.incoming().flatten() {
                if let Ok(server) = TcpStream::connect(to) {
                    pass(&client, &server);
                    pass(&server, &client);
                }
            }
        });
    }
}

fn pass(from: &TcpStream, to: &TcpStream) {
    if let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) {
        thread::spawn(move || {
            // Either side may go first.
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}

#[test]
fn a_person_adds_a_security_key_and_logs_in_with_it() -> Result<()> {
    let front = Front::new()?;
    let origin = front.origin()?;
    let mut stage = Stage::with_mock()?;
    stage.install("webauthn")?;
    stage.set("OUTBOARD_EXTERNAL_URL", &origin);
    stage.configure(&format!(
        "[[instance]]\nplugin = \"mock\"\nname = \"mock\"\n{}",
        scheme("webauthn", "rp-name = \"Example\"")
            .replace("kind = \"scheme\"", "kind = \"scheme\"\ndisplay_name = \"Security key\"")
    ))?;
    let supervisor = stage.serve()?;
    let mut admin = supervisor.admin()?;
    let scope = json!({
        "name": "safe", "display_name": "The safe", "password_required": true,
        "scheme": { "g": [{ "scheme_type": "webauthn", "scheme_name": "webauthn" }] },
        "scheme_required": { "g": 1 },
    });
    expect(admin.post("/api/scope/", &scope), 200)?;
    let user = json!({ "username": "ann", "password": PASSWORD, "scope": ["g_profile", "safe"] });
    expect(admin.post("/api/user/", &user), 200)?;
    front.serve(supervisor.address);

    let callback = format!("{origin}/api/mock/hello/you").replace(':', "%3A").replace('/', "%2F");
    let plan = json!({
        "origin": origin, "username": "ann", "password": PASSWORD, "scheme": "Security key",
        "callback": "Hello, you!",
        "login": format!("{origin}/login.html?scope=safe&callback_url={callback}"),
    });
    let profile = stage.root().join("profile");
    let (chromium, plan) = (places::client("chromium")?, plan.to_string());
    let pictures = places::pictures("pages")?;
    let arguments =
        [chromium.as_os_str(), profile.as_os_str(), pictures.as_os_str(), plan.as_ref()];
    let done = clients::run(&mut clients::python("webauthn.py", &arguments)?, LIMIT)?.good()?;
    println!("{}", done.text());
    Ok(())
}
