//! The example plugins that ship inside the go-plugin module, unmodified, under outboard-host.

use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use e2e::{
    places,
    plugin::{EXAMPLE_COOKIE, Running, Start},
    trials::{Lab, case, main as run},
    wire::{
        counter::{
            GetRequest, PutRequest, SumRequest, SumResponse,
            add_helper_server::{AddHelper, AddHelperServer},
            counter_client::CounterClient,
        },
        kv::{self, kv_client::KvClient},
        streamer::{
            ConfigureRequest, ReadRequest, WriteChunk,
            streamer_service_client::StreamerServiceClient,
        },
    },
};
use outboard_host::{StartError, TlsMode};
use tonic::{Request, Response, Status, transport::Server};

fn main() -> ExitCode {
    run(vec![
        case("grpc_example_keeps_what_is_put", |lab| keeps_what_is_put(lab, TlsMode::Auto)),
        case("grpc_example_keeps_what_is_put_under_automtls", |lab| {
            keeps_what_is_put(lab, TlsMode::Required)
        }),
        case("bidirectional_example_calls_back_twice", |lab| calls_back(lab, TlsMode::Auto)),
        case("bidirectional_example_calls_back_twice_under_automtls", |lab| {
            calls_back(lab, TlsMode::Required)
        }),
        case("streaming_example_streams_both_ways", |lab| streams(lab, TlsMode::Auto)),
        case("streaming_example_streams_both_ways_under_automtls", |lab| {
            streams(lab, TlsMode::Required)
        }),
        case("negotiated_example_takes_the_highest_version_that_both_know", |lab| {
            negotiates(lab, TlsMode::Auto)
        }),
        case("negotiated_example_takes_the_highest_version_that_both_know_under_automtls", |lab| {
            negotiates(lab, TlsMode::Required)
        }),
        case("negotiated_example_is_refused_where_it_falls_back_to_netrpc", refuses_netrpc),
    ])
}

async fn try_example(
    lab: Lab,
    name: &str,
    versions: &[u32],
    tls: TlsMode,
) -> Result<Result<Running, StartError>> {
    let program = places::go(name)?;
    let start = Start { program: &program, args: &[], cookie: EXAMPLE_COOKIE, versions, tls };
    start.run(lab).await
}

async fn example(lab: Lab, name: &str, versions: &[u32], tls: TlsMode) -> Result<Running> {
    try_example(lab, name, versions, tls).await?.with_context(|| format!("{name} does not start"))
}

async fn put_and_get(running: &Running, key: &str, value: &str) -> Result<String> {
    let mut client = KvClient::new(running.process.channel());
    let put = kv::PutRequest { key: key.to_owned(), value: value.as_bytes().to_vec() };
    client.put(put).await?;
    let got = client.get(kv::GetRequest { key: key.to_owned() }).await?.into_inner();
    Ok(String::from_utf8(got.value)?)
}

async fn keeps_what_is_put(lab: Lab, tls: TlsMode) -> Result<()> {
    let running = example(lab, "example-grpc", &[1], tls).await?;
    ensure!(running.process.handshake().server_cert.is_some() == (tls == TlsMode::Required));

    let got = put_and_get(&running, "greeting", "hello").await?;

    ensure!(got == "hello\n\nWritten from plugin-go-grpc", "got {got:?}");
    // It writes into its working directory, so that is where it runs.
    ensure!(running.work.path().join("kv_greeting").is_file());
    Ok(())
}

struct Adder;

#[tonic::async_trait]
impl AddHelper for Adder {
    async fn sum(&self, request: Request<SumRequest>) -> Result<Response<SumResponse>, Status> {
        let SumRequest { a, b } = request.into_inner();
        Ok(Response::new(SumResponse { r: a + b }))
    }
}

/// B01 with Go as the plugin: the host serves, the plugin dials, twice in a row.
async fn calls_back(lab: Lab, tls: TlsMode) -> Result<()> {
    let running = example(lab, "example-bidirectional", &[1], tls).await?;
    let mut client = CounterClient::new(running.process.channel());
    for (value, sum) in [(30, 30), (12, 42)] {
        let id = running.process.broker().next_id();
        let incoming = running.process.broker().accept(id).await?;
        let helper = Server::builder().add_service(AddHelperServer::new(Adder));
        let served = tokio::spawn(helper.serve_with_incoming(incoming));

        client.put(PutRequest { add_server: id, key: "n".to_owned(), value }).await?;
        let got = client.get(GetRequest { key: "n".to_owned() }).await?.into_inner();

        served.abort();
        ensure!(got.value == sum, "after adding {value}: {}", got.value);
    }
    Ok(())
}

async fn streams(lab: Lab, tls: TlsMode) -> Result<()> {
    const CHUNK: usize = 10;
    let running = example(lab, "example-streaming", &[1], tls).await?;
    let mut client = StreamerServiceClient::new(running.process.channel());
    let path = running.work.path().join("streamed").display().to_string();
    client.configure(ConfigureRequest { path, chunk_size: i64::try_from(CHUNK)? }).await?;
    let text: Vec<u8> = (b'a'..=b'z').cycle().take(1000).collect();

    let chunks: Vec<_> =
        text.chunks(7).map(|chunk| WriteChunk { bytes_to_write: chunk.to_vec() }).collect();
    // The example ends this call well but without the one message that its proto promises, and its own host
    // looks away.
    let Err(written) = client.write(tokio_stream::iter(chunks)).await else {
        bail!("the example answers now; expect it");
    };
    ensure!(written.message() == "Missing response message.", "{written}");
    let mut reading = client.read(ReadRequest {}).await?.into_inner();
    let mut read = Vec::new();
    while let Some(chunk) = reading.message().await? {
        ensure!(chunk.read_bytes.len() <= CHUNK);
        read.extend(chunk.read_bytes);
    }

    ensure!(read == text, "{} bytes came back, not the {} that went", read.len(), text.len());
    Ok(())
}

async fn negotiates(lab: Lab, tls: TlsMode) -> Result<()> {
    let running = example(lab, "example-negotiated", &[2, 3, 9], tls).await?;
    ensure!(running.process.handshake().app_version == 3);
    ensure!(running.process.handshake().server_cert.is_some() == (tls == TlsMode::Required));

    let got = put_and_get(&running, "k", "v").await?;

    ensure!(got.contains("Read by plugin version 3"), "got {got:?}");
    Ok(())
}

async fn refuses_netrpc(lab: Lab) -> Result<()> {
    let Err(error) = try_example(lab, "example-negotiated", &[2], TlsMode::Auto).await? else {
        bail!("a netrpc plugin was accepted");
    };
    ensure!(error.is_permanent(), "it will never be otherwise: {error}");
    ensure!(error.to_string().contains("netrpc"), "does not name the protocol: {error}");
    Ok(())
}
