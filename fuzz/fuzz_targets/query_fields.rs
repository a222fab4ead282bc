//! The query of a list, or of statistics.

#![no_main]

use http::Uri;
use libfuzzer_sys::fuzz_target;
use shortener::{
    database::timestamp::Timestamp,
    http::{
        fields::{Fields, digits, flag, text},
        paging::{Order, Part},
    },
    statistics::period::{Bucket, Moment, Period, Wish, parse_zone},
};

fuzz_target!(|query: &str| {
    let Ok(uri) = format!("/urls?{query}").parse::<Uri>() else {
        return;
    };
    let part = Fields::from_query(uri.query()).read(|fields| {
        let user_id = fields.optional("user_id", text(digits));
        let is_active = fields.optional("is_active", text(flag));
        let part = Part::read(fields, &uri, Order::OldestFirst);
        (user_id?, is_active?);
        part
    });
    if let Ok(part) = part {
        assert!((1..=101).contains(&part.limit()));
        assert!(part.offset() >= 0 && part.end() >= part.offset());
    }
    let wish = Fields::from_query(Some(query)).read(|fields| {
        let from = fields.optional("from", text(Moment::parse));
        let to = fields.optional("to", text(Moment::parse));
        let bucket = fields.optional("bucket", text(Bucket::parse));
        let zone = fields.optional("time_zone", text(parse_zone));
        Ok(Wish {
            from: from?,
            to: to?,
            bucket: bucket?,
            zone: zone?,
        })
    });
    let now = Timestamp::parse("2026-11-24T12:00:00Z").expect("a time");
    if let Ok(Ok(period)) = wish.map(|wish| Period::new(wish, now)) {
        let starts = period.bucket_starts();
        assert!(
            starts.len() <= 5_001 && starts.is_sorted(),
            "{}",
            starts.len()
        );
    }
});
