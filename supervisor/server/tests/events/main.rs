//! Events: from `publish` to a notifier that is a real gRPC server, over a real store.

mod bounds;
mod fixture;
mod going_wrong;
mod letters;
mod order;
mod publishing;
mod raw;
mod restart;
