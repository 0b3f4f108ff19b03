//! What each plugin is allowed, and its requests that are under way: one [`Quota`] for a plugin, whatever
//! processes and instances it has, so that neither a new generation nor a reload forgets who is in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use outboard_core::route::{Endpoint, Table};
use tokio::time::Instant;

use super::bounds::{Allowance, Allowances, Bounds};
use super::gate::{Full, Gate, Place};

/// The quotas of all plugins.
#[derive(Debug)]
pub struct Quotas(Mutex<All>);

#[derive(Debug)]
struct All {
    allowances: Allowances,
    quotas: HashMap<String, Arc<Quota>>,
}

/// What one plugin is allowed, and who is in.
#[derive(Debug)]
pub struct Quota {
    allowance: ArcSwap<Allowance>,
    gate: Arc<Gate>,
}

/// The gates of those endpoints of a table that have a limit of their own.
#[derive(Debug, Clone, Default)]
pub struct EndpointGates {
    /// By endpoint id.
    gates: Box<[(u32, Arc<Gate>)]>,
}

/// A request's places at its plugin and at its endpoints, to be held until its response has ended.
#[derive(Debug)]
#[must_use = "dropping it gives the places away"]
pub struct Places {
    _plugin: Place,
    _endpoints: Vec<Place>,
}

impl Quotas {
    pub fn new(allowances: Allowances) -> Self {
        Self(Mutex::new(All { allowances, quotas: HashMap::new() }))
    }

    /// The quota of a plugin; the same one as long as anybody holds it. Meant for when something is published,
    /// not for each request.
    pub fn plugin(&self, name: &str) -> Arc<Quota> {
        let mut all = self.all();
        if let Some(known) = all.quotas.get(name) {
            return known.clone();
        }
        let quota = Arc::new(Quota::new(all.allowances.plugin(name)));
        all.quotas.insert(name.to_owned(), quota.clone());
        quota
    }

    /// Allows from now on what `allowances` say, for requests that begin after this.
    pub fn reload(&self, allowances: Allowances) {
        let mut all = self.all();
        all.quotas.retain(|_, quota| Arc::strong_count(quota) > 1);
        for (plugin, quota) in &all.quotas {
            quota.allow(allowances.plugin(plugin));
        }
        all.allowances = allowances;
    }

    /// How many requests wait, by plugin.
    pub fn waiting(&self) -> Vec<(String, u64)> {
        let all = self.all();
        let waiting = all.quotas.iter().map(|(plugin, it)| (plugin.clone(), it.gate.waiting()));
        waiting.collect()
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without limits.
impl Default for Quotas {
    fn default() -> Self {
        Self::new(Allowances::equal(Allowance::UNLIMITED))
    }
}

impl Quota {
    fn new(allowance: Allowance) -> Self {
        Self { gate: Gate::new(allowance.places), allowance: ArcSwap::from_pointee(allowance) }
    }

    fn allow(&self, allowance: Allowance) {
        self.allowance.store(Arc::new(allowance));
        self.gate.set_places(allowance.places);
    }

    /// The operator's limits for a request; those of its endpoints come on top: see [`Bounds::within`].
    pub fn bounds(&self) -> Bounds {
        self.allowance.load().bounds
    }

    /// How long a request may wait for a place.
    pub fn patience(&self) -> Duration {
        self.allowance.load().queue_timeout
    }

    /// Places for a request, if no endpoint has a limit of its own and nobody waits. Who gets none here calls
    /// [`Self::enter`].
    pub fn try_enter(&self, gates: &EndpointGates) -> Option<Places> {
        let place = if gates.is_empty() { self.gate.try_enter() } else { None };
        place.map(|place| Places { _plugin: place, _endpoints: Vec::new() })
    }

    /// Places for a request that runs through `chain`, as soon as it is its turn, within the operator's bounds.
    /// Dropping the future gives up what it has got so far.
    pub async fn enter<'e>(
        &self,
        gates: &EndpointGates,
        chain: impl IntoIterator<Item = &'e Endpoint>,
    ) -> Result<Places, Full> {
        if let Some(places) = self.try_enter(gates) {
            return Ok(places);
        }
        let limited: Vec<_> = chain.into_iter().filter_map(|it| gates.get(it.id)).collect();
        self.wait(&limited).await
    }

    /// The endpoints' places first: whoever waits for one of those must not keep a place from other endpoints.
    async fn wait(&self, limited: &[&Arc<Gate>]) -> Result<Places, Full> {
        let Allowance { queue, queue_timeout, .. } = **self.allowance.load();
        let until = Instant::now() + queue_timeout;
        let mut endpoints = Vec::with_capacity(limited.len());
        for gate in limited {
            endpoints.push(gate.enter(queue, until).await?);
        }
        let plugin = self.gate.enter(queue, until).await?;
        Ok(Places { _plugin: plugin, _endpoints: endpoints })
    }
}

impl EndpointGates {
    /// The gates for `table`. Those that `before` has for the same ids stay, with whoever is in.
    #[must_use]
    pub fn of(table: &Table, before: &Self) -> Self {
        let limited = table.endpoints().iter().filter_map(|endpoint| {
            let places = endpoint.max_concurrent_requests?.get();
            let gate = before.get(endpoint.id).cloned().unwrap_or_else(|| Gate::new(places));
            gate.set_places(places);
            Some((endpoint.id, gate))
        });
        let mut gates: Vec<_> = limited.collect();
        gates.sort_unstable_by_key(|(id, _)| *id);
        Self { gates: gates.into() }
    }

    /// Whether no endpoint has a limit of its own.
    pub fn is_empty(&self) -> bool {
        self.gates.is_empty()
    }

    fn get(&self, id: u32) -> Option<&Arc<Gate>> {
        let at = self.gates.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(&self.gates[at].1)
    }
}

#[cfg(test)]
mod tests {
    use outboard_core::route::{EndpointSpec, Endpoints};

    use super::*;

    fn table(limits: &[(u32, u32)]) -> Table {
        let spec = |&(id, max_concurrent_requests)| EndpointSpec {
            id,
            url: id.to_string(),
            max_concurrent_requests,
            ..EndpointSpec::default()
        };
        let mut endpoints = Endpoints::default();
        endpoints.add(limits.iter().map(spec).collect()).unwrap();
        endpoints.table()
    }

    fn allowances(places: u32) -> Allowances {
        let queue_timeout = Duration::from_millis(20);
        Allowances::equal(Allowance { places, queue: 1, queue_timeout, ..Allowance::UNLIMITED })
    }

    async fn enter(quota: &Quota, gates: &EndpointGates, table: &Table) -> Result<Places, Full> {
        quota.enter(gates, table.endpoints().iter().map(|endpoint| &**endpoint)).await
    }

    #[tokio::test]
    async fn a_plugin_has_one_quota_over_all_that_it_publishes() {
        let quotas = Quotas::new(allowances(1));
        let (old, new, other) = (quotas.plugin("a"), quotas.plugin("a"), quotas.plugin("b"));
        let (table, none) = (table(&[(1, 0)]), EndpointGates::default());
        let place = enter(&old, &none, &table).await.unwrap();
        assert_eq!(enter(&new, &none, &table).await.unwrap_err(), Full::Timeout);
        drop(enter(&other, &none, &table).await.unwrap());
        drop(place);
        drop(enter(&new, &none, &table).await.unwrap());
    }

    #[tokio::test]
    async fn who_waits_for_an_endpoint_keeps_no_place_from_others() {
        let quota = Quotas::new(allowances(2)).plugin("a");
        let (limited, free) = (table(&[(1, 1)]), table(&[(2, 0)]));
        let gates = EndpointGates::of(&limited, &EndpointGates::default());
        let first = enter(&quota, &gates, &limited).await.unwrap();
        let (second, third) = tokio::join!(enter(&quota, &gates, &limited), async {
            tokio::task::yield_now().await;
            enter(&quota, &gates, &free).await
        });
        assert_eq!(second.unwrap_err(), Full::Timeout);
        drop((first, third.unwrap()));
        assert_eq!(quota.gate.taken(), 0);
    }

    #[tokio::test]
    async fn a_reload_counts_for_those_who_are_in() {
        let quotas = Quotas::new(allowances(1));
        let (quota, none) = (quotas.plugin("a"), EndpointGates::default());
        let table = table(&[(1, 0)]);
        let _first = enter(&quota, &none, &table).await.unwrap();
        quotas.reload(allowances(2));
        let _second = enter(&quota, &none, &table).await.unwrap();
        assert_eq!(enter(&quota, &none, &table).await.unwrap_err(), Full::Timeout);
    }

    #[tokio::test]
    async fn new_endpoints_leave_the_gates_of_the_others_as_they_are() {
        let quota = Quotas::default().plugin("a");
        let (old, new) = (table(&[(1, 1), (2, 0)]), table(&[(1, 1), (2, 0), (3, 4)]));
        let before = EndpointGates::of(&old, &EndpointGates::default());
        let _place = enter(&quota, &before, &old).await.unwrap();
        let after = EndpointGates::of(&new, &before);
        assert!(after.get(1).unwrap().try_enter().is_none() && after.get(2).is_none());
        assert!(after.get(3).unwrap().try_enter().is_some());
        assert!(EndpointGates::of(&table(&[(2, 0)]), &after).is_empty());
    }
}
