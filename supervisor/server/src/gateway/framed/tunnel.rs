//! An upgraded connection: bytes both ways, whatever they mean, until both sides have had enough.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use outboard_proto::frame::Failure;
use outboard_proto::transport::mux::{Part, Receiving, Sending};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::Held;
use super::stream::Pulse;
use crate::gateway::observe::{Meter, Observer, Reason, Record};
use crate::gateway::times::Times;

/// From the response that accepts an upgrade until the connection is there.
const HANDOVER: Duration = Duration::from_secs(30);
/// How long a plugin may take to say goodbye when the gateway shuts down.
const GOODBYE: Duration = Duration::from_secs(1);
/// What is read at a time: little from those who send little, since many of them stay for long.
const LEAST_READ: usize = 4 << 10;
const MOST_READ: usize = 64 << 10;

/// An exchange that the plugin has made a connection of.
pub(super) struct Tunnel {
    pub sending: Sending,
    pub receiving: Receiving,
    /// What the plugin says first.
    pub first: Bytes,
    pub times: Times,
    pub record: Option<Record>,
    pub observer: Observer,
}

/// Why a tunnel ends before both sides have said all.
enum Broken {
    /// The client has gone.
    Client,
    Plugin(Failure),
}

impl Tunnel {
    /// Runs until both sides have said all, one of them has gone, nothing moves for too long, or the activation
    /// or the gateway ends; and holds `held` as long.
    pub(super) async fn run(self, connection: OnUpgrade, held: Held, closing: CancellationToken) {
        let Self { sending, receiving, first, times, mut record, observer } = self;
        let (pulse, meter) = (Pulse::new(), record.as_ref().map(Record::meter));
        let ended = {
            let record = &mut record;
            let carried = async {
                let upgraded = timeout(HANDOVER, connection).await.map_err(|_| Broken::Client)?;
                let upgraded = TokioIo::new(upgraded.map_err(|_| Broken::Client)?);
                pulse.beat();
                let (reader, writer) = tokio::io::split(upgraded);
                let up = up(reader, sending, &pulse, meter.as_ref(), &closing);
                let down = down(receiving, writer, first, &pulse, record);
                tokio::try_join!(up, down)
            };
            let goodbye = async {
                closing.cancelled().await;
                tokio::time::sleep(GOODBYE).await;
            };
            tokio::select! {
                biased;
                () = held.entered.activation().is_cut_off() => Err(Reason::CutOff),
                carried = carried => Ok(carried),
                () = goodbye => Err(Reason::CutOff),
                () = stands_still(&pulse, &times) => Err(Reason::IdleTimeout),
            }
        };
        let Some(mut record) = record else { return };
        match ended {
            Ok(Ok(_)) => record.complete(),
            Ok(Err(Broken::Client)) => {}
            Ok(Err(Broken::Plugin(failure))) => {
                held.complain(&super::describe(&failure));
                record.refused(&observer, Reason::BadGateway);
            }
            Err(reason) => record.refused(&observer, reason),
        }
    }
}

/// From the client to the plugin, until the client has said all, the plugin wants no more, or the gateway
/// closes: then it is up to the plugin to say goodbye.
async fn up(
    mut reader: impl AsyncRead + Unpin,
    mut sending: Sending,
    pulse: &Pulse,
    meter: Option<&Meter>,
    closing: &CancellationToken,
) -> Result<(), Broken> {
    let mut buffer = BytesMut::new();
    let mut size = LEAST_READ;
    loop {
        buffer.reserve(size);
        let mut limited = (&mut reader).take(size as u64);
        let read = tokio::select! {
            read = limited.read_buf(&mut buffer) => read.map_err(|_| Broken::Client)?,
            () = sending.over() => return Ok(()),
            () = closing.cancelled() => 0,
        };
        pulse.beat();
        if let Some(meter) = meter {
            meter.add(read);
        }
        // The end of the exchange shows on the other way, with its reason.
        if sending.send(buffer.split().freeze(), read == 0).await.is_err() || read == 0 {
            return Ok(());
        }
        pulse.beat();
        size = if read == size { (size * 2).min(MOST_READ) } else { LEAST_READ };
    }
}

/// From the plugin to the client, until the plugin has said all.
async fn down(
    mut receiving: Receiving,
    mut writer: impl AsyncWrite + Unpin,
    first: Bytes,
    pulse: &Pulse,
    record: &mut Option<Record>,
) -> Result<(), Broken> {
    let mut next = first;
    loop {
        if !next.is_empty() {
            writer.write_all(&next).await.map_err(|_| Broken::Client)?;
            writer.flush().await.map_err(|_| Broken::Client)?;
            pulse.beat();
            if let Some(record) = record {
                record.sent(next.len());
            }
        }
        next = match receiving.part().await {
            Some(Ok(Part::Data(data))) => data,
            // A connection has no place for trailers.
            Some(Ok(Part::Trailers(_) | Part::Response(_) | Part::Informational(_))) => {
                Bytes::new()
            }
            Some(Err(failure)) => return Err(Broken::Plugin(failure)),
            None => return writer.shutdown().await.map_err(|_| Broken::Client),
        };
    }
}

async fn stands_still(pulse: &Pulse, times: &Times) {
    let mut sleep = pin!(sleep_until(times.tunnel(pulse.moved())));
    loop {
        sleep.as_mut().await;
        let due = times.tunnel(pulse.moved());
        if due <= Instant::now() {
            return;
        }
        sleep.as_mut().reset(due);
    }
}
