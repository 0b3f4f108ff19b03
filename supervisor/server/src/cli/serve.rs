//! `outboard serve`: prepares what must be prepared before there are threads, and serves.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use outboard_jail::{Launcher, forbid_dumping, raise_open_files};
use outboard_proto::admin::v1 as admin;

use super::load::{Sources, load_config};
use super::output;
use crate::app::{self, Ready, Start};
use crate::environment::Environment;
use crate::identity::First;
use crate::plugin::Plugins;
use crate::telemetry;

/// Runs a supervisor to its end. Must be called before there are threads: the launcher is forked here.
pub(super) fn run(sources: Sources, environment: Environment) -> anyhow::Result<ExitCode> {
    let launcher =
        Launcher::fork().context("the launcher, which starts plugins, could not be forked")?;
    // After the fork: plugins get the limit that the supervisor was started with.
    raise_open_files().context("the limit on open files could not be raised")?;
    forbid_dumping().context("the supervisor's memory could not be protected")?;
    let config = load_config(&sources, &environment)?;
    telemetry::init(&config.log, &environment)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let reload_environment = environment.clone();
    let load = Box::new(move || Ok(load_config(&sources, &reload_environment)?));
    let start = Start { config, load, launcher, environment };
    let in_time = runtime.block_on(app::serve(start, Box::new(Table)))?;
    // A task that is stuck must not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(if in_time { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows what there is as soon as there is something to use.
struct Table;

impl Ready for Table {
    fn begun(&self, first: &First) {
        let First { username, password } = first;
        let told = output::line(&format!("first sign-in: {username} / {password}"));
        if let Err(error) = told {
            tracing::warn!(
                %error,
                "the first administrator's password could not be written; give it another one with \
                 `outboard user password {username}`"
            );
        }
    }

    fn ready(self: Box<Self>, plugins: &Plugins) {
        let url = plugins.external_url();
        let (plugins, containment) = plugins.list();
        let written = write(&plugins, &containment)
            .and_then(|()| output::line(&format!("people: {url}/profile.html")));
        if let Err(error) = written {
            tracing::debug!(%error, "nobody reads the table of plugins");
        }
    }
}

fn write(plugins: &[admin::Plugin], containment: &str) -> io::Result<()> {
    if plugins.is_empty() {
        return output::line("no plugins yet; put one into the plugins directory and send SIGHUP");
    }
    let mut table = output::table(["PLUGIN", "VERSION", "STATE", "START", "ENDPOINTS"]);
    for plugin in plugins {
        table.add_row([
            output::plain(&plugin.name),
            output::plain(&plugin.version),
            plugin.state().as_str_name().trim_start_matches("STATE_").to_lowercase(),
            started(plugin),
            endpoints(plugin),
        ]);
    }
    output::write_table(&table)?;
    plugins.iter().try_for_each(write_troubles)?;
    output::line(&format!("\ncontainment: {containment}"))?;
    match example(plugins) {
        Some(url) => output::line(&format!("try: curl {url}")),
        None => Ok(()),
    }
}

fn started(plugin: &admin::Plugin) -> String {
    match plugin.start_us {
        0 => "-".to_owned(),
        us => output::short(Duration::from_micros(us)),
    }
}

/// Its endpoints, a line each.
fn endpoints(plugin: &admin::Plugin) -> String {
    let endpoints = plugin.instances.iter().flat_map(|instance| &instance.endpoints);
    let lines = endpoints.map(|it| output::plain(&format!("{:6} {}", it.method, it.url)));
    let lines: Vec<_> = lines.collect();
    match (lines.is_empty(), plugin.foreign) {
        (true, true) => "(foreign: no endpoints)".to_owned(),
        (true, false) => "-".to_owned(),
        (false, _) => lines.join("\n"),
    }
}

/// What keeps a plugin from serving all that it should, below the table, where there is room.
fn write_troubles(plugin: &admin::Plugin) -> io::Result<()> {
    if !plugin.error.is_empty() {
        output::line("")?;
        output::line(&output::plain(&format!("{}: {}", plugin.name, plugin.error)))?;
    }
    for instance in &plugin.instances {
        for problem in &instance.problems {
            let (plugin, instance) = (&plugin.name, &instance.name);
            output::line("")?;
            output::line(&output::plain(&format!("{plugin}, instance {instance}: {problem}")))?;
        }
    }
    Ok(())
}

/// A URL that answers as it stands: GET, and nothing to fill in but names.
fn example(plugins: &[admin::Plugin]) -> Option<String> {
    let endpoints =
        plugins.iter().flat_map(|plugin| &plugin.instances).flat_map(|it| &it.endpoints);
    let mut urls: Vec<_> = endpoints
        .filter(|endpoint| {
            endpoint.method == "GET" && !endpoint.filter && !endpoint.url.ends_with('*')
        })
        .map(|endpoint| fill_in(&endpoint.url))
        .collect();
    // Greeting is what people expect to try first.
    urls.sort_by_key(|url| !url.contains("hello"));
    urls.into_iter().next()
}

/// Variables of the pattern become a word; those of the address are ports.
fn fill_in(url: &str) -> String {
    let segments = url.split('/').map(|segment| match segment.as_bytes().first() {
        Some(b':' | b'@') => "world",
        Some(_) | None => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_can_be_pasted_as_it_is() {
        let endpoint = |method: &str, url: &str| admin::Endpoint {
            method: method.to_owned(),
            url: url.to_owned(),
            ..Default::default()
        };
        let endpoints = vec![
            endpoint("POST", "http://127.0.0.1:4593/api/mock/hello"),
            endpoint("GET", "http://127.0.0.1:4593/api/mock/files/*"),
            endpoint("GET", "http://127.0.0.1:4593/api/mock/echo"),
            endpoint("GET", "http://127.0.0.1:4593/api/mock/hello/:name"),
        ];
        let instances = vec![admin::Instance { endpoints, ..Default::default() }];
        let plugins = [admin::Plugin { instances, ..Default::default() }];
        let url = example(&plugins).unwrap();
        assert_eq!(url, "http://127.0.0.1:4593/api/mock/hello/world");
    }
}
