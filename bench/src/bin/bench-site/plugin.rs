//! The site as a plugin.

use std::{process::ExitCode, sync::Arc};

use outboard_sdk::{
    Body, Endpoint, Endpoints, Failure, HeaderValue, Init, Plugin, Problems, Request, Response,
    Server, StatusCode, header::CONTENT_TYPE,
};
use serde::Deserialize;

use crate::content::{self, Pieces};

/// Of an upload: more than any measurement sends.
const MAX_BODY_BYTES: u64 = 2 << 30;
const TEXT: HeaderValue = HeaderValue::from_static("text/plain");

struct Site;

#[derive(Deserialize)]
struct Parameters {
    /// How many endpoints lead to the same pages.
    places: usize,
}

pub(crate) fn serve() -> ExitCode {
    Server::new("site", Site).serve()
}

impl Plugin for Site {
    type Parameters = Parameters;
    type Instance = ();

    async fn init(
        &self,
        init: Init<Parameters>,
        endpoints: &mut Endpoints<()>,
    ) -> Result<(), Problems> {
        for place in 0..init.parameters.places {
            endpoints.get(&format!("place-{place}/:size"), page);
        }
        endpoints.get("download", download);
        endpoints.on(Endpoint::post("upload").max_body_bytes(MAX_BODY_BYTES), upload);
        Ok(())
    }
}

async fn page(_: Arc<()>, request: Request) -> Result<Response, Failure> {
    let page = content::page(request.variable("size")?).await;
    let page = page.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, "no such page"))?;
    Ok(Response::bytes(TEXT, page))
}

async fn download(_: Arc<()>, request: Request) -> Result<Response, Failure> {
    let length: u64 = request.query_value("bytes").unwrap_or_default().parse()?;
    let body = Body::wrap(Pieces::of_length(length));
    Ok(Response::new().header(CONTENT_TYPE, TEXT).with_body(body))
}

async fn upload(_: Arc<()>, request: Request) -> Result<Response, Failure> {
    let (mut body, mut count) = (request.take_body(), 0);
    while let Some(piece) = body.next().await {
        count += piece?.len() as u64;
    }
    Ok(Response::text(count.to_string()))
}
