//! A TCP proxy on the loopback address that fails on demand, as networks do.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use crate::eventually;

/// The port stays ours in all likelihood; whoever has taken it meanwhile will not keep it for long.
const REBIND: Duration = Duration::from_secs(10);

/// What happens to what is sent through the proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Weather {
    Fair,
    Hung,
    Cut,
}

/// Stands between the service and a server. It ends, with all its connections, when dropped.
#[derive(Debug)]
pub struct ChaosProxy {
    addr: SocketAddr,
    upstream: Arc<Mutex<SocketAddr>>,
    weather: watch::Sender<Weather>,
    /// Answers each change once it has come into effect.
    obeyed: watch::Receiver<Weather>,
    connections: Arc<AtomicUsize>,
}

impl ChaosProxy {
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port is free");
        let addr = listener.local_addr().expect("the listener is bound");
        let (weather, forecast) = watch::channel(Weather::Fair);
        let (obeying, obeyed) = watch::channel(Weather::Fair);
        let connections = Arc::new(AtomicUsize::new(0));
        let upstream = Arc::new(Mutex::new(upstream));
        let gate = Gate {
            addr,
            upstream: Arc::clone(&upstream),
            forecast,
            obeying,
            connections: Arc::clone(&connections),
        };
        spawn(gate.keep(listener));
        Self {
            addr,
            upstream,
            weather,
            obeyed,
            connections,
        }
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Has new connections lead to another server; those that are open stay.
    pub fn lead_to(&self, upstream: SocketAddr) {
        let mut current = self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        *current = upstream;
    }

    /// Closes every connection and refuses new ones.
    pub async fn cut(&self) {
        self.set(Weather::Cut).await;
    }

    /// Swallows what is sent: connections are accepted and stay open, and nothing comes through.
    pub async fn hang(&self) {
        self.set(Weather::Hung).await;
    }

    /// Forwards again, what was held back first.
    pub async fn heal(&self) {
        self.set(Weather::Fair).await;
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    async fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
        self.obeyed
            .clone()
            .wait_for(|obeyed| *obeyed == weather)
            .await
            .expect("the proxy runs as long as this value");
    }
}

/// The listening side of the proxy.
struct Gate {
    addr: SocketAddr,
    upstream: Arc<Mutex<SocketAddr>>,
    forecast: watch::Receiver<Weather>,
    obeying: watch::Sender<Weather>,
    connections: Arc<AtomicUsize>,
}

impl Gate {
    async fn keep(mut self, listener: TcpListener) {
        let mut listener = Some(listener);
        loop {
            let weather = *self.forecast.borrow_and_update();
            if weather == Weather::Cut {
                // Only a closed listener refuses; one that closes what it accepted looks like a crash instead.
                listener = None;
            } else if listener.is_none() {
                listener = Some(open_again(self.addr).await);
            }
            self.obeying.send_replace(weather);

            let changed = match &listener {
                Some(listener) => tokio::select! {
                    changed = self.forecast.changed() => changed,
                    Ok((client, _)) = listener.accept() => {
                        self.admit(client);
                        continue;
                    }
                },
                None => self.forecast.changed().await,
            };
            if changed.is_err() {
                return;
            }
        }
    }

    fn admit(&self, client: TcpStream) {
        let upstream = *self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        let forecast = self.forecast.clone();
        let counted = Counted::new(&self.connections);
        spawn(async move {
            let mut cut = forecast.clone();
            tokio::select! {
                _ = cut.wait_for(|weather| *weather == Weather::Cut) => {}
                () = connect(client, upstream, forecast) => {}
            }
            drop(counted);
        });
    }
}

async fn open_again(addr: SocketAddr) -> TcpListener {
    let bind = async move || TcpListener::bind(addr).await.ok();
    eventually::some("the proxy has its port again", REBIND, bind).await
}

async fn connect(client: TcpStream, upstream: SocketAddr, mut forecast: watch::Receiver<Weather>) {
    if fair(&mut forecast).await.is_err() {
        return;
    }
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        pump(from_client, to_server, forecast.clone()),
        pump(from_server, to_client, forecast),
    );
}

/// Forwards one direction until its end.
async fn pump(
    mut source: OwnedReadHalf,
    mut sink: OwnedWriteHalf,
    mut forecast: watch::Receiver<Weather>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = source.read(&mut buffer).await.unwrap_or(0);
        if fair(&mut forecast).await.is_err() {
            return;
        }
        if read == 0 || sink.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn fair(forecast: &mut watch::Receiver<Weather>) -> Result<(), watch::error::RecvError> {
    forecast
        .wait_for(|weather| *weather == Weather::Fair)
        .await
        .map(|_| ())
}

/// One open connection.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(connections: &Arc<AtomicUsize>) -> Self {
        connections.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(connections))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tasks end with the proxy, or with the test's runtime"
)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
        time::timeout,
    };

    use super::{ChaosProxy, spawn};
    use crate::eventually;

    /// Long enough for a byte to come back through the proxy, were it let through.
    const PATIENCE: Duration = Duration::from_millis(200);

    async fn echo_behind_a_proxy() -> ChaosProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                spawn(async move {
                    let (mut source, mut sink) = stream.split();
                    _ = tokio::io::copy(&mut source, &mut sink).await;
                });
            }
        });
        ChaosProxy::start(addr).await
    }

    async fn echoed(stream: &mut TcpStream) -> bool {
        let mut answer = [0];
        let exchange = async {
            stream.write_all(b"x").await?;
            stream.read_exact(&mut answer).await
        };
        timeout(PATIENCE, exchange)
            .await
            .is_ok_and(|read| read.is_ok())
    }

    #[tokio::test]
    async fn a_hung_proxy_holds_back_what_a_healed_one_delivers() {
        let proxy = echo_behind_a_proxy().await;
        let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
        assert!(echoed(&mut stream).await);

        proxy.hang().await;
        assert!(!echoed(&mut stream).await);
        let mut late = TcpStream::connect(proxy.addr()).await.unwrap();
        assert!(!echoed(&mut late).await);

        proxy.heal().await;
        for stream in [&mut stream, &mut late] {
            let mut held_back = [0];
            timeout(Duration::from_secs(5), stream.read_exact(&mut held_back))
                .await
                .unwrap()
                .unwrap();
            assert!(echoed(stream).await);
        }
        assert_eq!(proxy.connections(), 2);
    }

    #[tokio::test]
    async fn a_cut_proxy_closes_and_refuses_until_it_is_healed() {
        let proxy = echo_behind_a_proxy().await;
        let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
        assert!(echoed(&mut stream).await);

        proxy.cut().await;
        assert!(!echoed(&mut stream).await);
        assert!(TcpStream::connect(proxy.addr()).await.is_err());
        let none_left = async || proxy.connections() == 0;
        eventually::holds(
            "its connections are closed",
            Duration::from_secs(5),
            none_left,
        )
        .await;

        proxy.heal().await;
        let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
        assert!(echoed(&mut stream).await);
    }
}
