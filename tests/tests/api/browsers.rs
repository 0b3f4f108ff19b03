//! What browsers are told, and what they may do for pages of others.

use anyhow::{Context as _, ensure};
use e2e::on_both_databases;
use e2e::supervisor::api::COOKIE;
use e2e::supervisor::http;
use serde_json::json;

use super::{expect, names};

on_both_databases! {
    fn a_page_of_another_origin_changes_nothing_by_cookie(stage) {
        stage.configure("[cors]\norigins = [\"https://app.example\"]\n")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        let own = format!("http://{}", supervisor.address);
        let scope = |name: &str| json!({ "name": name, "display_name": name });
        for (headers, name, status) in [
            ("origin: null\r\n".to_owned(), "a", 403),
            ("origin: https://evil.example\r\n".to_owned(), "b", 403),
            ("sec-fetch-site: cross-site\r\n".to_owned(), "c", 403),
            ("sec-fetch-site: same-site\r\n".to_owned(), "d", 403),
            ("origin: null\r\nsec-fetch-site: same-origin\r\n".to_owned(), "e", 403),
            ("origin: https://app.example.evil\r\n".to_owned(), "f", 403),
            (format!("origin: {own}\r\n"), "g", 200),
            ("origin: https://app.example\r\nsec-fetch-site: cross-site\r\n".to_owned(), "h", 200),
            ("sec-fetch-site: same-origin\r\n".to_owned(), "i", 200),
            (String::new(), "j", 200),
        ] {
            let mut page = admin.clone();
            page.headers.clone_from(&headers);
            expect(page.post("/api/scope/", &scope(name)), status)?;
            let written = expect(admin.get(&format!("/api/scope/{name}")), if status == 200 { 200 } else { 404 });
            ensure!(written.is_ok(), "{headers:?}");
        }
        // Signing in is no exception: nobody is signed in as somebody else by a page.
        let mut page = supervisor.client();
        "origin: https://evil.example\r\n".clone_into(&mut page.headers);
        let body = json!({ "username": "admin", "password": e2e::supervisor::api::PASSWORD });
        names(&expect(page.post("/api/auth/", &body), 403)?, "a page of another origin")?;
        ensure!(page.cookie.is_none());
        Ok(())
    }

    fn only_listed_origins_may_read(stage) {
        stage.configure("[cors]\norigins = [\"https://app.example\"]\n")?;
        let supervisor = stage.serve()?;
        let mut admin = supervisor.admin()?;
        "origin: https://app.example\r\n".clone_into(&mut admin.headers);
        let reply = expect(admin.get("/api/profile"), 200)?;
        ensure!(reply.header("access-control-allow-origin") == Some("https://app.example"));
        ensure!(reply.header("access-control-allow-credentials") == Some("true"));
        for origin in ["https://evil.example", "null", "https://app.example.evil", "*"] {
            admin.headers = format!("origin: {origin}\r\n");
            let reply = expect(admin.get("/api/profile"), 200)?;
            ensure!(reply.header("access-control-allow-origin").is_none(), "{origin}: {reply:?}");
            ensure!(reply.header("vary").is_some_and(|vary| vary.contains("Origin")), "{reply:?}");
        }
        for (origin, allowed) in [("https://app.example", true), ("https://evil.example", false)] {
            let headers = format!("origin: {origin}\r\naccess-control-request-method: PUT\r\n");
            let reply = supervisor.request("OPTIONS", "/api/user/ada", &headers, "")?;
            ensure!(reply.status == 204, "{reply:?}");
            let methods = reply.header("access-control-allow-methods");
            ensure!(methods.is_some_and(|methods| methods.contains("PUT")) == allowed, "{reply:?}");
            ensure!(reply.header("access-control-allow-origin").is_some() == allowed, "{reply:?}");
        }
        Ok(())
    }

    fn every_answer_says_that_it_is_nobody_elses(stage) {
        let supervisor = stage.serve()?;
        for path in ["/api/profile", "/api/user", "/config", "/api/config"] {
            let reply = supervisor.get(path)?;
            for (name, value) in [
                ("cache-control", "no-store"), ("pragma", "no-cache"),
                ("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"),
            ] {
                ensure!(reply.header(name) == Some(value), "{path} {name}: {reply:?}");
            }
            let policy = reply.header("content-security-policy").unwrap_or_default();
            ensure!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        }
        let config = expect(supervisor.get("/config"), 200)?.json()?;
        let expected = json!({
            "api_prefix": "api", "admin_scope": "g_admin", "profile_scope": "g_profile", "delete_profile": "yes",
        });
        ensure!(config == expected, "{config}");
        let reply = supervisor.request("OPTIONS", "/api/user", "", "")?;
        ensure!(reply.status == 204 && reply.header("allow").is_some_and(|it| it.contains("POST")));
        ensure!(supervisor.request("PATCH", "/api/user", "", "")?.status == 405);
        ensure!(supervisor.get("/api/user/a/b")?.status == 404);
        ensure!(supervisor.get("/api//profile_list///")?.status == 401);
        Ok(())
    }

    fn the_operator_says_how_the_cookie_is(stage) {
        let mut stage = stage;
        stage.set("OUTBOARD_EXTERNAL_URL", "https://id.example");
        stage.configure(
            "[session]\ncookie = \"MINE\"\nsame_site = \"strict\"\n\
             domain = \"id.example\"\nexpires = \"1h\"\n",
        )?;
        let supervisor = stage.serve()?;
        let first = supervisor.first_password()?;
        let body = json!({ "username": "admin", "password": first });
        let reply = expect(supervisor.client().post("/api/auth/", &body), 200)?;
        let cookie = reply.header("set-cookie").unwrap_or_default();
        for part in ["MINE=", "; Secure", "; HttpOnly", "; SameSite=Strict", "; Domain=id.example"] {
            ensure!(cookie.contains(part), "{part}: {cookie}");
        }
        let age = cookie.split("Max-Age=").nth(1).and_then(|age| age.split(';').next());
        ensure!(age.is_some_and(|age| (3500..=3600).contains(&age.parse().unwrap_or(0))), "{cookie}");
        let value = cookie.trim_start_matches("MINE=").split(';').next().unwrap_or_default();
        let headers = format!("cookie: MINE={value}\r\norigin: https://id.example\r\n");
        ensure!(supervisor.request("GET", "/api/profile_list", &headers, "")?.status == 200);
        ensure!(supervisor.request("DELETE", "/api/auth", &headers, "")?.status == 200);
        ensure!(supervisor.request("GET", "/api/profile_list", &headers, "")?.status == 401);
        Ok(())
    }

    fn administrators_may_have_a_place_of_their_own(stage) {
        stage.install("mock")?;
        stage.configure("[admin]\nlisten = \"127.0.0.1:0\"\n")?;
        let supervisor = stage.serve()?;
        let line: serde_json::Value =
            serde_json::from_str(&supervisor.log.wait(0, "administrators are answered")?)?;
        let place: std::net::SocketAddr =
            line["address"].as_str().context("no address")?.parse()?;
        let admin = supervisor.admin()?;
        let headers = format!("cookie: {COOKIE}={}\r\n", admin.cookie.unwrap_or_default());
        for path in ["/api/user", "/api/client", "/api/scope", "/api/key", "/api/mod/type", "/api/delegate/admin/profile/session"] {
            let there = http::exchange(place, http::request("GET", path, &headers, ""))?;
            ensure!(there.status == 200, "{path}: {there:?}");
            let stranger = http::exchange(place, http::request("GET", path, "", ""))?;
            ensure!(stranger.status == 401, "{path}: {stranger:?}");
            let here = supervisor.request("GET", path, &headers, "")?;
            ensure!(here.status == 404, "{path}: {here:?}");
        }
        ensure!(supervisor.request("GET", "/api/profile", &headers, "")?.status == 200);
        let plugin = http::exchange(place, http::request("GET", "/api/mock/hello/you", "", ""))?;
        ensure!(plugin.status == 404, "no plugin is reached there: {plugin:?}");
        Ok(())
    }
}
