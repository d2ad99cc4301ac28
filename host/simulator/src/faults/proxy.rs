//! The proxy itself: its door, its plan, and what it has seen.

use super::answer::{bad_gateway, spoil};
use super::forward::forward;
use super::plan::{self, Fault, Plan, Request};
use crate::server::{Answer, NoAnswer, Server};
use anyhow::Context;
use hyper::body::Bytes;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpSocket;
use tokio::time::sleep;

/// Requests kept for questions; those after them are counted in all.
pub const SEEN_KEPT_MAX: usize = 100_000;
/// Bytes of a request's body: more than any artifact has.
const REQUEST_BYTES_MAX: usize = 256 << 20;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// A request, as it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its number, from 1.
    pub number: u64,
    /// The method.
    pub method: String,
    /// The path as it was sent, without the query.
    pub path: String,
    /// The query, without the question mark.
    pub query: String,
    /// The status that was answered; `None` when there was no answer.
    pub status: Option<u16>,
    /// What went wrong.
    pub fault: Fault,
    /// Whether the request reached the server behind the proxy. A request that could not be forwarded is answered with
    /// 502.
    pub forwarded: bool,
}

/// A running proxy. Dropping it stops it without waiting.
pub struct Proxy {
    url: String,
    address: SocketAddr,
    state: Arc<State>,
    door: tokio::sync::Mutex<Door>,
}

/// Where connections come in, if they do.
struct Door {
    server: Option<Server>,
    /// Bound to the same port without listening: it keeps the port ours while nobody listens.
    spare: TcpSocket,
}

struct State {
    /// `host:port`.
    server: String,
    plan: Mutex<Plan>,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// Requests that have come in.
    number: u64,
    seen: Vec<Seen>,
}

impl Proxy {
    /// Starts to listen, on a free port, for requests to `server` (`http://127.0.0.1:5555`).
    ///
    /// # Errors
    /// When no port can be had, or the server's address is no `http://` one.
    pub async fn start(server: &str, plan: Plan) -> anyhow::Result<Proxy> {
        let host = server.strip_prefix("http://").with_context(|| format!("{server} does not begin with http://"))?;
        let host = host.trim_end_matches('/').to_owned();
        let state = Arc::new(State { server: host, plan: Mutex::new(plan), log: Mutex::default() });
        let socket = bound((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = socket.local_addr().context("learn the port")?;
        let spare = bound(address)?;
        let server = Some(listen(socket, state.clone())?);
        let door = tokio::sync::Mutex::new(Door { server, spare });
        Ok(Proxy { url: format!("http://{address}"), address, state, door })
    }

    /// The endpoint: `http://127.0.0.1:<port>`. It stays the same through [`Proxy::down`] and [`Proxy::up`].
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Changes the plan, for requests from now on.
    pub fn set(&self, plan: Plan) {
        *self.state.plan.lock().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    /// Closes every connection and refuses new ones (`ECONNREFUSED`).
    pub async fn down(&self) {
        if let Some(server) = self.door.lock().await.server.take() {
            server.cut().await;
        }
    }

    /// Takes connections again.
    ///
    /// # Errors
    /// When the system does not let us listen.
    pub async fn up(&self) -> anyhow::Result<()> {
        let mut door = self.door.lock().await;
        if door.server.is_none() {
            let spare = bound(self.address)?;
            let socket = std::mem::replace(&mut door.spare, spare);
            door.server = Some(listen(socket, self.state.clone())?);
        }
        Ok(())
    }

    /// The requests in the order in which they were answered, the first [`SEEN_KEPT_MAX`].
    pub fn seen(&self) -> Vec<Seen> {
        self.state.log().seen.clone()
    }

    /// How many of the requests kept have this method (`*` for any) and a path that begins so.
    pub fn count(&self, method: &str, prefix: &str) -> usize {
        let of_kind = |seen: &&Seen| plan::is_of_kind(&seen.method, &seen.path, method, prefix);
        self.state.log().seen.iter().filter(of_kind).count()
    }

    /// How many requests came in, answered or not, kept or not, forgotten or not.
    pub fn total(&self) -> u64 {
        self.state.log().number
    }

    /// Forgets the requests up to now; their numbers are not given again.
    pub fn forget(&self) {
        self.state.log().seen.clear();
    }

    /// Finishes open requests and ends.
    pub async fn shutdown(self) {
        if let Some(server) = self.door.into_inner().server {
            server.shutdown().await;
        }
    }
}

/// A socket on this address that does not listen. Several may be bound to one port as long as none of them listens.
fn bound(address: SocketAddr) -> anyhow::Result<TcpSocket> {
    let socket = TcpSocket::new_v4().context("make a socket")?;
    socket.set_reuseaddr(true).context("share a port")?;
    socket.bind(address).with_context(|| format!("bind a socket to {address}"))?;
    Ok(socket)
}

fn listen(socket: TcpSocket, state: Arc<State>) -> anyhow::Result<Server> {
    let listener = socket.listen(BACKLOG).context("listen on 127.0.0.1")?;
    Server::on(listener, REQUEST_BYTES_MAX, move |request| answer(state.clone(), request))
}

impl State {
    fn log(&self) -> MutexGuard<'_, Log> {
        // A panic elsewhere leaves the log as it was before or after a request.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers a request and asks what goes wrong with it.
    fn fault(&self, request: &hyper::Request<Bytes>) -> Seen {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let number = {
            let mut log = self.log();
            log.number += 1;
            log.number
        };
        let (method, path) = (request.method().as_str(), request.uri().path());
        let query = request.uri().query().unwrap_or_default();
        let fault = plan(Request { number, method, path, query });
        let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
        Seen { number, method, path, query, status: None, fault, forwarded: false }
    }

    fn remember(&self, seen: Seen) {
        let mut log = self.log();
        if log.seen.len() < SEEN_KEPT_MAX {
            log.seen.push(seen);
        }
    }
}

async fn answer(state: Arc<State>, request: hyper::Request<Bytes>) -> Answer {
    let mut seen = state.fault(&request);
    let answer = carry_out(&state, request, &mut seen).await;
    seen.status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
    state.remember(seen);
    answer
}

/// Forwards a request if its fault lets it, and makes its answer.
async fn carry_out(state: &State, request: hyper::Request<Bytes>, seen: &mut Seen) -> Answer {
    let head = seen.method == "HEAD";
    match &seen.fault {
        Fault::Error(error) => return Ok(error.response(seen.number, head)),
        Fault::Dropped => return Err(NoAnswer::Dropped),
        Fault::Reset => return Err(NoAnswer::Reset),
        Fault::Stall => return Err(NoAnswer::Never),
        Fault::Late(time) => sleep(*time).await,
        Fault::None
        | Fault::Slow(_)
        | Fault::Trickle { .. }
        | Fault::ErrorAfter(_)
        | Fault::Half
        | Fault::Shortened(_)
        | Fault::Tampered { .. }
        | Fault::Replaced(_)
        | Fault::DroppedAfter => {}
    }
    let carried = match forward(&state.server, request).await {
        Ok(carried) => carried,
        Err(error) => return Ok(bad_gateway(&error)),
    };
    seen.forwarded = true;
    match &seen.fault {
        Fault::ErrorAfter(error) => Ok(error.response(seen.number, head)),
        Fault::DroppedAfter => Err(NoAnswer::Dropped),
        Fault::Slow(time) => {
            sleep(*time).await;
            spoil(carried, &seen.fault)
        }
        other => spoil(carried, other),
    }
}
