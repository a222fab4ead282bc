//! The settings of what stands around the service in Compose, as each program reads them.

use std::{fs, process::Command};

use harness::daemon::free_addr;
use tempfile::TempDir;

use crate::programs::{Verdict, file, read, run};

#[test]
fn prometheus_reads_its_settings() {
    let dir = TempDir::new().expect("a temporary directory can be made");
    let rules = file("deploy/monitoring/rules");
    let settings = read("deploy/compose/prometheus/prometheus.yml")
        .replace("/etc/prometheus-rules", &rules.to_string_lossy());
    let path = dir.path().join("prometheus.yml");
    fs::write(&path, settings).expect("the directory is ours");
    let mut promtool = Command::new("promtool");
    let verdict = run(promtool.args(["check", "config"]).arg(path), "");
    verdict.assert_content();
    assert!(verdict.said.contains("3 rule files found"), "{verdict:?}");
}

#[test]
fn nginx_reads_its_settings() {
    let dir = TempDir::new().expect("a temporary directory can be made");
    let (public, own) = (free_addr().to_string(), free_addr().to_string());
    // It tries the addresses, which may be taken here.
    let settings = read("deploy/compose/nginx/nginx.conf")
        .replace("listen 8080", &format!("listen {public}"))
        .replace("listen 127.0.0.1:8081", &format!("listen {own}"))
        .replace("/tmp/", &format!("{}/", dir.path().display()));
    let path = dir.path().join("nginx.conf");
    fs::write(&path, settings).expect("the directory is ours");
    let mut nginx = Command::new("nginx");
    run(nginx.arg("-t").arg("-c").arg(path), "").assert_content();
}

#[test]
fn alertmanager_reads_what_any_settings_make() {
    let everything = [
        ("ALERT_DISCORD_WEBHOOK_URL", "https://discord.example/it's"),
        ("ALERT_SLACK_WEBHOOK_URL", "https://slack.example/x"),
        ("ALERT_SLACK_CHANNEL", "#alerts"),
        ("ALERT_WEBHOOK_URL", "http://hook.example/"),
        ("ALERT_EMAIL_TO", "night@example.com"),
        ("ALERT_SMTP_HOST", "smtp.example.com:587"),
        ("ALERT_SMTP_USER", "shortener"),
        ("ALERT_SMTP_PASSWORD", "don't: \"quote\" me"),
    ];
    for settings in [&[][..], &everything[..1], &everything[1..2], &everything] {
        let dir = TempDir::new().expect("a temporary directory can be made");
        written(&dir, settings).assert_content();
        let mut amtool = Command::new("amtool");
        let verdict = run(
            amtool
                .arg("check-config")
                .arg(dir.path().join("alertmanager.yml")),
            "",
        );
        verdict.assert_content();
        assert!(verdict.said.contains("1 templates"), "{verdict:?}");
    }
}

#[test]
fn e_mail_without_a_server_is_refused_with_a_sentence() {
    let dir = TempDir::new().expect("a temporary directory can be made");
    let verdict = written(&dir, &[("ALERT_EMAIL_TO", "night@example.com")]);
    assert!(!verdict.success);
    assert!(verdict.said.contains("ALERT_SMTP_HOST"), "{verdict:?}");
}

/// Has the start script of the container write `alertmanager.yml`, and nothing more.
pub(crate) fn written(dir: &TempDir, settings: &[(&str, &str)]) -> Verdict {
    let mut shell = Command::new("sh");
    shell
        .arg(file("deploy/compose/alertmanager/start.sh"))
        .env_clear()
        .env("ALERT_CONFIG_ONLY", "yes")
        .env("ALERT_CONFIG_FILE", dir.path().join("alertmanager.yml"))
        .env("ALERT_TEMPLATES", file("deploy/monitoring/alertmanager"))
        .envs(settings.iter().copied());
    run(&mut shell, "")
}
