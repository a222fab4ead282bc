//! nginx that answers every path with the same redirect: the least that a redirect can cost.

use std::fs;

use harness::daemon::free_addr;

use super::{
    companion::{self, Companion},
    cores::Core,
};

/// As long as the links of the other side are.
const CONFIGURATION: &str = "\
worker_processes 1;
daemon off;
pid nginx.pid;
error_log error.log crit;
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 300s;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {
        listen ADDRESS backlog=4096;
        location / { return 302 TARGET; }
    }
}
";

/// With one worker.
pub(super) fn start(core: Core, target: &str) -> anyhow::Result<Companion> {
    let folder = companion::folder()?;
    let addr = free_addr();
    let configuration = CONFIGURATION
        .replace("ADDRESS", &addr.to_string())
        .replace("TARGET", target);
    fs::write(folder.path().join("nginx.conf"), configuration)?;
    let prefix = folder.path().display().to_string();
    let command = [
        "nginx",
        "-p",
        &prefix,
        "-e",
        "error.log",
        "-c",
        "nginx.conf",
    ];
    Companion::start(core, folder, addr, &command, &[])
}
