//! What waits to be sent, in two lanes.
//!
//! Heads, credits, resets and small pieces of data go on the express lane and overtake large data, so
//! that a large body does not hold up small requests. After [`EXPRESS_RUN`] express frames one bulk
//! frame goes, so that small requests do not hold up a large body either.
//!
//! Order within a request is kept. A bulk frame never goes before an express frame that was pushed
//! earlier. A request that has frames on the bulk lane puts its next ones behind them; its credit, which
//! is about the other direction, and a reset may overtake them.

use std::collections::VecDeque;

use prost::Message as _;

use crate::plugin::v1::frame::Kind as Wire;
use crate::plugin::v1::{Frame, Frames};

use super::codec;
use super::ids::IdMap;

/// Data up to this many bytes is small.
pub(super) const EXPRESS_DATA_BYTES: usize = 4 * 1024;
/// Express frames for one bulk frame, while both lanes have some.
pub(super) const EXPRESS_RUN: u32 = 32;

#[derive(Debug, Default)]
pub(super) struct Queue {
    express: Lane,
    bulk: Lane,
    /// Frames of each request on the bulk lane. No entry is zero.
    bulk_frames: IdMap<u32>,
    /// Express frames ever pushed and ever popped.
    express_pushed: u64,
    express_popped: u64,
    /// Express frames since the last bulk frame.
    run: u32,
}

#[derive(Debug, Default)]
struct Lane {
    entries: VecDeque<Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    frame: Frame,
    /// On the wire, without the outer field's own length.
    bytes: usize,
    /// Express frames that go first.
    after: u64,
}

impl Queue {
    pub(super) fn push(&mut self, frame: Frame) {
        if self.is_bulk(&frame) { self.push_bulk(frame) } else { self.push_express(frame) }
    }

    fn is_bulk(&self, frame: &Frame) -> bool {
        match &frame.kind {
            // Requests stay in the order of their ids.
            Some(Wire::Request(_) | Wire::Hello(_) | Wire::GoAway(_) | Wire::Credit(_)) | None => {
                false
            }
            Some(Wire::Response(_) | Wire::Data(_)) => {
                self.has_bulk(frame.id)
                    || codec::data(frame).is_some_and(|data| EXPRESS_DATA_BYTES < data.len())
            }
            Some(Wire::Informational(_) | Wire::Trailers(_) | Wire::Reset(_)) => {
                self.has_bulk(frame.id)
            }
        }
    }

    fn push_express(&mut self, frame: Frame) {
        self.express_pushed += 1;
        self.express.push(frame, 0);
    }

    fn push_bulk(&mut self, frame: Frame) {
        *self.bulk_frames.entry(frame.id).or_default() += 1;
        self.bulk.push(frame, self.express_pushed);
    }

    /// Drops what waits on the bulk lane for a request: nobody wants it any more.
    pub(super) fn drop_bulk(&mut self, id: u64) {
        if self.bulk_frames.remove(&id).is_some() {
            self.bulk.retain(|entry| entry.frame.id != id);
        }
    }

    pub(super) fn has_bulk(&self, id: u64) -> bool {
        self.bulk_frames.contains_key(&id)
    }

    /// Bytes on the lane that the next piece of data of that many bytes would take.
    pub(super) fn bytes_before(&self, id: u64, data: usize) -> usize {
        if EXPRESS_DATA_BYTES < data || self.has_bulk(id) {
            self.bulk.bytes
        } else {
            self.express.bytes
        }
    }

    /// The first request that waits to be sent.
    pub(super) fn first_request(&self) -> Option<u64> {
        let is_request = |entry: &&Entry| matches!(entry.frame.kind, Some(Wire::Request(_)));
        self.express.entries.iter().find(is_request).map(|entry| entry.frame.id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.express.entries.is_empty() && self.bulk.entries.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The next frames, in one message of about `max_bytes`, and at least one frame.
    pub(super) fn take(&mut self, max_bytes: usize) -> Option<Frames> {
        let mut frames = Vec::new();
        let mut left = max_bytes;
        while let Some(is_bulk) = self.next() {
            let bytes = self.lane(is_bulk).first_bytes();
            if left < bytes && !frames.is_empty() {
                break;
            }
            left = left.saturating_sub(bytes);
            frames.extend(self.pop(is_bulk));
        }
        if frames.is_empty() { None } else { Some(Frames { frames }) }
    }

    /// Whether the next frame is of the bulk lane.
    fn next(&self) -> Option<bool> {
        let has_express = !self.express.entries.is_empty();
        let Some(bulk) = self.bulk.entries.front() else {
            return has_express.then_some(false);
        };
        let may_bulk = bulk.after <= self.express_popped;
        Some(may_bulk && (!has_express || EXPRESS_RUN <= self.run))
    }

    fn lane(&self, is_bulk: bool) -> &Lane {
        if is_bulk { &self.bulk } else { &self.express }
    }

    fn pop(&mut self, is_bulk: bool) -> Option<Frame> {
        if !is_bulk {
            self.run = self.run.saturating_add(1);
            self.express_popped += 1;
            return self.express.pop();
        }
        self.run = 0;
        let frame = self.bulk.pop()?;
        if let Some(left) = self.bulk_frames.get_mut(&frame.id) {
            *left -= 1;
            if *left == 0 {
                self.bulk_frames.remove(&frame.id);
            }
        }
        Some(frame)
    }
}

impl Lane {
    fn push(&mut self, frame: Frame, after: u64) {
        let bytes = frame.encoded_len();
        self.bytes += bytes;
        self.entries.push_back(Entry { frame, bytes, after });
    }

    fn pop(&mut self) -> Option<Frame> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.bytes;
        Some(entry.frame)
    }

    fn first_bytes(&self) -> usize {
        self.entries.front().map_or(0, |entry| entry.bytes)
    }

    fn retain(&mut self, keep: impl Fn(&Entry) -> bool) {
        self.entries.retain(keep);
        self.bytes = self.entries.iter().map(|entry| entry.bytes).sum();
    }
}
