//! A second Postgres that streams from the first, and takes its place before it has got everything.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
    process::Command,
    time::Duration,
};

use harness::eventually;

use super::docker::{docker, mountpoint, of_project, psql, try_docker};
use crate::stack::Stack;

/// For a standby to stream, and to catch up.
const STREAMS: Duration = Duration::from_mins(1);

/// How many clicks it lacks when it takes over.
const LAG: u64 = 500;

/// Where the image keeps the data, inside of the volume.
const DATA: &str = "18/docker";

/// It goes with this value.
pub(super) struct Standby {
    container: String,
    volume: String,
    primary: String,
    network: String,
}

impl Standby {
    /// Copies the primary, which is stopped for a moment, and has the copy follow it.
    pub(super) async fn follow(stack: &Stack) -> Self {
        let primary = mountpoint(&of_project('_', "postgres-data"));
        let standby = Self {
            container: of_project('-', "standby"),
            volume: of_project('_', "standby-data"),
            primary: of_project('-', "postgres-1"),
            network: of_project('_', "data"),
        };
        standby.remove();
        docker(&["volume", "create", &standby.volume]);
        let copy = mountpoint(&standby.volume);
        append(
            &Path::new(&primary).join(DATA).join("pg_hba.conf"),
            "host replication all all scram-sha-256",
        );
        stack.compose(&["stop", "postgres"]);
        let copied = Command::new("cp")
            .arg("--archive")
            .arg(format!("{primary}/."))
            .arg(&copy)
            .status();
        assert!(copied.expect("cp is there").success());
        stack.compose(&["start", "postgres"]);
        stack.until_healthy(&["postgres"]).await;

        let data = Path::new(&copy).join(DATA);
        let conninfo = format!(
            "primary_conninfo = 'host=postgres user=shortener password={}'",
            password()
        );
        append(&data.join("postgresql.auto.conf"), &conninfo);
        fs::write(data.join("standby.signal"), "").expect("we are root");
        standby.start(&stack.inspect("postgres", "{{.Config.Image}}"));
        let streaming = "select count(*) from pg_stat_wal_receiver where status = 'streaming'";
        eventually::holds("the standby streams", STREAMS, async || {
            standby.try_ask(streaming).is_some_and(|count| count == "1")
        })
        .await;
        standby
    }

    fn start(&self, image: &str) {
        let volume = format!("{}:/var/lib/postgresql", self.volume);
        docker(&[
            "run",
            "--detach",
            "--name",
            &self.container,
            "--network",
            &self.network,
            "--volume",
            &volume,
            image,
        ]);
    }

    /// Has it get all there is, and nothing of what comes then.
    pub(super) async fn fall_behind(&self) {
        let position = psql(&self.primary, "select pg_current_wal_lsn()");
        let there = format!("select pg_last_wal_replay_lsn() >= '{position}'");
        eventually::holds("the standby has caught up", STREAMS, async || {
            self.try_ask(&there).is_some_and(|is_there| is_there == "t")
        })
        .await;
        docker(&["network", "disconnect", &self.network, &self.container]);
        let before = self.clicks();
        eventually::holds(
            "the primary records what the standby lacks",
            STREAMS,
            async || self.clicks() >= before + LAG,
        )
        .await;
    }

    /// Becomes the primary, under the other's name.
    pub(super) fn take_over(&self) {
        psql(&self.container, "select pg_promote()");
        docker(&[
            "network",
            "connect",
            "--alias",
            "postgres",
            &self.network,
            &self.container,
        ]);
    }

    fn clicks(&self) -> u64 {
        let count = psql(&self.primary, "select count(*) from click");
        count.parse().expect("a number")
    }

    fn try_ask(&self, query: &str) -> Option<String> {
        let psql = ["psql", "-U", "shortener", "-d", "shortener", "-Atc", query];
        try_docker(&[&["exec", &self.container], &psql[..]].concat()).ok()
    }

    fn remove(&self) {
        _ = try_docker(&["rm", "--force", &self.container]);
        _ = try_docker(&["volume", "rm", "--force", &self.volume]);
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.remove();
    }
}

fn append(file: &Path, line: &str) {
    let opened = OpenOptions::new().append(true).open(file);
    let mut opened = opened.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    writeln!(opened, "{line}").expect("we are root");
}

/// That of development.
fn password() -> String {
    let secrets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/compose/secrets");
    let password = fs::read_to_string(secrets.join("postgres-password"));
    password.expect("the file is there").trim().to_owned()
}
