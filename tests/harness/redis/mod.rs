//! Redis and Valkey servers of the tests' own, which a test may break.

mod wire;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use crate::{authority::Authority, database::Backend, supervisor::Supervisor};

const SCRIPT: &str = include_str!("supervise.sh");

/// Which server, of those that are supported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Redis7,
    Valkey9,
}

/// What a server finds when it starts again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Persistence {
    /// What it held when [`Redis::save`] was called last, which may have been never.
    Snapshot,
    /// All that it had answered.
    EachWrite,
}

/// A running server. It ends, and its directory goes, with this value or with the test process, even one that is killed.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    is_encrypted: bool,
    directory: PathBuf,
    supervisor: Arc<Mutex<Supervisor>>,
}

impl Kind {
    /// The one that runs beside this database, so that each is met.
    pub fn beside(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite | Backend::Postgres15 => Self::Redis7,
            Backend::Postgres18 => Self::Valkey9,
        }
    }
}

impl Redis {
    /// Starts an empty server on a free port of the loopback address.
    pub async fn start(kind: Kind, persistence: Persistence) -> Self {
        let mut options = vec!["--port"];
        if persistence == Persistence::EachWrite {
            options.extend(["--appendonly", "yes", "--appendfsync", "always"]);
        }
        Self::begin(kind, &options, false).await
    }

    /// Starts an empty server that speaks TLS alone, under a certificate for 127.0.0.1 that `authority` has signed.
    pub async fn start_encrypted(kind: Kind, authority: &Authority) -> Self {
        let server = authority.sign();
        let (certificate, key) = (server.certificate_file(), server.key_file());
        let options = [
            "--tls-port",
            "--port",
            "0",
            "--tls-auth-clients",
            "no",
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
        ];
        Self::begin(kind, &options, true).await
    }

    /// The first of `options` is the one that takes the port.
    async fn begin(kind: Kind, options: &[&str], is_encrypted: bool) -> Self {
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let mut supervisor = Supervisor::spawn(SCRIPT, &program(kind), &options);
        let starting =
            tokio::task::spawn_blocking(move || (supervisor.start_on_free_port(), supervisor));
        let (port, supervisor) = starting.await.expect("the server starts");
        Self {
            port,
            is_encrypted,
            directory: supervisor.directory().to_owned(),
            supervisor: Arc::new(Mutex::new(supervisor)),
        }
    }

    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub fn url(&self) -> String {
        let scheme = if self.is_encrypted { "rediss" } else { "redis" };
        format!("{scheme}://{}", self.addr())
    }

    /// Ends it by SIGKILL.
    pub async fn kill(&self) {
        self.say("kill".to_owned()).await;
    }

    /// Starts it again after [`Self::kill`], on the same port, with what it has kept.
    pub async fn start_again(&self) {
        self.say(format!("start {}", self.port)).await;
    }

    /// Stops its clock: connections stay open, and nothing answers.
    pub async fn freeze(&self) {
        self.say("freeze".to_owned()).await;
    }

    /// Lets go on what [`Self::freeze`] stopped.
    pub async fn thaw(&self) {
        self.say("thaw".to_owned()).await;
    }

    /// Forgets everything.
    pub async fn flush(&self) {
        let answer = self.command(&["FLUSHALL"]).await;
        assert_eq!(answer, "OK");
    }

    /// Keeps what it holds now for its next start.
    pub async fn save(&self) {
        assert_eq!(self.command(&["SAVE"]).await, "OK");
    }

    /// How many keys it holds.
    pub async fn keys(&self) -> usize {
        let answer = self.command(&["DBSIZE"]).await;
        answer.parse().expect("a count is a number")
    }

    /// Sends a command past whatever stands between the service and the server, and returns its answer, which must be
    /// one line.
    pub async fn command(&self, words: &[&str]) -> String {
        wire::ask(&self.directory.join("socket"), words).await
    }

    async fn say(&self, word: String) {
        Supervisor::tell(&self.supervisor, word).await;
    }
}

/// Where the server's program is.
#[expect(
    clippy::disallowed_methods,
    reason = "where a server is installed belongs to the machine, not to a test"
)]
fn program(kind: Kind) -> PathBuf {
    let (variable, default) = match kind {
        Kind::Redis7 => ("REDIS_BIN", Some("/usr/bin/redis-server")),
        Kind::Valkey9 => ("VALKEY_BIN", None),
    };
    let program = std::env::var_os(variable)
        .filter(|program| !program.is_empty())
        .or(default.map(Into::into))
        .map(PathBuf::from);
    match program {
        Some(program) if program.is_file() => program,
        Some(program) => panic!(
            "no program {}: install that server or set {variable} to its program",
            program.display()
        ),
        None => panic!(
            "{variable} is not set: run the suite with `make test`, which brings that server and sets it"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::{Authority, Kind, Persistence, Redis};

    async fn survives_what_tests_do_to_it(kind: Kind) {
        let redis = Redis::start(kind, Persistence::Snapshot).await;
        redis.command(&["SET", "kept", "1"]).await;
        redis.save().await;
        redis.command(&["SET", "lost", "1"]).await;
        assert_eq!(redis.keys().await, 2);

        redis.freeze().await;
        let patience = Duration::from_millis(200);
        let asked = timeout(patience, redis.keys()).await;
        assert!(asked.is_err(), "a frozen server is silent");
        redis.thaw().await;
        assert_eq!(redis.keys().await, 2);

        redis.kill().await;
        let refused = tokio::net::TcpStream::connect(redis.addr()).await;
        assert!(refused.is_err(), "a killed server is not there");
        let before = redis.addr();
        redis.start_again().await;
        assert_eq!(redis.addr(), before);
        assert_eq!(redis.command(&["GET", "kept"]).await, "1");
        assert_eq!(redis.keys().await, 1, "it has its old dump");
        redis.flush().await;
        assert_eq!(redis.keys().await, 0);

        let directory = redis.directory.clone();
        redis.freeze().await;
        drop(redis);
        assert!(!directory.exists(), "it leaves nothing behind");
    }

    #[tokio::test]
    async fn a_redis_survives_what_tests_do_to_it() {
        survives_what_tests_do_to_it(Kind::Redis7).await;
    }

    #[tokio::test]
    async fn a_valkey_survives_what_tests_do_to_it() {
        survives_what_tests_do_to_it(Kind::Valkey9).await;
    }

    #[tokio::test]
    async fn a_server_that_writes_everything_down_has_it_after_a_kill() {
        for kind in [Kind::Redis7, Kind::Valkey9] {
            let redis = Redis::start(kind, Persistence::EachWrite).await;
            redis.command(&["SET", "kept", "1"]).await;
            redis.kill().await;
            redis.start_again().await;
            assert_eq!(redis.keys().await, 1);
        }
    }

    #[tokio::test]
    async fn an_encrypted_server_answers_no_plain_word() {
        let authority = Authority::new();
        let redis = Redis::start_encrypted(Kind::Redis7, &authority).await;
        assert!(redis.url().starts_with("rediss://127.0.0.1:"));
        assert_eq!(redis.keys().await, 0);

        let mut stream = tokio::net::TcpStream::connect(redis.addr()).await.unwrap();
        let plain = super::wire::exchange(&mut stream, &["PING"]).await;
        assert!(plain.is_err(), "{plain:?}");
    }
}
