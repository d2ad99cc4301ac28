//! A small HTTP server on a free port of 127.0.0.1, whose handler may also drop the connection.

use anyhow::Context;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Bytes of a request body by default: four times what Firehose takes and more than twice what Lambda takes, so that
/// what is too large can be answered as they do.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 20;
/// How long open requests may go on after a shutdown: a client that stopped in the middle must not hold us.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);
/// Pause after an accept that failed, which happens when the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The connection is closed.
    Dropped,
    /// The connection is reset: the client sees `ECONNRESET`.
    Reset,
    /// The client waits, until it gives up or the server ends.
    Never,
}

/// A body that is there as a whole, or comes in pieces and may break off.
pub(crate) type Body = UnsyncBoxBody<Bytes, NoAnswer>;
pub(crate) type Answer = Result<Response<Body>, NoAnswer>;
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
        Server::on(listener, BODY_BYTES_MAX, handler)
    }

    /// The same on a listener that is there already, for request bodies of up to so many bytes.
    pub(crate) fn on<F, Fut>(listener: TcpListener, body_bytes_max: usize, handler: F) -> anyhow::Result<Server>
    where
        F: Fn(Request<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        let url = format!("http://{}", listener.local_addr().context("learn the port")?);
        let handler: Handler = Arc::new(move |request| Box::pin(handler(request)));
        let (stop, stopped) = watch::channel(false);
        let service = Service { handler, body_bytes_max, stop: stopped };
        let task = tokio::spawn(accept(listener, service));
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

    /// Ends at once, as a server that died: every connection is closed, whatever it is doing.
    pub(crate) async fn cut(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// An answer whose body is there as a whole.
pub(crate) fn whole(response: Response<Full<Bytes>>) -> Response<Body> {
    response.map(|body| body.map_err(|never| match never {}).boxed_unsync())
}

/// What every connection needs.
#[derive(Clone)]
struct Service {
    handler: Handler,
    body_bytes_max: usize,
    stop: watch::Receiver<bool>,
}

async fn accept(listener: TcpListener, service: Service) {
    let mut connections = JoinSet::new();
    let mut stop = service.stop.clone();
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    connections.spawn(serve(socket, service.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // What is still open after the grace is aborted when the set is dropped.
    let _ = tokio::time::timeout(SHUTDOWN_GRACE, all).await;
}

async fn serve(socket: TcpStream, service: Service) {
    let mut stop = service.stop.clone();
    let reset = Arc::new(AtomicBool::new(false));
    let socket = Socket { socket, reset: reset.clone() };
    let service = service_fn(move |request| answer(request, service.clone(), reset.clone()));
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    // Errors are the client's: it went away, or was dropped on purpose.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn answer(request: Request<Incoming>, service: Service, reset: Arc<AtomicBool>) -> Answer {
    let Service { handler, body_bytes_max, mut stop } = service;
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, body_bytes_max).collect().await else {
        let why = serde_json::json!({"error": format!("a request may have {body_bytes_max} bytes")});
        let mut answer = whole(Response::new(Full::new(Bytes::from(format!("{why}\n")))));
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
        Err(NoAnswer::Reset) => {
            reset.store(true, Ordering::Relaxed);
            Err(NoAnswer::Reset)
        }
        answered_or_dropped => answered_or_dropped,
    }
}

/// Waits for the shutdown, or for the server to be dropped.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// A socket that is reset instead of closed, if somebody asks for it before it is dropped.
struct Socket {
    socket: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            // Closing a socket that may not linger sends a reset. A failure means that the connection is gone already.
            let _ = self.socket.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(task, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(task)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(task, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer is given, on purpose")
    }
}

impl std::error::Error for NoAnswer {}
