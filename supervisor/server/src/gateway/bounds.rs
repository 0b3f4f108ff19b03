//! What one request is held to: the operator's limits for its plugin, cut down by the endpoints of its chain.
//! No clock and no IO; whoever counts the bytes and the time does that elsewhere.

use std::time::Duration;

use outboard_core::config::{Config, Gateway, PluginLimits};
use outboard_core::route::Endpoint;

/// The limits of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Of the request's body, in bytes.
    pub max_body: u64,
    /// From the end of the request to the head of its response.
    pub first_byte: Duration,
    /// In which at least a byte of either body must move.
    pub idle: Duration,
    /// From the request's head to the end of its response.
    pub total: Duration,
}

/// What the operator allows one plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    pub bounds: Bounds,
    /// Requests that it answers at a time.
    pub places: u32,
    /// Further ones that wait.
    pub queue: u32,
    pub queue_timeout: Duration,
}

/// What the operator allows all plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowances {
    general: Allowance,
    /// Those that have limits of their own, by the plugin's name.
    own: Vec<(String, Allowance)>,
}

impl Bounds {
    /// The least of these and those of each endpoint of `chain`.
    #[must_use]
    pub fn within<'e>(self, chain: impl IntoIterator<Item = &'e Endpoint>) -> Self {
        chain.into_iter().fold(self, |bounds, endpoint| Self {
            max_body: least(bounds.max_body, endpoint.max_body_bytes),
            first_byte: least(bounds.first_byte, endpoint.first_byte_timeout),
            idle: least(bounds.idle, endpoint.idle_timeout),
            total: least(bounds.total, endpoint.timeout),
        })
    }
}

fn least<T: Ord>(one: T, other: Option<T>) -> T {
    match other {
        Some(other) => one.min(other),
        None => one,
    }
}

impl Allowance {
    /// For tests and embedders that want no limits: far more than any configuration allows.
    pub const UNLIMITED: Self = Self {
        bounds: Bounds { max_body: u64::MAX, first_byte: FAR, idle: FAR, total: FAR },
        places: u32::MAX,
        queue: u32::MAX,
        queue_timeout: FAR,
    };

    fn new(gateway: &Gateway, own: &PluginLimits) -> Self {
        let bounds = Bounds {
            max_body: own.max_body.unwrap_or(gateway.max_body).as_u64(),
            first_byte: own.first_byte_timeout.unwrap_or(gateway.first_byte_timeout),
            idle: own.idle_timeout.unwrap_or(gateway.idle_timeout),
            total: own.request_timeout.unwrap_or(gateway.request_timeout),
        };
        Self {
            bounds,
            places: own.max_concurrent_requests.unwrap_or(gateway.max_concurrent_requests),
            queue: gateway.queue,
            queue_timeout: gateway.queue_timeout,
        }
    }
}

const FAR: Duration = Duration::from_hours(365 * 24);

impl Allowances {
    /// The same for all plugins.
    pub fn equal(general: Allowance) -> Self {
        Self { general, own: Vec::new() }
    }

    /// Those that a configuration says.
    pub fn of(config: &Config) -> Self {
        let own = config.plugin_entries.iter().map(|entry| {
            (entry.name.as_str().to_owned(), Allowance::new(&config.gateway, &entry.limits))
        });
        Self {
            general: Allowance::new(&config.gateway, &PluginLimits::default()),
            own: own.collect(),
        }
    }

    /// That of one plugin.
    pub fn plugin(&self, name: &str) -> Allowance {
        let own = self.own.iter().find(|(plugin, _)| plugin == name);
        own.map_or(self.general, |(_, own)| *own)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use outboard_core::config::{RawConfig, Surroundings};
    use outboard_core::route::{EndpointSpec, Endpoints};

    use super::*;

    const OPERATOR: Bounds = Bounds {
        max_body: 1000,
        first_byte: Duration::from_secs(10),
        idle: Duration::from_secs(20),
        total: Duration::from_secs(30),
    };

    fn chain(specs: Vec<EndpointSpec>) -> Vec<Arc<Endpoint>> {
        let mut endpoints = Endpoints::default();
        endpoints.add(specs).unwrap();
        endpoints.table().endpoints().to_vec()
    }

    fn spec(id: u32) -> EndpointSpec {
        EndpointSpec { id, url: id.to_string(), ..EndpointSpec::default() }
    }

    fn config(text: &str) -> Config {
        let surroundings = Surroundings {
            working_dir: "/w".into(),
            data_dir: "/d".into(),
            runtime_dir: "/r".into(),
        };
        let file = Some((PathBuf::from("/w/outboard.toml"), text.to_owned()));
        RawConfig { file, surroundings, ..RawConfig::default() }.resolve().unwrap()
    }

    #[test]
    fn the_least_in_a_chain_counts_and_never_more_than_the_operators() {
        let chain = chain(vec![
            EndpointSpec { max_body_bytes: 2000, idle_timeout_ms: 5, ..spec(1) },
            EndpointSpec { max_body_bytes: 7, timeout_ms: 31_000, ..spec(2) },
            EndpointSpec { first_byte_timeout_ms: 1, timeout_ms: 29_000, ..spec(3) },
        ]);
        let expected = Bounds {
            max_body: 7,
            first_byte: Duration::from_millis(1),
            idle: Duration::from_millis(5),
            total: Duration::from_secs(29),
        };
        assert_eq!(OPERATOR.within(chain.iter().map(|it| &**it)), expected);
    }

    #[test]
    fn endpoints_that_say_nothing_change_nothing() {
        let chain = chain(vec![spec(1), spec(2)]);
        assert_eq!(OPERATOR.within(chain.iter().map(|it| &**it)), OPERATOR);
        assert_eq!(OPERATOR.within([]), OPERATOR);
    }

    #[test]
    fn a_plugins_own_limits_may_be_larger_and_smaller_than_the_others() {
        let allowances = Allowances::of(&config(
            "[gateway]\nmax_body = \"1MiB\"\nqueue = 7\n[[plugin]]\nname = \"files\"\n[plugin.limits]\n\
             max_body = \"1TiB\"\nidle_timeout = \"1s\"\nmax_concurrent_requests = 2\n",
        ));
        let (files, other) = (allowances.plugin("files"), allowances.plugin("other"));
        assert_eq!((files.bounds.max_body, files.places), (1 << 40, 2));
        assert_eq!((other.bounds.max_body, other.places), (1 << 20, 1000));
        assert_eq!(
            (files.bounds.idle, other.bounds.idle),
            (Duration::from_secs(1), Duration::from_mins(1))
        );
        assert_eq!(files.bounds.total, other.bounds.total);
        assert_eq!((files.queue, other.queue), (7, 7));
    }
}
