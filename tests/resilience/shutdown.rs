//! SIGTERM drains: what is under way is finished, nothing new is taken, and the end comes in time.

use std::time::Duration;

use harness::{
    database::Database,
    eventually,
    service::{STOP, Service},
};
use rustix::process::Signal;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::slow_upload::{SlowUpload, connect, read_until};

/// For what should happen at once, on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(5);

/// Connections that are kept, each with a request under way.
const VISITORS: usize = 50;

harness::on_each_database! {
    async fn an_upload_under_way_is_finished_after_sigterm(database: Database) {
        let service = Service::start(&database).await;
        let upload = SlowUpload::begin(&service).await;

        service.signal(Signal::TERM);
        refuses_connections(&service).await;
        assert_eq!(service.management("/readyz").await.status, 503);
        let answer = upload.finish().await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");

        let exit = service.exit(STOP).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let service = Service::start(&database).await;
        assert_eq!(service.get("/users/7").await.status, 200, "what was answered is there");
    }

    async fn a_second_signal_ends_the_service_at_once(service: Service) {
        let upload = SlowUpload::begin(&service).await;

        service.signal(Signal::TERM);
        refuses_connections(&service).await;
        service.signal(Signal::TERM);
        service.exit(SOON).await;
        drop(upload);
    }

    async fn a_client_that_never_finishes_is_given_up(database: Database) {
        let service = Service::builder(&database).arg("--drain-seconds=1").start().await;
        let upload = SlowUpload::begin(&service).await;

        service.signal(Signal::TERM);
        service.exit(SOON).await;
        drop(upload);
        let service = Service::start(&database).await;
        assert_eq!(service.get("/users/7").await.status, 404, "half a file is no file");
    }

    async fn idle_connections_do_not_hold_up_the_end(service: Service) {
        let mut used = connect(&service).await;
        used.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        read_until(&mut used, "\"ok\"").await;
        let unused = connect(&service).await;

        service.signal(Signal::TERM);
        let exit = service.exit(SOON).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        drop((used, unused));
    }

    async fn whoever_asks_at_the_moment_of_the_end_is_answered(service: Service) {
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let visit = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", url["short_code"].as_str().unwrap());
        let mut visitors = Vec::new();
        for _ in 0..VISITORS {
            let mut visitor = connect(&service).await;
            visitor.write_all(visit.as_bytes()).await.unwrap();
            assert!(read_until(&mut visitor, "\r\n\r\n").await.starts_with("HTTP/1.1 302 "));
            visitors.push(visitor);
        }

        // Frozen meanwhile: it finds the signal and the requests in the same moment.
        service.signal(Signal::STOP);
        service.signal(Signal::TERM);
        for visitor in &mut visitors {
            visitor.write_all(visit.as_bytes()).await.unwrap();
        }
        service.signal(Signal::CONT);
        for mut visitor in visitors {
            let answer = read_until(&mut visitor, "\r\n\r\n").await;
            assert!(answer.starts_with("HTTP/1.1 302 "), "{answer}");
        }
        let exit = service.exit(STOP).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }

    async fn an_interrupt_from_the_keyboard_drains_too(service: Service) {
        let upload = SlowUpload::begin(&service).await;

        service.signal(Signal::INT);
        refuses_connections(&service).await;
        let answer = upload.finish().await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");

        let exit = service.exit(STOP).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }
}

async fn refuses_connections(service: &Service) {
    let refused = async || TcpStream::connect(service.addr()).await.is_err();
    eventually::holds("new connections are refused", SOON, refused).await;
}
