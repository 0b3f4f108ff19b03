//! Endpoints that are not for everybody, by real sessions and keys.

use e2e::supervisor::http::Reply;

use super::*;

fn expect(reply: &Reply, status: u16) -> Result<()> {
    ensure!(reply.status == status, "expected {status}: {} {}", reply.status, reply.text());
    Ok(())
}

fn add_user(admin: &mut Client<'_>, username: &str, scopes: &[&str]) -> Result<()> {
    let user = json!({ "username": username, "password": PASSWORD, "scope": scopes });
    expect(&admin.post("/api/user/", &user)?, 200)
}

e2e::on_both_databases! {
    fn only_who_meets_a_requirement_passes(stage) {
        grant(&stage, &[])?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        add_user(&mut admin, "ann", &["g_profile"])?;
        let mut ann = supervisor.client();
        ann.sign_in("ann", PASSWORD)?;
        let mut nobody = supervisor.client();
        let mut forger = supervisor.client();
        forger.cookie = Some("x".repeat(128));
        for (path, for_ann, for_admin) in [
            ("/api/mock/only/signed-in", 200, 200),
            ("/api/mock/guarded/gold", 200, 200),
            ("/api/mock/only/admin", 403, 200),
            ("/api/mock/only/key", 403, 200),
            ("/api/mock/only/unknown", 403, 403),
        ] {
            expect(&nobody.get(path)?, 401)?;
            expect(&forger.get(path)?, 401)?;
            expect(&ann.get(path)?, for_ann)?;
            expect(&admin.get(path)?, for_admin)?;
        }
        let told = admin.get("/api/mock/only/admin")?.json()?;
        ensure!(told["username"] == "admin" && told["scopes"] == json!(["g_admin"]), "{told}");
        let told = ann.get("/api/mock/only/signed-in")?.json()?;
        let id = admin.get("/api/user/ann")?;
        ensure!(told["username"] == "ann" && told["user_id"].as_str().is_some(), "{told} {}", id.text());

        expect(&ann.delete("/api/auth/")?, 200)?;
        expect(&ann.get("/api/mock/only/signed-in")?, 401)?;
        Ok(())
    }

    fn a_password_that_must_be_changed_meets_no_requirement(stage) {
        grant(&stage, &[])?;
        let supervisor = stage.serve()?;
        let first = supervisor.first_password()?;
        let mut admin = supervisor.client();
        admin.sign_in("admin", &first)?;
        let guarded = ["/api/mock/only/signed-in", "/api/mock/only/admin", "/api/mock/guarded/gold"];
        let accept = "accept: text/html\r\nsec-fetch-mode: navigate\r\n";
        let origin = format!("http://{}", supervisor.address);
        for path in guarded {
            expect(&admin.get(path)?, 401)?;
            let led = admin.send("GET", path, accept, "")?;
            expect(&led, 302)?;
            let page = led.header("location").and_then(|to| to.strip_prefix(&origin));
            let page = page.with_context(|| format!("{path}: {:?}", led.headers))?;
            let page = admin.send("GET", page, accept, "")?;
            ensure!(page.text().contains("Choose a password"), "{path}: {}", page.text());
        }
        expect(&admin.change_password("admin", &first, PASSWORD)?, 200)?;
        for path in guarded {
            expect(&admin.get(path)?, 200)?;
        }
        Ok(())
    }

    fn a_key_will_do_where_the_plugin_says_so(stage) {
        grant(&stage, &[])?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let made = admin.post("/api/key/", &json!({ "scope": ["g_admin"] }))?;
        expect(&made, 200)?;
        let made = made.json()?;
        let key = made["key"].as_str().with_context(|| made.to_string())?;
        let mut program = supervisor.client();
        program.headers = format!("authorization: token {key}\r\n");
        let told = program.get("/api/mock/only/key")?;
        expect(&told, 200)?;
        ensure!(told.json()?["api_key"] == true, "{}", told.text());
        expect(&program.get("/api/mock/only/admin")?, 401)?;
        program.headers = format!("authorization: token x{}\r\n", &key[1..]);
        expect(&program.get("/api/mock/only/key")?, 401)?;
        Ok(())
    }

    fn a_browser_logs_in_and_comes_back(stage) {
        grant(&stage, &[])?;
        let supervisor = stage.serve()?;
        let mut browser = supervisor.client();
        let accept = "accept: text/html\r\nsec-fetch-mode: navigate\r\n";
        let reply = browser.send("GET", "/api/mock/only/admin?a=b%20c", accept, "")?;
        expect(&reply, 302)?;
        let origin = format!("http://{}", supervisor.address);
        let escaped = origin.replace(':', "%3a").replace('/', "%2f");
        let callback = format!("{escaped}%2fapi%2fmock%2fonly%2fadmin%3fa%3db%2520c");
        let expected = format!("{origin}/login.html?&scope=g_admin&callback_url={callback}");
        ensure!(reply.header("location") == Some(&*expected), "{:?}", reply.headers);
        let page = expected.strip_prefix(&origin).context("no path")?;
        let page = browser.send("GET", page, accept, "")?;
        expect(&page, 200)?;
        ensure!(page.text().contains("<form"), "no log-in page: {}", page.text());
        expect(&browser.send("GET", "/api/mock/only/admin?g_continue", accept, "")?, 401)
    }
}
