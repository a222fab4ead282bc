//! Countries, by a small file of networks.

use std::fs;

use harness::{database::Database, service::Service};

// The writer that the unit tests use: no crate writes this format.
#[path = "../../shortener/src/clicks/country/mmdb.rs"]
mod mmdb;

use crate::{
    breakdowns::shares,
    statistics::{FIREFOX, click, stats_of},
    visitors::{path, some_urls},
};

fn write_countries(database: &Database) -> String {
    let country = |code| mmdb::map(&[("country", mmdb::map(&[("iso_code", mmdb::string(code))]))]);
    let networks = [
        ("::192.0.2.0", 96 + 24, country("DE")),
        ("::198.51.100.0", 96 + 24, country("JP")),
        ("2001:db8::", 32, country("BR")),
    ];
    let file = database.dir().join("country.mmdb");
    fs::write(&file, mmdb::write(&networks)).expect("the folder is ours");
    file.to_str().expect("a plain name").to_owned()
}

harness::on_each_database! {
    async fn countries_are_told_by_address_and_an_unknown_one_is_none(database: Database) {
        let file = write_countries(&database);
        let service = Service::builder(&database)
            .arg("--trusted-proxies=127.0.0.1")
            .env("SHORTENER_GEOIP_FILE", file)
            .start()
            .await;
        let url = some_urls(&service).await.remove(0);
        let addresses = ["192.0.2.7", "192.0.2.8", "198.51.100.1", "2001:db8::7", "203.0.113.1"];
        for address in addresses {
            click(&service, &path(&url), &[("user-agent", FIREFOX), ("x-forwarded-for", address)]).await;
        }
        let stats = stats_of(&service, &url, "").await;
        assert_eq!(shares(&stats["countries"]), [("DE", 2), ("BR", 1), ("JP", 1)], "{stats}");
        assert_eq!(stats["clicks"], 5);
        let stored = "select coalesce(country, '-') from click order by id";
        assert_eq!(database.texts(stored).await, ["DE", "DE", "JP", "BR", "-"]);
    }

    async fn a_wrong_file_of_countries_stops_the_start_with_its_name(database: Database) {
        let file = database.dir().join("country.mmdb");
        fs::write(&file, "no such format").unwrap();
        let file = file.to_str().unwrap();
        let started = Service::builder(&database).env("SHORTENER_GEOIP_FILE", file).try_start().await;
        let failure = started.expect_err("it cannot tell countries");
        assert_ne!(failure.code, Some(0), "{failure:?}");
        assert!(failure.stderr.contains("country.mmdb"), "{failure:?}");
    }
}
