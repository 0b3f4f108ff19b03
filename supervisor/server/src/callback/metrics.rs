//! `outboard.host.v1.Metrics`: what plugins count.

use outboard_core::metric::MetricError;
use outboard_proto::host::v1 as wire;
use outboard_proto::host::v1::metrics_server::Metrics;
use tonic::{Request, Response, Status};

use super::Caller;

/// In one call.
const MOST: usize = 1000;

#[tonic::async_trait]
impl Metrics for Caller {
    async fn add(
        &self,
        request: Request<wire::AddMetricsRequest>,
    ) -> Result<Response<wire::AddMetricsResponse>, Status> {
        let instance = self.identify(&request)?.instance;
        let metrics = request.into_inner().metrics;
        refuse_too_many(metrics.len())?;
        let helps = metrics.into_iter().map(|metric| (metric.name, metric.help)).collect();
        self.0.services.counters.describe(&instance, helps).map_err(|error| status(&error))?;
        Ok(Response::new(wire::AddMetricsResponse {}))
    }

    async fn increment(
        &self,
        request: Request<wire::IncrementMetricsRequest>,
    ) -> Result<Response<wire::IncrementMetricsResponse>, Status> {
        let instance = self.identify(&request)?.instance;
        let increments = request.into_inner().increments;
        refuse_too_many(increments.len())?;
        let raises =
            increments.into_iter().map(|it| (it.name, it.labels.into_iter().collect(), it.by));
        let raised = self.0.services.counters.raise(&instance, raises.collect());
        raised.map_err(|error| status(&error))?;
        Ok(Response::new(wire::IncrementMetricsResponse {}))
    }
}

fn refuse_too_many(count: usize) -> Result<(), Status> {
    if count <= MOST {
        return Ok(());
    }
    Err(Status::resource_exhausted(format!(
        "{count} counters in one call, more than {MOST}; split it"
    )))
}

fn status(error: &MetricError) -> Status {
    if error.is_full() {
        Status::resource_exhausted(error.to_string())
    } else {
        Status::invalid_argument(error.to_string())
    }
}
