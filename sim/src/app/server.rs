//! The app's HTTP server: its ports and their connections.
//!
//! HTTP/1.1 and HTTP/2 by prior knowledge on the same port. There is no idle
//! timeout unless the plan says so, as in Go's default server (and so in
//! isotope); whoever calls decides how long a connection lives. An app with one
//! ends a connection that has been idle for so long without a word, as HTTP/1.1
//! does (RFC 9112, section 9.5): a request that is on its way just then is lost.
//!
//! Ways to end a connection. *Close* shuts the stream down in order (FIN).
//! *Reset* drops it with its sending side still open, which a TCP stack
//! answers with RST where it models one (turmoil-net does, `kernel::close`;
//! Linux does so only when unread data is lost); a pipe has no RST and just
//! ends. *Refuse* also gives up the listening socket and lets the port's other
//! connections go as a server's graceful shutdown does: idle ones at once,
//! busy ones after their answer.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_util::future::try_join_all;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::server::conn::auto;
use mesh_core::seam::{Connection, Executor, HyperTimer, Instant, Listener, Seams};
use tokio::io::AsyncWriteExt;

use super::AppPod;
use super::idle::{Occupied, Patience};
use super::line::{Line, Order};
use super::observe::AppObserver;
use super::replica::Replica;
use super::shared_io::SharedIo;
use super::visit::{self, Hangup, Reply};

/// An app that was told to stop does not open its ports again.
const FOR_EVER: std::time::Duration = std::time::Duration::from_secs(u32::MAX as u64);

/// Runs an app until its host dies: listens on all its addresses and serves every connection.
///
/// # Errors
/// When an address cannot be listened on, or a listening socket fails.
pub async fn serve(seams: Seams, pod: AppPod, observer: Rc<dyn AppObserver>) -> io::Result<()> {
    let server = Rc::new(Server {
        http: http_builder(&seams),
        replica: Rc::new(Replica::new(seams, &pod, observer)),
    });
    try_join_all(
        pod.listen
            .iter()
            .map(|address| listen(server.clone(), *address)),
    )
    .await?;
    Ok(())
}

struct Server {
    http: auto::Builder<Executor>,
    replica: Rc<Replica>,
}

fn http_builder(seams: &Seams) -> auto::Builder<Executor> {
    let timer = HyperTimer::new(seams.clock.clone());
    let mut http = auto::Builder::new(Executor(seams.spawn.clone()));
    http.http1()
        .timer(timer.clone())
        .auto_date_header(false)
        .pipeline_flush(false)
        // Without it a connection may be idle for no longer than 30 s.
        .header_read_timeout(None);
    http.http2()
        .timer(timer)
        .auto_date_header(false)
        // hyper's guards against hostile peers would hang up on a mesh under overload,
        // where cancelled streams come in masses. The pool's bound is the app's only limit.
        .max_concurrent_streams(None)
        .max_pending_accept_reset_streams(usize::MAX)
        .max_local_error_reset_streams(None);
    http
}

/// One listening address and its connections.
struct Port {
    server: Rc<Server>,
    /// Refuses connections until then.
    reopens: Cell<Instant>,
    listener: RefCell<Option<Waker>>,
    next: Cell<u64>,
    connections: RefCell<BTreeMap<u64, Rc<Line>>>,
}

async fn listen(server: Rc<Server>, address: SocketAddr) -> io::Result<()> {
    let clock = server.replica.seams.clock.clone();
    let network = server.replica.seams.network.clone();
    let port = Rc::new(Port {
        server,
        reopens: Cell::new(Instant::ZERO),
        listener: RefCell::default(),
        next: Cell::new(0),
        connections: RefCell::default(),
    });
    let stopping = port.clone();
    port.server.replica.seams.spawn(async move {
        stopping.server.replica.knobs.stopped().await;
        stopping.refuse(FOR_EVER);
    });
    loop {
        let mut socket = network.listen(address).await?;
        std::future::poll_fn(|cx| port.poll_accept(&mut *socket, cx)).await?;
        drop(socket);
        // Another answer may have refused for longer meanwhile.
        while clock.now() < port.reopens.get() {
            clock.sleep_until(port.reopens.get()).await;
        }
    }
}

impl Port {
    /// Accepts until it refuses.
    fn poll_accept(
        self: &Rc<Self>,
        socket: &mut dyn Listener,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        *self.listener.borrow_mut() = Some(cx.waker().clone());
        loop {
            if self.server.replica.seams.now() < self.reopens.get() {
                return Poll::Ready(Ok(()));
            }
            if self.is_full() {
                return Poll::Pending; // The end of a connection wakes it.
            }
            let connection = std::task::ready!(socket.poll_accept(cx))?;
            let id = self.next.replace(self.next.get() + 1);
            let line = Rc::new(Line::default());
            self.connections.borrow_mut().insert(id, line.clone());
            let port = self.clone();
            self.server
                .replica
                .seams
                .spawn(async move { port.attend(connection, id, line).await });
        }
    }

    /// Whether it keeps as many connections as it may.
    fn is_full(&self) -> bool {
        let most = self.server.replica.plan.process.connections_max;
        most.is_some_and(|most| self.connections.borrow().len() >= most as usize)
    }

    async fn attend(self: Rc<Self>, connection: Connection, id: u64, line: Rc<Line>) {
        self.converse(connection, &line).await;
        let was_full = self.is_full();
        self.connections.borrow_mut().remove(&id);
        if was_full && let Some(waker) = self.listener.take() {
            waker.wake();
        }
    }

    async fn converse(self: &Rc<Self>, connection: Connection, line: &Rc<Line>) {
        let mut io = SharedIo::new(connection.io);
        let service = {
            let (port, line) = (self.clone(), line.clone());
            service_fn(move |request| port.clone().answer(line.clone(), request))
        };
        let order = {
            let http = self.server.http.serve_connection(io.for_hyper(), service);
            let mut http = std::pin::pin!(http);
            let mut patience = self.patience(line);
            std::future::poll_fn(|cx| {
                let served = match line.poll(cx) {
                    Some(Order::Drain) => {
                        http.as_mut().graceful_shutdown();
                        http.as_mut().poll(cx).map(|_| None)
                    }
                    Some(last) => Poll::Ready(Some(last)),
                    // An error is the caller's doing (it has gone, or spoke nonsense) and ends the connection.
                    None => http.as_mut().poll(cx).map(|_| None),
                };
                match &mut patience {
                    Some(patience) if served.is_pending() => {
                        patience.poll(cx).map(|()| Some(Order::Close))
                    }
                    _ => served,
                }
            })
            .await
        };
        if order == Some(Order::Close) {
            // hyper is gone; this is the last handle. A peer that is gone too does not mind.
            let _ = io.shutdown().await;
        }
    }

    async fn answer(
        self: Rc<Self>,
        line: Rc<Line>,
        request: Request<Incoming>,
    ) -> Result<Response<Occupied>, hyper::Error> {
        let busy = self.server.replica.plan.process.idle_timeout;
        let busy = busy.map(|_| line.idleness.begin(&self.server.replica.seams.clock));
        match visit::serve(self.server.replica.clone(), request).await? {
            Reply::Response(response) => return Ok(response.map(|body| Occupied::new(body, busy))),
            Reply::Hangup(Hangup::Reset) => line.give(Order::Abort),
            Reply::Hangup(Hangup::Close) => line.give(Order::Close),
            Reply::Hangup(Hangup::Refuse(during)) => {
                self.refuse(during);
                line.give(Order::Close);
            }
        }
        // The order ends the connection before this is polled again.
        pending().await
    }

    /// How long it lets a connection be idle, if not for ever.
    fn patience(&self, line: &Rc<Line>) -> Option<Patience> {
        let replica = &self.server.replica;
        let timeout = replica.plan.process.idle_timeout?;
        let clock = replica.seams.clock.clone();
        Some(Patience::new(clock, timeout, line.idleness.clone()))
    }

    fn refuse(&self, during: std::time::Duration) {
        let until = self.server.replica.seams.now() + during;
        self.reopens.set(self.reopens.get().max(until));
        let lines: Vec<_> = self.connections.borrow().values().cloned().collect();
        lines.iter().for_each(|line| line.give(Order::Drain));
        if let Some(waker) = self.listener.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper_util::rt::TokioIo;

    use super::super::body::{FillBody, drain};
    use super::super::client::{Answer, CallError};
    use super::super::testbed::{Testbed, app};
    use super::*;
    use crate::plan::{AppPlan, EndpointPlan, ScriptedResponse};

    const ADDRESS: &str = "10.0.0.1:80";

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn responding(responses: Vec<ScriptedResponse>) -> AppPlan {
        let mut endpoint = EndpointPlan::echo();
        endpoint.responses = responses;
        app(endpoint)
    }

    fn broken(result: &Result<Answer, CallError>) -> bool {
        matches!(result, Err(CallError::Broken(_)))
    }

    #[test]
    fn answers_by_path_and_method_and_signs() {
        let bed = Testbed::new(1);
        let mut plan = app(EndpointPlan::echo());
        let mut special = EndpointPlan::echo();
        special.path_prefix = "/big".to_owned();
        special.response_bytes = 200_000;
        let mut post = EndpointPlan::echo();
        post.method = Some("POST".to_owned());
        post.response_bytes = 1;
        plan.endpoints = vec![special, post];
        bed.start("a-0", ADDRESS, plan);
        let found = bed.calls(ADDRESS, &["/big/one?x=1", "/other"]);
        let answers: Vec<_> = found
            .iter()
            .map(|(_, r)| r.as_ref().ok().unwrap())
            .collect();
        assert_eq!((answers[0].bytes, answers[1].bytes), (200_000, 0));
        assert!(
            answers
                .iter()
                .all(|a| a.headers["x-meshquake-upstream"] == "a-0")
        );
        assert!(answers.iter().all(|a| !a.headers.contains_key("date")));
        assert_eq!(bed.pipes.opened.get(), 1, "one connection serves both");
    }

    #[test]
    fn a_refusing_app_opens_again() {
        let bed = Testbed::new(1);
        let refuse = ScriptedResponse::Refuse { during: ms(100) };
        bed.start(
            "a-0",
            ADDRESS,
            responding(vec![refuse, ScriptedResponse::Status(200)]),
        );
        let found = bed.calls(ADDRESS, &["/", "/"]);
        assert!(broken(&found[0].1));
        assert_eq!(
            found[1].1.as_ref().err(),
            Some(&CallError::Connect(io::ErrorKind::ConnectionRefused))
        );
        let seams = bed.seams();
        let again = Rc::new(Cell::new(false));
        let opened = again.clone();
        bed.spawn(async move {
            seams
                .clock
                .sleep_until(Instant::ZERO + Duration::from_nanos(100_000_001))
                .await;
            opened.set(
                seams
                    .network
                    .connect(ADDRESS.parse().unwrap())
                    .await
                    .is_ok(),
            );
        });
        bed.run();
        assert!(again.get());
    }

    #[test]
    fn speaks_http2_by_prior_knowledge() {
        let bed = Testbed::new(1);
        let mut endpoint = EndpointPlan::echo();
        endpoint.response_bytes = 300_000;
        endpoint.responses = vec![
            ScriptedResponse::Status(200),
            ScriptedResponse::Status(200),
            ScriptedResponse::Reset,
        ];
        bed.start("a-0", ADDRESS, app(endpoint));
        let seams = bed.seams();
        let done = Rc::new(Cell::new(false));
        let flag = done.clone();
        bed.spawn(async move {
            let connection = seams
                .network
                .connect(ADDRESS.parse().unwrap())
                .await
                .unwrap();
            let (mut sender, driver) =
                hyper::client::conn::http2::Builder::new(Executor(seams.spawn.clone()))
                    .timer(HyperTimer::new(seams.clock.clone()))
                    .handshake(TokioIo::new(connection.io))
                    .await
                    .unwrap();
            seams.spawn(async move { drop(driver.await) });
            let uri = format!("http://{ADDRESS}/");
            let get = || Request::post(&uri).body(FillBody::new(100_000)).unwrap();
            let (one, two) = (sender.send_request(get()), sender.send_request(get()));
            for answer in [one.await.unwrap(), two.await.unwrap()] {
                assert_eq!(drain(answer.into_body()).await.unwrap(), 300_000);
            }
            assert!(
                sender.send_request(get()).await.is_err(),
                "the third is reset"
            );
            flag.set(true);
        });
        bed.run();
        assert!(done.get());
    }
}
