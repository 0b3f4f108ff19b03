//! What the rooms of all processes share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use outboard_store::Store;

use super::counters::AllCounters;
use super::counts::CallCounts;
use super::meter::Rules;
use crate::events::Events;
use crate::identity::Identity;
use crate::locate::Locator;
use crate::schedules::Schedules;

/// Whatever the host's services need to answer. Clones are of the same.
#[derive(Clone)]
pub struct Services {
    /// What plugins keep.
    pub store: Store,
    pub schedules: Schedules,
    pub events: Events,
    pub identity: Identity,
    pub counts: CallCounts,
    pub counters: AllCounters,
    pub locator: Locator,
    /// What a reload may change.
    pub rules: Arc<ArcSwap<Rules>>,
}
