//! A small HTTP server on a free port of 127.0.0.1, whose handler may also drop the connection.

use anyhow::Context;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Bytes of a request body: four times what Firehose takes, so that what is too large can be answered as Firehose does.
const BODY_BYTES_MAX: usize = 16 << 20;
/// How long open requests may go on after a shutdown: a client that stopped in the middle must not hold us.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);
/// Pause after an accept that failed, which happens when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The connection is closed.
    Dropped,
    /// The client waits, until it gives up or the server ends.
    Never,
}

pub(crate) type Answer = Result<Response<Full<Bytes>>, NoAnswer>;
type Handler = Arc<dyn Fn(Request<Bytes>) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// A running server. Dropping it stops it too, without waiting.
pub(crate) struct Server {
    url: String,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts to listen; `handler` is called for every request whose body could be read.
    pub(crate) async fn start<F, Fut>(handler: F) -> anyhow::Result<Server>
    where
        F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen on 127.0.0.1")?;
        let url = format!("http://{}", listener.local_addr().context("learn the port")?);
        let handler: Handler = Arc::new(move |request| Box::pin(handler(request)));
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, handler, stopped));
        Ok(Server { url, stop, task })
    }

    /// `http://127.0.0.1:<port>`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Takes no more connections, finishes open requests, and ends.
    pub(crate) async fn shutdown(self) {
        self.stop.send_replace(true);
        // An error would be a panic of the accept loop, which has nothing that panics.
        let _ = self.task.await;
    }
}

async fn accept(listener: TcpListener, handler: Handler, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    connections.spawn(serve(socket, handler.clone(), stop.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    let all = async { while connections.join_next().await.is_some() {} };
    // What is still open after the grace is aborted when the set is dropped.
    let _ = tokio::time::timeout(SHUTDOWN_GRACE, all).await;
}

async fn serve(socket: TcpStream, handler: Handler, stop: watch::Receiver<bool>) {
    let mut stop_too = stop.clone();
    let service = service_fn(move |request| answer(request, handler.clone(), stop.clone()));
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    // Errors are the client's: it went away, or was dropped on purpose.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stopped(&mut stop_too) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn answer(request: Request<Incoming>, handler: Handler, mut stop: watch::Receiver<bool>) -> Answer {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        let mut answer = Response::new(Full::default());
        *answer.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(answer);
    };
    // In a task of its own: what was begun is finished, as with AWS, when the client goes away.
    let handled = tokio::spawn(handler(Request::from_parts(head, body.to_bytes()))).await;
    match handled.unwrap_or(Err(NoAnswer::Dropped)) {
        Err(NoAnswer::Never) => {
            stopped(&mut stop).await;
            Err(NoAnswer::Dropped)
        }
        answered_or_dropped => answered_or_dropped,
    }
}

/// Waits for the shutdown, or for the server to be dropped.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer is given, on purpose")
    }
}

impl std::error::Error for NoAnswer {}
