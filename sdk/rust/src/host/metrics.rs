//! Counters that the host keeps for an instance.

use outboard_proto::host::v1;
use outboard_proto::host::v1::metrics_client::MetricsClient;

use super::{Host, HostError};

/// The counters of this instance, which the host shows at `/metrics` as `NAME_total{…,instance="…"}`. They need no grant,
/// and last as long as the host runs. Cloning this is cheap.
#[derive(Debug, Clone)]
pub struct Metrics(Host);

/// One series of a counter, to be raised: see [`Metrics::raise`].
#[derive(Debug, Clone, PartialEq)]
pub struct Raise(v1::MetricIncrement);

impl Raise {
    /// By one, without labels. A name has 1 to 128 letters, digits, `_` and `:`, and no `_total` at its end.
    pub fn new(name: impl Into<String>) -> Self {
        Self(v1::MetricIncrement { name: name.into(), by: 1, ..v1::MetricIncrement::default() })
    }

    /// By so much. 0 makes the series and leaves it as it is.
    #[must_use]
    pub fn by(mut self, by: u64) -> Self {
        self.0.by = by;
        self
    }

    /// The series with this label as well. Labels are for few values, never for users or addresses.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.labels.insert(name.into(), value.into());
        self
    }
}

impl Metrics {
    pub(crate) fn new(host: Host) -> Self {
        Self(host)
    }

    /// Says what counters count, each by its name.
    ///
    /// # Errors
    ///
    /// [`HostErrorKind::Invalid`](super::HostErrorKind::Invalid) for what can't be such a name.
    pub async fn describe<N, H>(
        &self,
        helps: impl IntoIterator<Item = (N, H)>,
    ) -> Result<(), HostError>
    where
        N: Into<String>,
        H: Into<String>,
    {
        let metrics = helps.into_iter();
        let metrics =
            metrics.map(|(name, help)| v1::Metric { name: name.into(), help: help.into() });
        let request = v1::AddMetricsRequest { metrics: metrics.collect() };
        MetricsClient::new(self.0.channel()?).add(request).await?;
        Ok(())
    }

    /// Raises counters, all or none, and makes those that are not there yet.
    ///
    /// # Errors
    ///
    /// [`HostErrorKind::Invalid`](super::HostErrorKind::Invalid) for a name or a label that is none,
    /// [`HostErrorKind::Limit`](super::HostErrorKind::Limit) beyond 1000 series of this instance, or in one call.
    pub async fn raise(&self, raises: impl IntoIterator<Item = Raise>) -> Result<(), HostError> {
        let increments = raises.into_iter().map(|raise| raise.0).collect();
        let request = v1::IncrementMetricsRequest { increments };
        MetricsClient::new(self.0.channel()?).increment(request).await?;
        Ok(())
    }
}
