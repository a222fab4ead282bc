//! Loops: no URL leads back to the service itself, by whichever of its names.

use harness::database::Database;
use harness::on_each_database;
use harness::service::Service;
use reqwest::Method;
use serde_json::json;

use crate::rows::{URLS, file, url};

async fn refused_as_loop(service: &Service, user: i64, original_url: &str) {
    let answer = service
        .post(
            "/urls",
            json!({"user_id": user, "original_url": original_url}),
        )
        .await;
    assert_eq!(answer.status, 422, "{original_url}: {}", answer.text());
    let problem = answer.assert_problem(422);
    assert!(
        problem["errors"]["original_url"].is_string(),
        "{original_url}: {problem}"
    );
}

on_each_database! {
    async fn no_url_leads_back_to_the_address_it_was_made_at(service: Service) {
        let user = service.create_user().await;
        let (addr, port) = (service.addr(), service.addr().port());

        for original_url in [
            format!("http://{addr}"),
            format!("http://{addr}/"),
            format!("http://{addr}/launch"),
            format!("https://{addr}/launch"),
            format!("HTTP://{addr}/urls?x#y"),
            // Other ways to write the same address.
            format!("http://0x7f.1:{port}/"),
            format!("http://2130706433:{port}/"),
            format!("http://127.1:{port}/"),
            format!("http://127.0.0.1.:{port}/"),
            format!("http://0177.0.0.1:{port}/"),
            format!("http://%31%32%37.0.0.1:{port}/"),
            format!("http://localhost.:{port}/"),
            format!("http://LOCALHOST:{port}/launch"),
            format!("http://localhost:0{port}/"),
            format!("http://localhost:{port}\\launch"),
            format!("http://localhost:{port}/a/..//launch"),
            format!("http://localhost:{port}/%6caunch;x=1"),
            format!("http://user@localhost:{port}/"),
            // Other addresses of the same machine, and of the same interface.
            format!("http://0.0.0.0:{port}/"),
            format!("http://127.0.0.2:{port}/"),
            format!("http://[::ffff:127.0.0.1]:{port}/"),
            format!("http://[::1%25lo]:{port}/"),
        ] {
            refused_as_loop(&service, user, &original_url).await;
        }
        assert_eq!(service.get("/urls").await.json(), json!([]));
    }

    async fn no_url_leads_back_to_the_host_that_was_asked(service: Service) {
        let user = service.create_user().await;

        for (host, original_url, status) in [
            ("go.example.com", "https://go.example.com/launch", 422),
            ("go.example.com", "http://GO.EXAMPLE.COM", 422),
            ("GO.example.com", "https://go.example.com./launch", 422),
            (
                "go.example.com:8080",
                "http://go.example.com:8080/launch",
                422,
            ),
            ("xn--bcher-kva.example", "https://bücher.example/", 422),
            (
                "go.example.com",
                "https://example.com/?next=https://go.example.com/",
                201,
            ),
            ("go.example.com", "https://www.go.example.com/", 201),
            (
                "go.example.com",
                "https://go.example.com.evil.example/",
                201,
            ),
            ("go.example.com:8080", "http://go.example.com:9090/", 201),
        ] {
            let body = json!({"user_id": user, "original_url": original_url});
            let request = service.request(Method::POST, "/urls").header("host", host);
            let answer = service.send(request.json(&body)).await;
            assert_eq!(
                answer.status,
                status,
                "{host} {original_url}: {}",
                answer.text()
            );
        }
    }

    async fn another_service_on_the_same_machine_is_no_loop(database: Database) {
        let service = Service::builder(&database)
            .arg("--private-targets=allow")
            .start()
            .await;
        let user = service.create_user().await;
        let other = service.management_addr();

        let url = service
            .create_url(user, &format!("http://{other}/metrics"))
            .await;

        let answer = service
            .get(&format!("/{}", url["short_code"].as_str().expect("a code")))
            .await;
        assert_eq!(
            answer.header("location"),
            Some(format!("http://{other}/metrics").as_str())
        );
    }

    async fn no_address_in_particular_is_this_machine_where_private_targets_are_allowed(database: Database) {
        let service = Service::builder(&database)
            .arg("--private-targets=allow")
            .start()
            .await;
        let user = service.create_user().await;
        let port = service.addr().port();
        for host in ["0.0.0.0", "0", "[::]", "127.0.0.1", "localhost", "[::1]"] {
            refused_as_loop(&service, user, &format!("http://{host}:{port}/launch")).await;
        }
        service.create_url(user, "http://0.0.0.0:1/").await;
    }

    async fn no_url_leads_to_a_public_host(database: Database) {
        let service = Service::builder(&database)
            .arg("--public-hosts=sho.rt,go.example.com:8443")
            .start()
            .await;
        let user = service.create_user().await;

        for original_url in [
            "http://sho.rt",
            "https://sho.rt/launch",
            "https://SHO.RT/",
            "https://sho.rt./",
            "https://ｓｈｏ.ｒｔ/",
            "https://sho%2ert/",
            "https://go.example.com:8443/launch",
        ] {
            refused_as_loop(&service, user, original_url).await;
        }
        for original_url in [
            "https://sho.rt.example.com/",
            "https://www.sho.rt/",
            "https://example.com/sho.rt",
            "https://go.example.com/",
        ] {
            service.create_url(user, original_url).await;
        }
    }

    async fn a_forged_host_does_not_open_the_way_to_a_public_host(database: Database) {
        let service = Service::builder(&database)
            .arg("--public-hosts=sho.rt")
            .start()
            .await;
        let user = service.create_user().await;

        let body = json!({"user_id": user, "original_url": "https://sho.rt/launch"});
        let request = service
            .request(Method::POST, "/urls")
            .header("host", "elsewhere.example");
        let answer = service.send(request.json(&body)).await;

        answer.assert_problem(422);
    }

    async fn a_change_makes_no_loop_either(database: Database) {
        let service = Service::builder(&database)
            .arg("--public-hosts=sho.rt")
            .start()
            .await;
        let user = service.create_user().await;
        let url = service.create_url(user, "https://example.com/").await;
        let path = format!("/urls/{}", url["id"]);

        for original_url in [
            "https://sho.rt/x".to_owned(),
            format!("http://{}/x", service.addr()),
        ] {
            let problem = service
                .put(&path, json!({"original_url": original_url}))
                .await
                .assert_problem(422);
            assert!(problem["errors"]["original_url"].is_string(), "{problem}");
        }
        assert_eq!(service.get(&path).await.json(), url);
    }

    async fn a_bulk_load_makes_no_loop_either(database: Database) {
        let service = Service::builder(&database)
            .arg("--public-hosts=sho.rt")
            .start()
            .await;
        service.create_user().await;
        let row = url(1, "launch").replace("https://example.com/1", "https://sho.rt/launch");

        let problem = service
            .upload("/urls/bulk", file(URLS, &[row]))
            .await
            .assert_problem(422);

        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("line 2")),
            "{problem}"
        );
        assert_eq!(service.get("/urls").await.json(), json!([]));
    }
}
