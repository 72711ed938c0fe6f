//! Who is listed as online can be called: agents at URLs of their own, as processes that stop, lie and come back, and
//! lines that come and go.

mod churn;
mod lines;
mod urls;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use landline_tests::api;

/// The ids that are listed as online now.
fn online(addr: SocketAddr) -> BTreeSet<String> {
    let list = api::get(addr, "/connect/v1/agents/online?limit=200");
    let items = list["items"].as_array().expect("a list");
    items.iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}
